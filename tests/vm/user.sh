#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# user.sh - an ordinary user saves and restarts their own programs through
# /dev/cr, where the admin lets them open it; and nobody else's
set -u

[ -c /dev/cr ] || { modprobe libcrc32c && insmod "${module:?}"; }
failed=0

# as_user USER COMMAND...
as_user()
{
	setpriv --reuid "$1" --regid "$1" --clear-groups --inh-caps=-all \
		"${@:2}"
}

# Users may come to these by another way: a checkout in /root is closed to them.
mkdir /tmp/top /tmp/build
mount --bind "${top:?}" /tmp/top && mount --bind "${build:?}" /tmp/build || exit 1
top=/tmp/top build=/tmp/build cr=/tmp/build/bin/cr

# What has no name in a file system takes the module.
programs="mem_anon mem_shared_anon mem_memfd mem_file_unlinked mem_posix_shm
mem_sysv mem_cow ipc_messages thread_robust tree_ghost_session thread_many"

# one PROGRAM SAVE RESTART
one()
{
	if as_user 1000 "$top/tests/engine/run" --slow --mode chain \
		--dir /tmp/user --cr "$cr" --save-engine "$2" \
		--restart-engine "$3" "$build/tests/programs/$1"; then
		echo "ok - $*"
	else
		echo "FAILED - $*"
		failed=1
	fi
}

mkdir -m 777 /tmp/user
chmod 600 /dev/cr
as_user 1000 "$cr" run -- sleep 1000 &
holder=$!
until program=$(pgrep -x sleep); do
	sleep 0.1
done
if as_user 1000 "$cr" checkpoint --engine=kernel "$program" \
	-o /tmp/user/image 2>/tmp/told; then
	echo "/dev/cr is root's, and a user has used it"
	failed=1
fi
grep -q 'open /dev/cr: Permission denied' /tmp/told || failed=1
chmod 666 /dev/cr
if as_user 1001 "$cr" checkpoint --engine=kernel "$program" \
	-o /tmp/user/image 2>/tmp/told; then
	echo "another user's program was saved"
	failed=1
fi
cat /tmp/told
kill $holder
for program in $programs; do
	one "$program" kernel user
done
one mem_shared_anon kernel kernel
one tree_ghost_session kernel kernel
exit $failed
