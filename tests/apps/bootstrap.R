# SPDX-License-Identifier: GPL-2.0-or-later
# bootstrap.R - resample a regression; every line of the result depends on the
# random numbers before it
set.seed(42)
n <- 400
x <- rnorm(n)
y <- 3 + 2 * x + rnorm(n)
out <- file("result", "w")
for (i in 1:2500) {
	rows <- sample(n, replace = TRUE)
	fit <- lm(y[rows] ~ x[rows])
	writeLines(sprintf("%d %.15g %.15g", i, coef(fit)[1], coef(fit)[2]), out)
	flush(out)
}
close(out)
