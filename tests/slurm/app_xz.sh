#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# app_xz.sh - xz with two threads, in a pipe
source "$(dirname "$0")/app.sh"

run_app <<'EOF'
#!/bin/bash
seq 1 7000000 | xz -T2 -6 --block-size=4MiB >numbers.xz
xz -dc numbers.xz | sha256sum
EOF
