/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * collect_ipc.c - SysV objects that no task shows
 *
 * Attached segments are mappings.  Semaphore sets, message queues and segments
 * that nobody has attached belong to the IPC namespace alone: if that is the
 * tree's own they become spaces.  We go there ourselves to look, which changes
 * nothing.  (In the node's namespace nobody can tell whose they are.)
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#include "collect.h"

#ifndef SHM_STAT_ANY
#define SHM_STAT_ANY 15
#define SEM_STAT_ANY 20
#define MSG_STAT_ANY 13
#endif

union semun {
	int value;
	struct semid_ds *set;
	unsigned short *values;
};

/* One that has been found. */
struct found {
	enum cr_space_kind kind;
	const char *what;
	int id;
	const struct ipc_perm *perm;
	uint64_t length;
};

static int fail(const struct found *found, struct cr_error *err)
{
	return cr_error_errno(err, "SysV %s %d (key %#x)", found->what,
			      found->id, (unsigned int)found->perm->__key);
}

static int add_space(struct cr_checkpoint *checkpoint,
		     const struct found *found, void *content,
		     struct cr_error *err)
{
	uint32_t id = cr_new_space(checkpoint, found->kind, found->length, 0);
	struct cr_save_space *space;

	if (!id) {
		munmap(content, found->length);
		return cr_error_set(err, -ENOMEM, "out of memory");
	}
	space = checkpoint->spaces[id - 1];
	space->wire.sysv_id = found->id;
	space->wire.sysv_key = found->perm->__key;
	space->wire.sysv_mode = found->perm->mode;
	space->wire.sysv_uid = found->perm->uid;
	space->wire.sysv_gid = found->perm->gid;
	return cr_space_set_content(checkpoint, space, content, err);
}

static void *new_content(uint64_t length)
{
	return mmap(NULL, length, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

/* --- segments --- */

static int is_saved(const struct cr_checkpoint *checkpoint, int id)
{
	for (size_t i = 0; i < checkpoint->nr_spaces; i++)
		if (checkpoint->spaces[i]->wire.kind == CR_SPACE_SYSV &&
		    checkpoint->spaces[i]->wire.sysv_id == id)
			return 1;
	return 0;
}

static int add_segment(struct cr_checkpoint *checkpoint, int index,
		       struct cr_error *err)
{
	struct shmid_ds segment;
	struct found found = { CR_SPACE_SYSV, "shared memory segment",
			       shmctl(index, SHM_STAT_ANY, &segment),
			       &segment.shm_perm, segment.shm_segsz };
	void *content;

	if (found.id < 0 || is_saved(checkpoint, found.id))
		return 0;
	found.length = segment.shm_segsz;
	content = shmat(found.id, NULL, SHM_RDONLY);
	return content == (void *)-1 ?
		       fail(&found, err) :
		       add_space(checkpoint, &found, content, err);
}

/* --- semaphores --- */

static int add_set(struct cr_checkpoint *checkpoint, int index,
		   struct cr_error *err)
{
	struct semid_ds set;
	struct found found = { CR_SPACE_SEMAPHORES, "semaphore set",
			       semctl(index, 0, SEM_STAT_ANY,
				      (union semun){ .set = &set }),
			       &set.sem_perm, 0 };
	void *content;

	if (found.id < 0)
		return 0;
	found.length = set.sem_nsems * sizeof(unsigned short);
	content = new_content(found.length);
	if (content == MAP_FAILED)
		return fail(&found, err);
	if (semctl(found.id, 0, GETALL, (union semun){ .values = content }) <
	    0) {
		fail(&found, err);
		munmap(content, found.length);
		return err ? err->code : -EIO;
	}
	return add_space(checkpoint, &found, content, err);
}

/* --- message queues --- */

/* Copy all messages to @to; what is needed is in @queue. */
static int copy_messages(int id, const struct msqid_ds *queue, uint8_t *to)
{
	struct cr_wire_queue head = { .limit = queue->msg_qbytes,
				      .nr_messages = queue->msg_qnum };
	struct cr_wire_queued message;
	struct msgbuf *buffer = malloc(sizeof(long) + queue->__msg_cbytes + 1);
	ssize_t n = 0;

	if (!buffer)
		return -ENOMEM;
	memcpy(to, &head, sizeof(head));
	to += sizeof(head);
	for (uint64_t i = 0; i < head.nr_messages && n >= 0; i++) {
		n = msgrcv(id, buffer, queue->__msg_cbytes, (long)i,
			   MSG_COPY | IPC_NOWAIT);
		if (n < 0)
			break;
		message.type = buffer->mtype;
		message.length = (uint64_t)n;
		memcpy(to, &message, sizeof(message));
		memcpy(to + sizeof(message), buffer->mtext, (size_t)n);
		to += sizeof(message) + (((size_t)n + 7) & ~(size_t)7);
	}
	free(buffer);
	return n < 0 ? -errno : 0;
}

static int add_queue(struct cr_checkpoint *checkpoint, int index,
		     struct cr_error *err)
{
	struct msqid_ds queue;
	struct found found = { CR_SPACE_QUEUE, "message queue",
			       msgctl(index, MSG_STAT_ANY, &queue),
			       &queue.msg_perm, 0 };
	void *content;
	int rc;

	if (found.id < 0)
		return 0;
	found.length = sizeof(struct cr_wire_queue) + queue.__msg_cbytes +
		       queue.msg_qnum * (sizeof(struct cr_wire_queued) + 7);
	content = new_content(found.length);
	if (content == MAP_FAILED)
		return fail(&found, err);
	rc = copy_messages(found.id, &queue, content);
	if (rc == 0)
		return add_space(checkpoint, &found, content, err);
	munmap(content, found.length);
	errno = -rc;
	return fail(&found, err);
}

/* --- all of them --- */

/* IPC_INFO of each kind returns the highest index in use. */
static int add_all(struct cr_checkpoint *checkpoint, struct cr_error *err)
{
	struct shminfo shm;
	struct seminfo sem;
	struct msginfo msg;
	int last_segment = shmctl(0, IPC_INFO, (void *)&shm);
	int last_set =
		semctl(0, 0, IPC_INFO, (union semun){ .set = (void *)&sem });
	int last_queue = msgctl(0, IPC_INFO, (void *)&msg), rc = 0;

	for (int i = 0; i <= last_segment && rc == 0; i++)
		rc = add_segment(checkpoint, i, err);
	for (int i = 0; i <= last_set && rc == 0; i++)
		rc = add_set(checkpoint, i, err);
	for (int i = 0; i <= last_queue && rc == 0; i++)
		rc = add_queue(checkpoint, i, err);
	return rc;
}

static int is_own_namespace(const struct cr_save_task *task)
{
	char own[64], theirs[64];

	return cr_proc_readlink(getpid(), "ns/ipc", own, sizeof(own), NULL) ==
		       0 &&
	       cr_proc_readlink(task->pid, "ns/ipc", theirs, sizeof(theirs),
				NULL) == 0 &&
	       strcmp(own, theirs) != 0;
}

/* Of the calling thread: nobody else of us is concerned. */
static int look_from_within(struct cr_checkpoint *checkpoint, pid_t pid,
			    struct cr_error *err)
{
	char path[64];
	int own, theirs, rc;

	snprintf(path, sizeof(path), "/proc/%d/ns/ipc", pid);
	own = open("/proc/self/ns/ipc", O_RDONLY | O_CLOEXEC);
	theirs = open(path, O_RDONLY | O_CLOEXEC);
	if (own < 0 || theirs < 0) {
		rc = cr_error_errno(err, "%s", path);
	} else if (setns(theirs, CLONE_NEWIPC) < 0) {
		cr_refuse(checkpoint,
			  "the tree's IPC namespace cannot be looked into: %s",
			  strerror(errno));
		rc = 0;
	} else {
		rc = add_all(checkpoint, err);
		if (setns(own, CLONE_NEWIPC) < 0)
			rc = cr_error_errno(err, "going back to %s", path);
	}
	if (own >= 0)
		close(own);
	if (theirs >= 0)
		close(theirs);
	return rc;
}

int cr_collect_ipc(struct cr_checkpoint *checkpoint, struct cr_error *err)
{
	const struct cr_save_task *task = NULL;

	for (size_t i = 0; i < checkpoint->nr_tasks && !task; i++)
		if (!checkpoint->tasks[i]->is_zombie)
			task = checkpoint->tasks[i];
	if (!task || !is_own_namespace(task))
		return 0;
	return look_from_within(checkpoint, task->pid, err);
}
