/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * collect_process.c - state of a process
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collect.h"

static int collect_oom(struct cr_save_task *task, struct cr_error *err)
{
	char *text;
	int rc;

	rc = cr_proc_read(task->pid, "oom_score_adj", &text, NULL, err);
	if (rc < 0)
		return rc;
	task->state->task.oom_score_adj = (int32_t)strtol(text, NULL, 10);
	free(text);
	return 0;
}

static int collect_files(struct cr_save_task *task, struct cr_error *err)
{
	size_t length;
	char *text;
	int rc;

	if (task->state->auxv) /* the module has told all of it */
		return 0;
	rc = cr_proc_read(task->pid, "limits", &text, NULL, err);
	if (rc < 0)
		return rc;
	rc = cr_proc_parse_limits(text, task->state->task.rlimit);
	free(text);
	if (rc < 0)
		return cr_error_set(err, rc, "/proc/%d/limits is strange",
				    task->pid);
	rc = cr_proc_read(task->pid, "auxv", &task->state->auxv, &length, err);
	if (rc < 0)
		return rc;
	task->state->mm.auxv_length = (uint32_t)length;
	return collect_oom(task, err);
}

int cr_collect_process(struct cr_checkpoint *checkpoint,
		       struct cr_save_task *task, struct cr_error *err)
{
	struct cr_save_state *state = task->state;
	int rc;

	rc = collect_files(task, err);
	if (rc < 0)
		return rc;
	state->signals = calloc(1, sizeof(*state->signals));
	if (!state->signals)
		return cr_error_set(err, -ENOMEM, "out of memory");
	rc = cr_collect_pending(task->pid, 1, &state->pending,
				&state->signals->nr_pending, err);
	if (rc < 0)
		return rc;
	memcpy(state->task.comm, task->threads[0].wire->comm,
	       sizeof(state->task.comm));
	rc = cr_ask(checkpoint, task, err);
	if (rc < 0)
		return rc;
	return cr_collect_timers(checkpoint, task, err);
}
