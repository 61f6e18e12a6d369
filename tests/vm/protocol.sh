#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# protocol.sh - crtest_protocol.c, and nothing left of it when the module goes
set -eu

[ -c /dev/cr ] || { modprobe libcrc32c && insmod "${module:?}"; }
"${crtest:?}" protocol
rmmod cr
insmod "${module:?}"
