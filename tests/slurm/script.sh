#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# script.sh - a script that waits for srun is saved, too, and goes on where it
# was: no step runs twice, pipes and variables keep what has gone through, and
# exit codes are those of the programs
source "$(dirname "$0")/lib.sh"

move() # JOB...: all at once
{
	for job; do
		requeue
	done
	for job; do
		await 60 "restart" restarts_are 1
	done
}

# Several at once, of which one is over before the others are saved.
submit -p low --ntasks=2 --nodes=1 <<EOF
#!/bin/bash
exec 7>late
srun -n1 --overlap --output=a $count -n 50 &
A=\$!
srun -n1 --overlap --output=b $count -n 2 -x 3 &
B=\$!
srun -n2 --overlap --output=c.%t $count -n 60 -x 5 &
C=\$!
while wait -n -p P; R=\$?; [ \$R != 127 ]; do
	[ \$P != \$A ] || echo "a: \$R"
	[ \$P != \$B ] || echo "b: \$R"
	[ \$P != \$C ] || echo "c: \$R"
done
echo kept >&7
srun -n1 sh -c 'echo "nodes: \$SLURM_JOB_NODELIST, here: \$(hostname)"'
EOF
await 60 "output of c" has_counted 20 "$work/c.1"
preempt
await 60 "restart" restarts_are 1
await_end COMPLETED
for said in 'a: 0' 'b: 3' 'c: 5'; do
	[ "$(grep -cx "$said" "$(output)")" = 1 ] || fail "not once: $said"
done
check_output 50 "$work/a"
check_output 2 "$work/b"
check_output 60 "$work/c.0"
check_output 60 "$work/c.1"
check_moved "$work/c.0"
[ "$(cat "$work/late")" = kept ] || fail "descriptor 7 is gone"
awk -F '[ ,]+' '$1 == "nodes:" { n += $2 == $4 } END { exit n != 1 }' \
	"$(output)" || fail "a later step has the old nodes in its environment"
check_no_images

submit -p share -n1 <<EOF
#!/bin/bash
lines=\$(srun $count -n 50)
echo "\$lines" >captured
EOF
captured=$job
submit -p share -n1 <<EOF
#!/bin/bash
srun $count -n 50 2>&1 | tee through >/dev/null
EOF
through=$job
seq 1 5000 >"$work/numbers"
submit -p share -n1 <<'EOF'
#!/bin/bash
{
	read -r first
	echo "got $first"
	srun bash -c 'while read -r n; do echo "got $n"; sleep 0.001; done'
} <numbers >left
EOF
left=$job
submit -p share -n1 <<EOF
#!/bin/bash
exec srun --output=executed $count -n 50 -x 6
EOF
executed=$job
await 60 "output" has_counted 10 "$work/executed"
await 60 "output" has_counted 10 "$work/through"
move "$captured" "$through" "$left" "$executed"
for job in $captured $through $left; do
	await_end COMPLETED
	check_no_images
done
job=$executed
await_end FAILED
[ "$(field ExitCode)" = 6:0 ] || fail "exit code is $(field ExitCode)"
check_no_images
for file in captured through executed; do
	check_output 50 "$work/$file"
done
awk '$1 == "got" && $2 != ++n { bad = 1 }
	END { exit bad || n != 5000 }' "$work/left" ||
	fail "input is lost or doubled"

# A mere signal, and an srun that ends before slurmctld has said that it is one:
# the script is not left stopped.
submit -p low -n1 <<'EOF'
#!/bin/bash
trap : TERM
srun bash -c 'echo begun; sleep 3'
echo "ended: $?"
sleep 1
EOF
await 30 "first line" grep -qs begun "$(output)"
sleep 1
node=$(field NodeList)
root pkill -STOP -x slurmctld
lab exec "$node" pkill -TERM -o -x cr-shepherd
sleep 3
root pkill -CONT -x slurmctld
await_end COMPLETED 30
grep -qx 'ended: 0' "$(output)" || fail "it has not gone on"
