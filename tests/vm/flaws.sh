#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# flaws.sh - does the debug kernel report faults, and does guest see them?  The
# last test of a machine: there is no lockdep any more after its first report
set -eu

# FLAW REPORT: it is reported, and guest takes that for a failure
expect()
{
	echo "$1" >/sys/module/flaws/parameters/make
	"${top:?}/tests/vm/messages" >/tmp/messages
	if grep -q -E "$2" /tmp/messages &&
		"$top/tests/vm/reports" </tmp/messages >/dev/null; then
		echo "ok - $1"
	else
		echo "FAILED - $1"
		failed=1
	fi
}

failed=0
# What is wanted here is none for vm-test to find.  Not dmesg -n 1: lockdep's
# report calls console_verbose(), which leaves only 0 as it is
echo 0 >/proc/sys/kernel/printk
insmod "${vm:?}/flaws/flaws.ko"
"${top:?}/tests/vm/messages" >/dev/null
expect rcu 'suspicious RCU usage'
expect sleep 'sleeping function called from invalid context'
expect leak 'kmemleak: [0-9]+ new'
expect index 'UBSAN: array-index-out-of-bounds'
expect work 'ODEBUG: free active'
expect list 'list_add double add'
expect order 'possible circular locking dependency'
expect outside 'KASAN: slab-out-of-bounds'
expect freed 'KASAN: (slab-)?use-after-free'
grep -E '^ *debug_locks: *0' /proc/lockdep_stats
rmmod flaws
"$top/tests/vm/messages" >/dev/null
echo 5 >/proc/sys/kernel/printk
exit $failed
