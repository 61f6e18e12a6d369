#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# module.sh - load, unload, who may open /dev/cr, unload while in use
set -eu

modprobe libcrc32c
insmod "${module:?}"
[ -c /dev/cr ]
[ "$(stat -c %a /dev/cr)" = 600 ]
exec 9</dev/cr
if rmmod cr 2>/dev/null; then
	echo "unloaded while in use"
	exit 1
fi
exec 9<&-
rmmod cr
[ ! -e /dev/cr ]
insmod "$module"
