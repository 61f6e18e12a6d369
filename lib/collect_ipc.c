/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * collect_ipc.c - refuse SysV objects that no task shows
 *
 * Attached segments are mappings.  Message queues, semaphore sets and segments
 * that nobody has attached belong to the IPC namespace alone: if that is the
 * tree's own they would be lost.  (In the node's namespace nobody can tell
 * whose they are.)
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#include "collect.h"
#include "remote.h"

#ifndef SHM_STAT_ANY
#define SHM_STAT_ANY 15
#define SEM_STAT_ANY 20
#define MSG_STAT_ANY 13
#endif

#define PROBE_MAX 32768 /* indexes in use: IPCMNI */

struct kind {
	const char *what;
	long nr;
	int command;
	int has_number; /* of a semaphore, before the command */
};

static const struct kind kinds[] = {
	{ "shared memory segment", SYS_shmctl, SHM_STAT_ANY, 0 },
	{ "semaphore set", SYS_semctl, SEM_STAT_ANY, 1 },
	{ "message queue", SYS_msgctl, MSG_STAT_ANY, 0 },
};

static int is_own_namespace(const struct cr_save_task *task)
{
	char own[64], theirs[64];

	return cr_proc_readlink(getpid(), "ns/ipc", own, sizeof(own), NULL) ==
		       0 &&
	       cr_proc_readlink(task->pid, "ns/ipc", theirs, sizeof(theirs),
				NULL) == 0 &&
	       strcmp(own, theirs) != 0;
}

static int is_saved(const struct cr_checkpoint *checkpoint, int64_t id)
{
	for (size_t i = 0; i < checkpoint->nr_spaces; i++)
		if (checkpoint->spaces[i]->wire.kind == CR_SPACE_SYSV &&
		    checkpoint->spaces[i]->wire.sysv_id == id)
			return 1;
	return 0;
}

/* Call @kind's ...ctl with @index and @command; the result is the kernel's. */
static int64_t control(struct cr_save_task *task, const struct kind *kind,
		       int index, int command, struct cr_error *err)
{
	const uint64_t scratch = cr_remote_scratch(task->remote);
	struct cr_remote_call call = { .nr = kind->nr };
	int rc;

	call.args[0] = (uint64_t)index;
	call.args[1] = kind->has_number ? 0 : (uint64_t)command;
	call.args[2] = kind->has_number ? (uint64_t)command : scratch;
	call.args[3] = scratch;
	rc = cr_remote_run(task->remote, task->pid, &call, 1, err);
	return rc < 0 ? rc : call.result;
}

static int check_kind(struct cr_checkpoint *checkpoint,
		      struct cr_save_task *task, const struct kind *kind,
		      struct cr_error *err)
{
	struct ipc_perm perm;
	int64_t last, id;
	int rc = 0;

	/* IPC_INFO of all three returns the highest index in use */
	last = control(task, kind, 0, IPC_INFO, err);
	for (int i = 0; i <= last && i < PROBE_MAX && rc == 0; i++) {
		id = control(task, kind, i, kind->command, err);
		if (id < 0 ||
		    (kind->nr == SYS_shmctl && is_saved(checkpoint, id)))
			continue;
		rc = cr_remote_read(task->remote,
				    cr_remote_scratch(task->remote), &perm,
				    sizeof(perm), err);
		if (rc == 0)
			cr_refuse(checkpoint, "SysV %s %lld (key %#x)%s",
				  kind->what, (long long)id,
				  (unsigned int)perm.__key,
				  kind->nr == SYS_shmctl ?
					  ", which nobody has attached" :
					  "");
	}
	return rc;
}

int cr_check_ipc(struct cr_checkpoint *checkpoint, struct cr_error *err)
{
	struct cr_save_task *task = NULL;
	int rc;

	for (size_t i = 0; i < checkpoint->nr_tasks && !task; i++)
		if (!checkpoint->tasks[i]->is_zombie)
			task = checkpoint->tasks[i];
	if (!task || !is_own_namespace(task))
		return 0;
	rc = cr_remote_open(task->pid, &task->remote, err);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && rc == 0; i++)
		rc = check_kind(checkpoint, task, &kinds[i], err);
	cr_remote_close(task->remote);
	task->remote = NULL;
	return rc;
}
