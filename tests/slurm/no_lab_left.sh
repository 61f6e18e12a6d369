#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# no_lab_left.sh PREFIX - end labs that a test has left behind, and complain
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
found=0
for state in /var/tmp/spank_cr-"$1"*; do
	[ -e "$state" ] || continue
	echo "FAILED: a test has left lab ${state##*-}" >&2
	"$top/scripts/lab" --name "${state##*-}" down
	found=1
done
exit $found
