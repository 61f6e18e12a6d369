// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * image_write_queue.c - jobs between who cuts them and the workers
 *
 * The caller's thread waits here: for room, or until all is read or done; it
 * reports progress meanwhile.  After the first error all waiting jobs are
 * dropped; the error comes back from the caller's next call.
 */
#include <stdlib.h>
#include <time.h>

#include "image_writer.h"

#define PROGRESS_NS 100000000L

void cr_writer_fail(struct cr_writer_queue *queue, const struct cr_error *err)
{
	pthread_mutex_lock(&queue->lock);
	if (!queue->error.code)
		queue->error = *err;
	pthread_mutex_unlock(&queue->lock);
}

void cr_writer_count_down(struct cr_writer_queue *queue, bool is_done,
			  uint64_t bytes, uint64_t zero_bytes)
{
	pthread_mutex_lock(&queue->lock);
	if (is_done)
		queue->nr_undone--;
	else
		queue->nr_unread--;
	queue->bytes_done += bytes;
	queue->zero_bytes += zero_bytes;
	pthread_cond_broadcast(&queue->has_moved);
	pthread_mutex_unlock(&queue->lock);
}

void cr_writer_hold(struct cr_writer_queue *queue, bool is_held)
{
	pthread_mutex_lock(&queue->lock);
	queue->is_held = is_held;
	pthread_cond_broadcast(&queue->has_jobs);
	pthread_mutex_unlock(&queue->lock);
}

/* The first job, off the list. */
static struct cr_writer_job *unlink_job(struct cr_writer_queue *queue)
{
	struct cr_writer_job *job = queue->first;

	queue->first = job->next;
	if (!queue->first)
		queue->last = &queue->first;
	queue->nr_waiting--;
	queue->waiting_bytes -= job->length;
	job->next = NULL;
	return job;
}

static void drop_jobs(struct cr_writer_queue *queue)
{
	while (queue->first) {
		free(unlink_job(queue));
		queue->nr_unread--;
		queue->nr_undone--;
	}
	pthread_cond_broadcast(&queue->has_moved);
}

/* Is there enough for a worker? */
static bool is_ready(const struct cr_writer_queue *queue)
{
	if (!queue->first || !queue->is_held)
		return queue->first != NULL;
	return !queue->first->owner ||
	       queue->nr_waiting >= CR_WRITER_QUEUE_MAX ||
	       queue->waiting_bytes >= CR_WRITER_HOLD_BYTES;
}

/* Jobs from the front; what is left is for the other workers. */
static struct cr_writer_job *unlink_jobs(struct cr_writer_queue *queue,
					 size_t share)
{
	struct cr_writer_job *first = unlink_job(queue), *last = first;

	while (--share && last->owner && queue->first && queue->first->owner) {
		last->next = unlink_job(queue);
		last = last->next;
	}
	return first;
}

struct cr_writer_job *cr_writer_take_jobs(struct cr_image_writer *writer,
					  size_t max)
{
	const unsigned int nr_workers = writer->options.nr_workers;
	struct cr_writer_queue *queue = &writer->queue;
	struct cr_writer_job *jobs = NULL;
	size_t share;

	pthread_mutex_lock(&queue->lock);
	for (;;) {
		if (queue->error.code || queue->is_closing)
			drop_jobs(queue);
		if (is_ready(queue) || queue->is_closing)
			break;
		pthread_cond_wait(&queue->has_jobs, &queue->lock);
	}
	if (queue->first) {
		share = (queue->nr_waiting + nr_workers - 1) / nr_workers;
		jobs = unlink_jobs(queue, share < max ? share : max);
		pthread_cond_broadcast(&queue->has_moved);
		if (is_ready(queue))
			pthread_cond_signal(&queue->has_jobs);
	}
	pthread_mutex_unlock(&queue->lock);
	return jobs;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* With the lock, which is released during the call. */
static void report_progress(struct cr_image_writer *writer)
{
	struct cr_writer_queue *queue = &writer->queue;
	uint64_t now = now_ns(), done = queue->bytes_done;

	if (!writer->options.progress || now < writer->next_progress_ns)
		return;
	writer->next_progress_ns = now + PROGRESS_NS;
	pthread_mutex_unlock(&queue->lock);
	writer->options.progress(writer->options.progress_arg, done,
				 writer->memory_bytes);
	pthread_mutex_lock(&queue->lock);
}

/* Wait until something moves or a report is due.  With the lock, which is
 * released meanwhile. */
static void wait_a_tick(struct cr_image_writer *writer)
{
	struct cr_writer_queue *queue = &writer->queue;
	uint64_t until = now_ns() + PROGRESS_NS;
	struct timespec deadline = {
		.tv_sec = (time_t)(until / 1000000000u),
		.tv_nsec = (long)(until % 1000000000u),
	};

	pthread_cond_clockwait(&queue->has_moved, &queue->lock, CLOCK_MONOTONIC,
			       &deadline);
	report_progress(writer);
}

/* With the lock. */
static int first_error(const struct cr_writer_queue *queue,
		       struct cr_error *err)
{
	if (!queue->error.code)
		return 0;
	return cr_error_set(err, queue->error.code, "%s", queue->error.text);
}

int cr_writer_queue_job(struct cr_image_writer *writer,
			struct cr_writer_job *job, struct cr_error *err)
{
	struct cr_writer_queue *queue = &writer->queue;
	int rc;

	pthread_mutex_lock(&queue->lock);
	while (queue->nr_waiting >= CR_WRITER_QUEUE_MAX && !queue->error.code)
		wait_a_tick(writer);
	rc = first_error(queue, err);
	if (rc) {
		free(job);
	} else {
		*queue->last = job;
		queue->last = &job->next;
		queue->nr_waiting++;
		queue->waiting_bytes += job->length;
		queue->nr_unread++;
		queue->nr_undone++;
		if (is_ready(queue))
			pthread_cond_signal(&queue->has_jobs);
	}
	pthread_mutex_unlock(&queue->lock);
	return rc;
}

int cr_writer_wait(struct cr_image_writer *writer, bool until_done,
		   struct cr_error *err)
{
	struct cr_writer_queue *queue = &writer->queue;
	int rc;

	cr_writer_hold(queue, false);
	pthread_mutex_lock(&queue->lock);
	while ((until_done ? queue->nr_undone : queue->nr_unread) != 0)
		wait_a_tick(writer);
	rc = first_error(queue, err);
	pthread_mutex_unlock(&queue->lock);
	return rc;
}

void cr_writer_stop(struct cr_image_writer *writer)
{
	struct cr_writer_queue *queue = &writer->queue;

	pthread_mutex_lock(&queue->lock);
	queue->is_closing = true;
	drop_jobs(queue);
	pthread_cond_broadcast(&queue->has_jobs);
	pthread_mutex_unlock(&queue->lock);
	for (unsigned int i = 0; i < queue->nr_threads; i++)
		pthread_join(queue->threads[i], NULL);
	queue->nr_threads = 0;
}
