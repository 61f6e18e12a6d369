#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# fuzz.sh - crtest_fuzz.c, and nothing left of it when the module goes
set -eu

[ -c /dev/cr ] || { modprobe libcrc32c && insmod "${module:?}"; }
chmod 666 /dev/cr # as the udev rule for everybody
"${crtest:?}" fuzz
rmmod cr
