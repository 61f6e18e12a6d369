#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# engine_all.sh - engine.sh with every program: an hour and more, emulated
export CR_ALL=yes
exec "${top:?}/tests/vm/engine.sh"
