/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restart_ipc.c - SysV objects that no task has mapped: made by the first task
 *
 * Their content is read from the image as if it were memory; it is parsed here.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>

#include "restart_mm.h"

union semun {
	int value;
	struct semid_ds *set;
	unsigned short *values;
};

int cr_ipc_set_next_id(const char *what, int id, struct cr_error *err)
{
	char path[64], text[16];
	int fd, n;

	snprintf(path, sizeof(path), "/proc/sys/kernel/%s_next_id", what);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return cr_error_errno(err, "%s", path);
	n = snprintf(text, sizeof(text), "%d", id);
	n = (int)write(fd, text, (size_t)n);
	close(fd);
	return n < 0 ? cr_error_errno(err, "%s of %d", path, id) : 0;
}

/* @id is what a new object got, or -1. */
static int check_id(const struct cr_wire_space *space, const char *what, int id,
		    struct cr_error *err)
{
	if (id < 0)
		return cr_error_errno(err, "SysV %s %d, key %#x", what,
				      space->sysv_id,
				      (unsigned int)space->sysv_key);
	if (id == space->sysv_id)
		return 0;
	return cr_error_set(err, -EEXIST, "SysV %s id %d is taken here", what,
			    space->sysv_id);
}

static void set_owner(const struct cr_wire_space *space, struct ipc_perm *perm)
{
	perm->uid = space->sysv_uid;
	perm->gid = space->sysv_gid;
	perm->mode = (unsigned short)(space->sysv_mode & 0777);
}

static int flags_of(const struct cr_wire_space *space)
{
	return IPC_CREAT | IPC_EXCL | (int)(space->sysv_mode & 0777);
}

static int make_set(const struct cr_wire_space *space, void *content,
		    struct cr_error *err)
{
	struct semid_ds set = { 0 };
	int id, rc;

	rc = cr_ipc_set_next_id("sem", space->sysv_id, err);
	if (rc < 0)
		return rc;
	id = semget(space->sysv_key,
		    (int)(space->length / sizeof(unsigned short)),
		    flags_of(space));
	rc = check_id(space, "semaphore set", id, err);
	if (rc < 0)
		return rc;
	set_owner(space, &set.sem_perm);
	if (semctl(id, 0, SETALL, (union semun){ .values = content }) < 0 ||
	    semctl(id, 0, IPC_SET, (union semun){ .set = &set }) < 0)
		return cr_error_errno(err, "SysV semaphore set %d", id);
	return 0;
}

/* Send the message at *@fromp, of which there are *@leftp bytes. */
static int send_next(int id, const uint8_t **fromp, uint64_t *leftp)
{
	struct cr_wire_queued message;
	struct msgbuf *buffer;
	uint64_t padded;
	int rc = 0;

	if (*leftp < sizeof(message))
		return -EBADMSG;
	memcpy(&message, *fromp, sizeof(message));
	*fromp += sizeof(message);
	*leftp -= sizeof(message);
	padded = (message.length + 7) & ~7ull;
	if (message.length > CR_SYSV_CONTENT_MAX || padded > *leftp)
		return -EBADMSG;
	buffer = malloc(sizeof(long) + message.length + 1);
	if (!buffer)
		return -ENOMEM;
	buffer->mtype = message.type;
	memcpy(buffer->mtext, *fromp, message.length);
	if (msgsnd(id, buffer, message.length, IPC_NOWAIT) < 0)
		rc = -errno;
	free(buffer);
	*fromp += padded;
	*leftp -= padded;
	return rc;
}

static int send_all(int id, const uint8_t *content, uint64_t length,
		    const struct cr_wire_queue *head)
{
	const uint8_t *from = content + sizeof(*head);
	uint64_t left = length - sizeof(*head);
	int rc = 0;

	for (uint64_t i = 0; i < head->nr_messages && rc == 0; i++)
		rc = send_next(id, &from, &left);
	return rc;
}

static int make_queue(const struct cr_wire_space *space, const void *content,
		      struct cr_error *err)
{
	struct msqid_ds queue = { 0 };
	struct cr_wire_queue head;
	int id, rc;

	memcpy(&head, content, sizeof(head));
	rc = cr_ipc_set_next_id("msg", space->sysv_id, err);
	if (rc < 0)
		return rc;
	id = msgget(space->sysv_key, flags_of(space));
	rc = check_id(space, "message queue", id, err);
	if (rc < 0)
		return rc;
	set_owner(space, &queue.msg_perm);
	queue.msg_qbytes = head.limit;
	if (msgctl(id, IPC_SET, &queue) < 0)
		return cr_error_errno(err, "SysV message queue %d", id);
	rc = send_all(id, content, space->length, &head);
	if (rc < 0)
		return cr_error_set(err, rc, "SysV message queue %d: %s", id,
				    strerror(-rc));
	return 0;
}

static int is_mapped(const struct cr_saved *saved, uint32_t id)
{
	for (size_t i = 0; i < saved->nr_tasks; i++)
		for (size_t j = 0; j < saved->tasks[i].nr_vmas; j++)
			if (saved->tasks[i].vmas[j].space == id)
				return 1;
	return 0;
}

static int make(struct cr_restarter *restarter,
		const struct cr_wire_space *space, struct cr_error *err)
{
	const size_t size =
		(size_t)(space->length / CR_WIRE_PAGE + 1) * CR_WIRE_PAGE;
	void *content;
	int rc;

	if (space->kind == CR_SPACE_SYSV)
		return cr_mm_make_segment(restarter, space, err);
	/* whole pages are filled, in whole pages */
	content = aligned_alloc(CR_WIRE_PAGE, size);
	if (!content)
		return cr_error_set(err, -ENOMEM, "out of memory");
	memset(content, 0, size);
	rc = cr_mm_fill_object(restarter, space, content, err);
	if (rc == 0)
		rc = space->kind == CR_SPACE_QUEUE ?
			     make_queue(space, content, err) :
			     make_set(space, content, err);
	free(content);
	return rc;
}

int cr_restart_ipc(struct cr_restarter *restarter, uint32_t vpid,
		   struct cr_error *err)
{
	const struct cr_saved *saved = restarter->saved;
	int rc = 0;

	for (size_t i = 0; i < saved->nr_spaces && rc == 0; i++) {
		const struct cr_wire_space *space = saved->spaces[i];
		struct cr_file_place *place = &restarter->space_places[i];

		if (place->vpid || (space->kind != CR_SPACE_SEMAPHORES &&
				    space->kind != CR_SPACE_QUEUE &&
				    (space->kind != CR_SPACE_SYSV ||
				     is_mapped(saved, space->id))))
			continue;
		rc = make(restarter, space, err);
		place->vpid = vpid;
	}
	return rc;
}
