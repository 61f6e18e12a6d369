#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# slab.sh - the other tests while the kernel watches its slabs: a write outside
# or after the end is reported (guest looks), and nothing that was allocated on
# the module's behalf is left
# boot: slub_debug=FZPU page_poison=1
set -eu

# Allocations with the module in their stack, which have not been freed.  What
# loading has taken is no leak, and may be another module's: its code for that is
# gone, and ours may be in its place.
taken()
{
	cat /sys/kernel/debug/slab/kmalloc-*/alloc_traces |
		awk -v RS= '/\[cr\]/ && !/do_init_module/'
}

mountpoint -q /sys/kernel/debug || mount -t debugfs debug /sys/kernel/debug
[ -c /dev/cr ] || { modprobe libcrc32c && insmod "${module:?}"; }
exec 9</dev/cr
taken | grep -q cr_open || {
	echo "the kernel does not tell who allocates"
	exit 1
}
exec 9<&-
"${crtest:?}" checkpoint
"$crtest" memory
"$crtest" protocol
"$crtest" look
"$crtest" regs
chmod 666 /dev/cr
CR_FUZZ_SECONDS=5 "$crtest" fuzz
left=$(taken)
[ -z "$left" ] || {
	echo "left:"
	echo "$left"
	exit 1
}
