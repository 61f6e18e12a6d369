#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# includes.sh - who may include whom: dependencies go downwards only
#
#	spank_cr/ -> lib/cr_*.h, Slurm, libc     lib/ -> kernel/, libc
#	kernel/ -> the kernel, its own files     tests/ -> anything
#	kernel/restart_fsm.* -> errno only
set -u
cd "$(dirname "$0")/../.." || exit 2
bad=0

# refuse WHY FILES PATTERN: no line of the files may match
refuse() {
	# shellcheck disable=SC2086 # a list of pathspecs
	if git grep -nE "$3" -- $2; then
		echo "includes: $1" >&2
		bad=1
	fi
}

include='^[[:space:]]*#[[:space:]]*include[[:space:]]+'
refuse "lib/ knows nothing of Slurm" 'lib/*.[ch]' \
	"$include"'(<slurm|["<].*spank)'
refuse "nothing includes tests/" ':/lib/*.[ch] :/spank_cr/*.[ch] :/kernel/*.[ch]' \
	"$include"'".*(tests/|cmocka)'
refuse "the command knows no ptrace" 'lib/tools/*.[ch]' \
	"$include"'<sys/ptrace.h>'
refuse "spank_cr/ knows no ptrace and no memory maps" 'spank_cr/*.[ch]' \
	"$include"'<(sys/ptrace|linux/userfaultfd).h>'
refuse "spank_cr/ knows no ioctl of the module" 'spank_cr/*.[ch]' \
	"$include"'".*cr_ioctl\.h"'
refuse "kernel/ knows nothing of lib/" 'kernel/*.[ch]' \
	"$include"'"(cr|image)_'
refuse "libcr does not print, log or exit" ':/lib/*.c :!/lib/tools' \
	'^	+([^ ].*[^_[:alnum:]])?(printf|perror|syslog|exit)\('

# Of lib/, only public headers leave it.
for header in $(git grep -hoE "$include"'"[^"]+"' -- 'spank_cr/*.[ch]' |
	sed 's/.*"\(.*\)"/\1/' | sort -u); do
	case $header in
	cr_* | image_wire.h) ;; # the format is documented for everybody
	*)
		if [ -f "lib/$header" ] && [ ! -f "spank_cr/$header" ]; then
			git grep -n "\"$header\"" -- 'spank_cr/*.[ch]'
			echo "includes: lib/$header is private to lib/" >&2
			bad=1
		fi
		;;
	esac
done

# The one file that is built on both sides.
if git grep -nE "$include" -- 'kernel/restart_fsm.[ch]' |
	grep -vE '(<linux/errno.h>|<errno.h>|"restart_fsm.h")'; then
	echo "includes: restart_fsm knows errno and its header, no more" >&2
	bad=1
fi
exit $bad
