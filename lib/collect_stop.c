/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * collect_stop.c - has a stopped process's parent been told of the stop?
 *
 * If not, its wait(2) for that must still return after a restart.  Only the
 * parent can ask, without taking the news away.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "collect.h"
#include "remote.h"

/*
 * The stop that a parent waits for and the one that a tracer waits for are
 * kept apart (kernel/exit.c, wait_task_stopped()): ours hides nothing.
 */
static int ask_parent(struct cr_save_task *parent, struct cr_wire_link *link,
		      struct cr_error *err)
{
	const uint64_t scratch = cr_remote_scratch(parent->remote);
	struct cr_remote_call call = {
		.nr = SYS_waitid,
		.args = { P_PID, link->vpid, scratch,
			  WSTOPPED | WNOHANG | WNOWAIT | (uint32_t)__WALL },
	};
	siginfo_t info = { 0 };
	int rc;

	rc = cr_remote_write(parent->remote, scratch, &info, sizeof(info), err);
	if (!rc)
		rc = cr_remote_run(parent->remote, parent->pid, &call, 1, err);
	if (!rc)
		rc = cr_remote_read(parent->remote, scratch, &info,
				    sizeof(info), err);
	if (!rc && call.result == 0 && info.si_pid)
		link->flags |= CR_LINK_F_STOP_UNTOLD;
	return rc;
}

int cr_collect_stops(struct cr_checkpoint *checkpoint, struct cr_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < checkpoint->nr_tasks && !rc; i++) {
		struct cr_wire_link *link = &checkpoint->tasks[i]->link;
		struct cr_save_task *parent;

		if (!(link->flags & CR_LINK_F_STOPPED))
			continue;
		parent = cr_find_vpid(checkpoint, link->parent);
		if (!parent || parent->is_zombie)
			continue;
		rc = cr_remote_open(parent->pid, &parent->remote, err);
		if (!rc)
			rc = ask_parent(parent, link, err);
		cr_remote_close(parent->remote);
		parent->remote = NULL;
	}
	return rc;
}
