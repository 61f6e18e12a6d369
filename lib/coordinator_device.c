/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coordinator_device.c - coordinate a restart whose protocol the module runs
 *
 * The module counts who has joined, gives the turns and sees deaths; the tasks
 * wait in its calls.  Here its state is taken over into the context, where
 * threads in the restorer see a failure, and errors of ours are passed on.
 * Words, pids and pidfds come by the socket as ever.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "coordinator.h"
#include "image_reader.h"
#include "kmod.h"

#define NSEC_PER_MSEC 1000000ull
#define GRACE_MS 5000 /* our own deadline comes before the module's */
#define TIMEOUT_MS_MAX 86400000ull

static uint32_t timeout_ms(const struct coordinator *c)
{
	const uint64_t now = cr_now_ns();
	uint64_t left = c->deadline_ns > now ? c->deadline_ns - now : 0;

	left = left / NSEC_PER_MSEC + GRACE_MS;
	return (uint32_t)(left < TIMEOUT_MS_MAX ? left : TIMEOUT_MS_MAX);
}

int cr_coordinator_begin_device(struct coordinator *c)
{
	const struct cr_plan *plan = c->restarter->plan;
	struct epoll_event watch = { .events = EPOLLIN,
				     .data.u64 = CR_COORDINATOR_DEVICE };
	const int device = c->restarter->device;
	uint32_t *ghosts = calloc(plan->nr, sizeof(*ghosts));
	size_t nr = 0;
	int rc;

	if (!ghosts)
		return cr_error_set(c->err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < plan->nr; i++)
		if (plan->processes[i].task == CR_PLAN_HELPER &&
		    plan->processes[i].kind != CR_PLAN_TEMP)
			ghosts[nr++] = cr_restart_vpid(c->restarter, i);
	rc = cr_kmod_restart_begin(device, c->restarter->image->fd, ghosts, nr,
				   timeout_ms(c));
	free(ghosts);
	if (rc < 0)
		return cr_error_set(c->err, rc,
				    "the kernel engine: beginning a restart: "
				    "%s",
				    strerror(-rc));
	return epoll_ctl(c->epoll, EPOLL_CTL_ADD, device, &watch) < 0 ?
		       cr_error_errno(c->err, "waiting for the module") :
		       0;
}

void cr_coordinator_look(struct coordinator *c)
{
	struct cr_kmod_look look;

	if (c->restarter->device >= 0 &&
	    cr_kmod_restart_look(c->restarter->device, &look) == 0)
		cr_coordinator_set_state(c, look.state);
}

void cr_coordinator_explain(struct coordinator *c)
{
	struct cr_kmod_look look;

	if (c->restarter->device < 0 || c->err->code ||
	    c->restarter->ctx->state != CR_RESTART_FAILED ||
	    cr_kmod_restart_look(c->restarter->device, &look) < 0)
		return;
	cr_error_set(c->err, look.code,
		     look.code == -ECANCELED ?
			     "vpid %u died during the restart" :
			     "vpid %u: %s",
		     look.vpid, strerror(-look.code));
}

void cr_coordinator_tell_device(struct coordinator *c,
				enum cr_restart_event event)
{
	const int device = c->restarter->device;
	int rc = 0;

	/* of the release cr_restart_finish() has told, before letting any go
	 */
	if (event != CR_EV_TREE_READ && event != CR_EV_RELEASED)
		rc = cr_kmod_restart_fail(device, c->err->code ? c->err->code :
								 -ECANCELED);
	if (rc < 0 && !c->err->code)
		cr_error_set(c->err, rc, "the kernel engine: %s",
			     strerror(-rc));
	cr_coordinator_look(c);
}
