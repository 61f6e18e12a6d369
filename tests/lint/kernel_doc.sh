#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# kernel_doc.sh - each function of kernel/ that is not static has kernel-doc,
# in its file or its header, and kernel-doc itself has nothing to say about it
set -u
cd "$(dirname "$0")/../.." || exit 2

for tool in /usr/lib/linux-kbuild-*/scripts/kernel-doc; do :; done
[ -x "$tool" ] || {
	echo "kernel_doc: no kernel-doc; run scripts/install-deps" >&2
	exit 1
}
mapfile -t files < <(git ls-files 'kernel/*.c' 'kernel/*.h')
said=$("$tool" -none "${files[@]}" 2>&1)
bad=0
[ -z "$said" ] || {
	printf '%s\n' "$said" >&2
	bad=1
}

# By the format that lint.format has checked: the last line before a { in the
# first column that itself begins there is the function's first.
functions=$(awk '
	/^[a-z].*\(/ { first = $0 }
	/^{/ && first && first !~ /^static |^struct [a-z_]+ {|=/ {
		sub(/\(.*/, "", first)
		sub(/.*[ *]/, "", first)
		print first
	}
	/^{|^}|;$/ { first = "" }' "${files[@]}")
[ "$(wc -l <<<"$functions")" -gt 20 ] || {
	echo "kernel_doc: finds no functions any more" >&2
	exit 1
}
for function in $functions; do
	grep -qE "^ \* $function\(\) - " "${files[@]}" || {
		echo "kernel_doc: $function() has none" >&2
		bad=1
	}
done
exit $bad
