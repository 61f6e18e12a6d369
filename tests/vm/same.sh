#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# same.sh - both engines write the same records (same_records); CR_ALL: of every
# program
set -eu

[ -c /dev/cr ] || { modprobe libcrc32c && insmod "${module:?}"; }
cd "${build:?}/tests/programs"
programs=(tree_mixed tree_attributes tree_zombies thread_many mem_advice
	mem_lock mem_cow file_shared_offset file_mode id_user id_limits id_place
	signal_handlers signal_pending)
[ -z "${CR_ALL:-}" ] || programs=(*)
"${top:?}/tests/vm/same_records" "${cr:?}" "${programs[@]/#/$PWD/}"
