/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * failures.h - which failed checkpoints of a step its user is told of
 */
#ifndef FAILURES_H
#define FAILURES_H

#include "cr_error.h"

struct cr_failures {
	struct cr_error told; /* the last one told since one was saved */
	int is_put_off; /* so was the last one: see below */
};

/*
 * True if the user is to be told @why; not so of a periodic checkpoint,
 * @is_final 0, that
 *  - failed for the reason that was told last
 *  - met what is in the way for the moment only (-EAGAIN), as the one before it
 *    did not: ranks that are still being restarted on another node, say
 */
int cr_failures_tell(struct cr_failures *failures, const struct cr_error *why,
		     int is_final);

/* One was saved. */
void cr_failures_forget(struct cr_failures *failures);

#endif /* FAILURES_H */
