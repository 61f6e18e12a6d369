#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# engine.sh - tests/programs with the kernel engine, the user engine, and saved
# by one and restarted by the other; CR_ALL: all programs, else some
set -u

[ -c /dev/cr ] || { modprobe libcrc32c && insmod "${module:?}"; }
programs='mem_anon mem_cow mem_file_private mem_shared_anon mem_sparse
	mem_hugetlb thread_many tree_sessions file_pipe signal_pending
	static_binary'
if [ -n "${CR_ALL:-}" ]; then
	programs=$(cd "${build:?}/tests/programs" && ls)
fi
failed=0 passed=0 lacking=0

# one PROGRAM SAVE RESTART [MODE]
one()
{
	local status=0
	"${top:?}/tests/engine/run" --mode "${4:-cycle}" --dir /tmp/work \
		--cr "${cr:?}" --save-engine "$2" --restart-engine "$3" \
		"$build/tests/programs/$1" || status=$?
	case $status in
	0) passed=$((passed + 1)) ;;
	77) lacking=$((lacking + 1)) ;;
	*)
		echo "FAILED - $*"
		failed=$((failed + 1))
		;;
	esac
}

for program in $programs; do
	one "$program" kernel kernel
	one "$program" kernel user
	one "$program" user kernel
	[ -z "${CR_ALL:-}" ] || one "$program" user user
done
one mem_anon kernel kernel chain
one tree_mixed auto auto
echo "$passed passed, $failed failed, $lacking cannot run here"
[ $failed = 0 ]
