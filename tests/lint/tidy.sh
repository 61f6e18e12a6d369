#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# tidy.sh BUILD-DIR [CHECKS] - clang-tidy over lib/, kernel/ and spank_cr/, by
# .clang-tidy and CHECKS in addition
set -eu
checks=${2:-}
build=$(realpath "$1")
cd "$(dirname "$0")/../.."
sources=$(git ls-files 'lib/*.c' 'kernel/*.c' 'spank_cr/*.c' |
	while read -r file; do
		! grep -q "$PWD/$file\"" "$build/compile_commands.json" ||
			echo "$file"
	done)
[ -n "$sources" ] || {
	echo "tidy: nothing of here in $build/compile_commands.json" >&2
	exit 1
}
echo "$sources" | xargs -P 2 -n 8 clang-tidy-14 --quiet -p "$build" \
	--checks="$checks"
