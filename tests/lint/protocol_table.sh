#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# protocol_table.sh PROGRAM - docs/restart-protocol.md shows the tables of
# kernel/restart_fsm.c as the program prints them
set -eu
table=$(realpath "$1")
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$table" markdown | grep '^|' >"$work/code"
sed -n '/^| event \\ state/,/^$/p' docs/restart-protocol.md |
	grep '^|' >"$work/document"
diff -u "$work/document" "$work/code" || {
	echo "docs/restart-protocol.md: tables differ from restart_fsm.c" >&2
	exit 1
}
