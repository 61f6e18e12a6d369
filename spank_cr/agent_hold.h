/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_hold.h - places where a test may hold a worker, or the agent itself
 *
 * Only in spank_cr-agent-test, which is not installed: the end-to-end tests
 * have the plugin start it, so that what happens in each phase happens on
 * purpose and not by luck.
 */
#ifndef AGENT_HOLD_H
#define AGENT_HOLD_H

#include "cr_error.h"

#ifdef CR_AGENT_HOLD
/*
 * If there is a file /run/hold/@point on this node: make @point.held, and wait
 * until the first has gone.  If it says "fail", -ENOSPC at once.
 */
int agent_hold(const char *point, struct cr_error *err);
#else
static inline int agent_hold(const char *point, struct cr_error *err)
{
	(void)point;
	(void)err;
	return 0;
}
#endif

#endif /* AGENT_HOLD_H */
