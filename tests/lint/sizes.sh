#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# sizes.sh - no function over 60 lines (100 in tests), no source over 400 and no
# header over 500 (700 in tests)
#
# Relies on the format that lint.format has checked: a function begins with a
# { and ends with a } in the first column.  Tables are not functions.
set -u
cd "$(dirname "$0")/../.." || exit 2

git ls-files -- '*.c' '*.h' | while read -r file; do
	[ -f "$file" ] && echo "$file"
done | xargs awk '
function file_end() {
	limit = name ~ /^tests\// ? 700 : name ~ /h$/ ? 500 : 400
	if (lines > limit) {
		printf "%s: %d lines\n", name, lines
		bad = 1
	}
}
FNR == 1 { file_end(); name = FILENAME; begin = 0 }
{ lines = FNR }
/^{/ { begin = FNR }
/^}/ {
	limit = FILENAME ~ /^tests\// ? 100 : 60
	if (begin && FNR - begin - 1 > limit) {
		printf "%s:%d: function of %d lines\n", FILENAME, begin,
			FNR - begin - 1
		bad = 1
	}
	begin = 0
}
END { file_end(); exit bad }'
