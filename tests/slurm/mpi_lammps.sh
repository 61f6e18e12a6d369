#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# mpi_lammps.sh - LAMMPS on two ranks, preempted twice, and once undisturbed: the
# same output to the last digit
source "$(dirname "$0")/mpi_lib.sh"

command -v lmp >/dev/null || skip "lammps is missing"
sed 's/^run.*/run 6000/' "$top/tests/apps/in.melt" >"$work/in.melt"

submit_melt() # NAME OPTION...
{
	user mkdir "/shared/$test_name/$1"
	cat >"$work/script" <<-EOF
	#!/bin/bash
	cd /shared/$test_name/$1
	export OMP_NUM_THREADS=1
	srun --mpi=pmix --ntasks=2 lmp -in ../in.melt -log none -screen none
	echo "srun ended with \$?"
	EOF
	job=$(user sbatch --parsable -p low --nodes=1 --ntasks=2 \
		--chdir="/shared/$test_name" --output=%j.out "${@:2}" \
		"/shared/$test_name/script")
	say "job $job submitted: $1"
}

has_step() # NAME STEP
{
	awk -v step="$2" '$1 >= step { found = 1 } END { exit !found }' \
		"$work/$1/thermo" 2>/dev/null
}

# is_restarted counts trees of four ranks
is_restarted()
{
	[ "$(cat "$shared/../nodes"/*/log/spank_cr.log |
		grep -c "$job.0: restarted 2 rank trees")" = "$1" ]
}

submit_melt undisturbed --cr=off
await_end COMPLETED 200
check_ended_well
submit_melt preempted
for i in 1 2; do
	await 60 "step $((i * 700))" has_step preempted $((i * 700))
	move "$i"
done
await_end COMPLETED 200
check_ended_well
diff -r "$work/undisturbed" "$work/preempted" >"$work/diff" ||
	fail "the results differ: $(head -n 20 "$work/diff")"
[ "$(wc -l <"$work/preempted/atoms")" -gt 4000 ] || fail "no final positions"
say "the same results: $(cat "$work/preempted"/* | sha256sum | head -c 16)"
check_no_images
