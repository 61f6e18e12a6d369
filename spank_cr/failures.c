/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * failures.c - which failed checkpoints of a step its user is told of
 */
#include "failures.h"

#include <errno.h>
#include <string.h>

static int is_put_off(struct cr_failures *failures, const struct cr_error *why)
{
	const int was_put_off = failures->is_put_off;

	failures->is_put_off = why->code == -EAGAIN;
	return failures->is_put_off && !was_put_off;
}

int cr_failures_tell(struct cr_failures *failures, const struct cr_error *why,
		     int is_final)
{
	if (!is_final && (is_put_off(failures, why) ||
			  !strcmp(failures->told.text, why->text)))
		return 0;
	failures->told = *why;
	return 1;
}

void cr_failures_forget(struct cr_failures *failures)
{
	memset(failures, 0, sizeof(*failures));
}
