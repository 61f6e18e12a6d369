/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save_task.c - the records of one task: made, kept packed, written
 *
 * All tasks must be known before the first byte of the image is written, so
 * what is known of each has to wait in memory; packed, that is about a
 * kilobyte.  Mappings stay outside until their families are known.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collect.h"

#define PART(data, length)                          \
	(struct iovec)                              \
	{                                           \
		(void *)(uintptr_t)(data), (length) \
	}

/*
 * Append a record of up to two parts, the first a multiple of CR_WIRE_ALIGN
 * long, so that nothing lies between them.
 */
static int pack(struct cr_packed *records, int type, struct iovec first,
		struct iovec second)
{
	int rc;

	rc = cr_packed_add_number(records, (uint64_t)type);
	if (rc == 0)
		rc = cr_packed_add_number(records,
					  first.iov_len + second.iov_len);
	if (rc == 0)
		rc = cr_packed_add_bytes(records, first.iov_base,
					 first.iov_len);
	if (rc == 0)
		rc = cr_packed_add_bytes(records, second.iov_base,
					 second.iov_len);
	return rc;
}

static int pack_thread(struct cr_packed *records,
		       const struct cr_save_thread *thread)
{
	const struct cr_wire_thread *wire = thread->wire;
	const size_t pending = wire->nr_pending * sizeof(thread->pending[0]);
	const size_t groups = wire->nr_groups * sizeof(thread->groups[0]);
	int rc;

	rc = cr_packed_add_number(records, CR_RECORD_THREAD);
	if (rc == 0)
		rc = cr_packed_add_number(records, sizeof(*wire) + pending +
							   wire->xstate_length +
							   groups);
	if (rc == 0)
		rc = cr_packed_add_bytes(records, wire, sizeof(*wire));
	if (rc == 0)
		rc = cr_packed_add_bytes(records, thread->pending, pending);
	if (rc == 0)
		rc = cr_packed_append(records, &thread->xstate);
	if (rc == 0)
		rc = cr_packed_add_bytes(records, thread->groups, groups);
	return rc;
}

static int pack_state(struct cr_packed *records,
		      const struct cr_save_state *state, int is_zombie)
{
	const struct {
		int type;
		struct iovec first, second;
	} parts[] = {
		{ CR_RECORD_TASK, PART(&state->task, sizeof(state->task)),
		  PART(NULL, 0) },
		{ CR_RECORD_MM, PART(&state->mm, sizeof(state->mm)),
		  PART(state->auxv, state->mm.auxv_length) },
		{ CR_RECORD_FDS,
		  PART(state->fds, state->nr_fds * sizeof(state->fds[0])),
		  PART(NULL, 0) },
		{ CR_RECORD_SIGNALS,
		  PART(state->signals, sizeof(*state->signals)),
		  PART(state->pending,
		       is_zombie ? 0 :
				   state->signals->nr_pending *
					   sizeof(state->pending[0])) },
		{ CR_RECORD_TIMERS,
		  PART(state->timers,
		       state->nr_timers * sizeof(state->timers[0])),
		  PART(NULL, 0) },
		{ CR_RECORD_LOCKS,
		  PART(state->locks, state->nr_locks * sizeof(state->locks[0])),
		  PART(NULL, 0) },
	};
	const size_t nr = is_zombie ? 1 : sizeof(parts) / sizeof(parts[0]);
	int rc = 0;

	for (size_t i = 0; i < nr && rc == 0; i++)
		rc = pack(records, parts[i].type, parts[i].first,
			  parts[i].second);
	return rc;
}

int cr_pack_task(struct cr_save_task *task, struct cr_error *err)
{
	int rc;

	rc = pack_state(&task->records, task->state, task->is_zombie);
	for (size_t i = 0; i < task->nr_threads && rc == 0; i++)
		rc = pack_thread(&task->records, &task->threads[i]);
	if (rc < 0)
		return cr_error_set(err, rc, "out of memory");
	cr_packed_trim(&task->records);
	cr_free_state(task);
	return 0;
}

static void free_thread(struct cr_save_thread *thread)
{
	free(thread->wire);
	cr_packed_clear(&thread->xstate);
	free(thread->pending);
	free(thread->groups);
	thread->wire = NULL;
	thread->pending = NULL;
	thread->groups = NULL;
}

void cr_free_state(struct cr_save_task *task)
{
	struct cr_save_state *state = task->state;

	for (size_t i = 0; i < task->nr_threads; i++)
		free_thread(&task->threads[i]);
	if (!state)
		return;
	free(state->auxv);
	free(state->fds);
	free(state->signals);
	free(state->pending);
	free(state->timers);
	free(state->locks);
	free(state);
	task->state = NULL;
}

static int put_vmas(struct cr_image_writer *writer,
		    const struct cr_save_task *task, struct cr_error *err)
{
	struct cr_vma_cursor cursor;
	struct cr_wire_vma *vmas;
	struct iovec iov;
	size_t nr = 0;
	int rc;

	vmas = calloc(task->vmas.nr + 1u, sizeof(*vmas));
	if (!vmas)
		return cr_error_set(err, -ENOMEM, "out of memory");
	cr_vma_begin(&task->vmas, &cursor);
	while (cr_vma_next(&cursor))
		vmas[nr++] = cursor.vma.wire;
	iov = PART(vmas, nr * sizeof(*vmas));
	rc = cr_image_writer_put(writer, CR_RECORD_VMAS, task->link.vpid, &iov,
				 1, err);
	free(vmas);
	return rc;
}

static int put_next(struct cr_image_writer *writer,
		    const struct cr_save_task *task,
		    struct cr_packed_cursor *records, struct cr_error *err)
{
	const int type = (int)cr_packed_take_number(records);
	const size_t length = cr_packed_take_number(records);
	struct iovec iov = PART(malloc(length + 1), length);
	int rc;

	if (!iov.iov_base)
		return cr_error_set(err, -ENOMEM, "out of memory");
	cr_packed_take_bytes(records, iov.iov_base, length);
	rc = cr_image_writer_put(writer, type, task->link.vpid, &iov, 1, err);
	free(iov.iov_base);
	if (rc == 0 && type == CR_RECORD_MM)
		rc = put_vmas(writer, task, err);
	return rc;
}

int cr_put_task(struct cr_image_writer *writer, const struct cr_save_task *task,
		struct cr_error *err)
{
	struct cr_packed_cursor records = cr_packed_begin(&task->records);
	int rc = 0;

	while (records.at < records.end && rc == 0)
		rc = put_next(writer, task, &records, err);
	return rc;
}
