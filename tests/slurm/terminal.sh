#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# terminal.sh - with --pty a rank has the terminal that Slurm has made for it;
# without, the step has a /dev/pts of its own
source "$(dirname "$0")/lib.sh"

at_terminal() # COMMAND: its output, at a terminal here
{
	SHELL=/bin/sh script -qec "exec $top/scripts/lab as labuser head $*" \
		/dev/null </dev/null | tr -d '\r'
}

said=$(at_terminal srun --pty --cr-dir=/shared/cr tty) ||
	fail "srun --pty: $said"
# script(1) has echoed the end of its own input before it
grep -q '/dev/pts/[0-9]*$' <<<"$said" || fail "the rank's terminal: $said"
say "with --pty: $said"

said=$(user srun --cr-dir=/shared/cr python3 -c \
	'import os; print(os.ttyname(os.openpty()[1]))')
[ "$said" = /dev/pts/0 ] || fail "the step's first terminal: $said"
say "without: $said"
