#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# fuzz_long.sh - fuzz.sh for ten minutes
export CR_FUZZ_SECONDS=600
exec "${top:?}/tests/vm/fuzz.sh"
