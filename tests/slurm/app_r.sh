#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# app_r.sh - a simulation in GNU R
source "$(dirname "$0")/app.sh"

command -v Rscript >/dev/null || skip "r-base-core is missing"
run_app <<'EOF'
#!/usr/bin/Rscript
set.seed(42)
for (i in 1:150) {
	x <- matrix(rnorm(160000), 400)
	e <- eigen(crossprod(x), only.values = TRUE)$values
	m <- mean(replicate(2000, mean(sample(e, 50, TRUE))))
	cat(i, format(sum(log(e)), digits = 15), format(m, digits = 15), "\n")
}
EOF
