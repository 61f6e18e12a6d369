#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# engine.sh - tests/programs with the kernel engine, and saved by one engine and
# restarted by the other; CR_ALL: every program, all ways
set -u

[ -c /dev/cr ] || { modprobe libcrc32c && insmod "${module:?}"; }
done_before=$(cat /sys/module/cr/parameters/restarts_done)
results=$(mktemp -d)
export results

# one PROGRAM SAVE RESTART [MODE]
one()
{
	local status=0
	"${top:?}/tests/engine/run" --slow --mode "${4:-cycle}" --dir /tmp/work \
		--cr "${cr:?}" --save-engine "$2" --restart-engine "$3" \
		"${build:?}/tests/programs/$1" || status=$?
	case $status in
	0) echo "ok - $*" ;;
	77) echo "lacking - $*" ;;
	*) echo "FAILED - $*" ;;
	esac
}
export -f one

# PROGRAM SAVE RESTART MODE, a line each
cases()
{
	local program
	if [ -z "${CR_ALL:-}" ]; then
		cat <<-END
			mem_anon kernel kernel chain
			mem_cow kernel kernel cycle
			mem_file_private kernel kernel cycle
			mem_shared_anon kernel kernel cycle
			mem_sparse kernel kernel cycle
			mem_hugetlb kernel kernel cycle
			ipc_messages user kernel cycle
			static_binary kernel kernel cycle
			tree_mixed auto auto cycle
			call_futex_until kernel kernel cycle
			file_eventfd kernel user cycle
			mem_lock kernel user chain
			time_itimer_due kernel kernel cycle
			call_nanosleep kernel kernel cycle
			tree_zombies kernel kernel cycle
			tree_ghost_session kernel kernel cycle
			tree_stopped user kernel cycle
			mem_cow kernel user cycle
			mem_file_private user kernel cycle
			thread_many user kernel cycle
		END
		return
	fi
	for program in "$build"/tests/programs/*; do
		program=${program##*/}
		echo "$program kernel kernel cycle"
		echo "$program kernel user cycle"
		echo "$program user kernel cycle"
		echo "$program user user cycle"
	done
}

# programs of one name do not run at once: the lines of each go to one shell
cases | sort | awk '{ line[$1] = line[$1] "one " $0 "; " }
	END { for (name in line) printf "%s%c", line[name], 0 }' |
	xargs -0 -n 1 -P 2 bash -c | tee "$results/all"
failed=$(grep -c '^FAILED' "$results/all")
echo "$(grep -c '^ok' "$results/all") passed, $failed failed," \
	"$(grep -c '^lacking' "$results/all") cannot run here"
# the module has indeed run the protocol of those
done=$(($(cat /sys/module/cr/parameters/restarts_done) - done_before))
want=$(grep -cE '^ok - [^ ]+ [^ ]+ kernel' "$results/all")
refused=$(grep -cE '^ok - refuse_[^ ]+ [^ ]+ kernel' "$results/all")
echo "$done restarts by the module"
[ "$done" -ge $((want - refused)) ] || failed=1
[ "$failed" = 0 ] && grep -q '^ok' "$results/all"
