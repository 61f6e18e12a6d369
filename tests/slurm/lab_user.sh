#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# lab_user.sh - a lab keeps its users and nodes when the machine gets another
# user, as by a package; tried with a copy of /etc
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD_DIR:-$top/build}
export LAB_NAME=${LAB_PREFIX:-t}labuser
lab()
{
	timeout 60 "$top/scripts/lab" "$@"
}

if [ "${1:-}" != own-etc ]; then
	exec unshare --mount "$0" own-etc
fi
etc=$(mktemp -d)
trap 'lab down; rm -rf "$etc"' EXIT
cp -a /etc/. "$etc" || cp -a /etc/. "$etc" # a package may just be changing it
mount --bind "$etc" /etc
lab up --nodes 1 --build "$build"
for file in passwd group hosts; do
	[ -e /etc/$file ] || continue
	cp -p /etc/$file /etc/$file.new
	mv /etc/$file.new /etc/$file
done
lab as labuser head srun -N1 hostname
