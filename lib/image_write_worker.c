// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * image_write_worker.c - threads that read memory, pack it and write chunks
 *
 * A job is what becomes one chunk.  Each worker owns two buffers, so the
 * memory in use does not depend on what is saved.  After the first error all
 * waiting jobs are dropped; the error comes back from the caller's next call.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crc.h"
#include "image_chunk.h"
#include "image_writer.h"

#define PROGRESS_NS 100000000L

struct worker {
	struct cr_image_writer *writer;
	struct cr_kmod *kmod; /* NULL: all is read by us */
	struct cr_packer packer;
	uint8_t *buffer; /* CR_WRITER_JOB_BYTES, page aligned */
	void *header; /* CR_CHUNK_HEADER_MAX */
	struct cr_wire_run kept[CR_CHUNK_RUNS_MAX];
};

static void worker_destroy(struct worker *worker)
{
	if (!worker)
		return;
	cr_packer_destroy(&worker->packer);
	cr_kmod_close(worker->kmod);
	free(worker->buffer);
	free(worker->header);
	free(worker);
}

/* The module neither compresses nor writes to streams. */
static enum cr_engine engine_of(const struct cr_image_writer *writer)
{
	return writer->file.is_regular &&
			       writer->options.compression == CR_COMPRESS_NONE ?
		       writer->options.engine :
		       CR_ENGINE_USER;
}

static struct worker *worker_create(struct cr_image_writer *writer,
				    struct cr_error *err)
{
	struct worker *worker = calloc(1, sizeof(*worker));

	if (!worker) {
		cr_error_set(err, -ENOMEM, "no memory for a worker");
		return NULL;
	}
	worker->writer = writer;
	if (cr_kmod_open(engine_of(writer), &worker->kmod, err) < 0) {
		free(worker);
		return NULL;
	}
	worker->header = malloc(CR_CHUNK_HEADER_MAX);
	worker->buffer = aligned_alloc(CR_WIRE_PAGE, CR_WRITER_JOB_BYTES);
	if (worker->header && worker->buffer &&
	    !cr_packer_init(&worker->packer, writer->options.compression))
		return worker;
	worker_destroy(worker);
	cr_error_set(err, -ENOMEM, "no memory for a worker");
	return NULL;
}

static void fail(struct cr_writer_queue *queue, const struct cr_error *err)
{
	pthread_mutex_lock(&queue->lock);
	if (!queue->error.code)
		queue->error = *err;
	pthread_mutex_unlock(&queue->lock);
}

/* A job's source is no longer needed, or (@is_done) nothing of it is. */
static void count_down(struct cr_writer_queue *queue, bool is_done,
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

static int read_source(const struct worker *worker,
		       const struct cr_writer_job *job, struct cr_error *err)
{
	const struct cr_memory_source *source = job->source;
	uint8_t *to = worker->buffer;

	for (size_t i = 0; i < job->nr_runs; i++) {
		const struct cr_wire_run *run = &job->runs[i];
		int rc = source->read(source, run->address, to, run->length);

		if (rc)
			return cr_error_set(
				err, rc,
				"read %llu bytes at %#llx of space %u (pid "
				"%d): %s",
				(unsigned long long)run->length,
				(unsigned long long)run->address, job->space,
				source->pid, strerror(-rc));
		to += run->length;
	}
	return 0;
}

/* Pack and write what was read; *@zero_bytes were left out. */
static int store(struct worker *worker, const struct cr_writer_job *job,
		 uint64_t *zero_bytes, struct cr_error *err)
{
	struct cr_writer_packed packed = {
		.space = job->space,
		.runs = job->runs,
		.nr_runs = job->nr_runs,
		.raw_length = job->length,
		.header = worker->header,
	};

	if (job->source->skip_zero) {
		packed.raw_length =
			cr_chunk_drop_zeros(worker->buffer, job->keep,
					    job->runs, job->nr_runs,
					    worker->kept, &packed.nr_runs);
		packed.runs = worker->kept;
	}
	*zero_bytes = job->length - packed.raw_length;
	if (packed.nr_runs == 0)
		return 0;
	packed.compression = cr_packer_pack(&worker->packer, worker->buffer,
					    packed.raw_length, &packed.data,
					    &packed.stored_length);
	packed.data_crc = cr_crc32c(0, packed.data, packed.stored_length);
	return cr_writer_append_chunk(worker->writer, &packed, err);
}

/* The one process whose pages they are; 0: there is not one. */
static int owner_of(const struct cr_writer_job *job)
{
	const struct cr_memory_source *source = job->source;
	int owner = 0;

	for (size_t i = 0; source->owner && i < job->nr_runs; i++) {
		uint64_t length = job->runs[i].length;
		int pid = source->owner(source, job->runs[i].address, &length);

		if (!pid || (owner && pid != owner) ||
		    length < job->runs[i].length)
			return 0;
		owner = pid;
	}
	return owner;
}

/* Leave it to the module.  Returns 1 if that is done, 0 if it has to be read
 * here. */
static int move(struct worker *worker, const struct cr_writer_job *job,
		uint64_t *zero_bytes, struct cr_error *err)
{
	struct cr_kmod_taken taken = { .runs = worker->kept };
	int owner = worker->kmod ? owner_of(job) : 0, rc;
	struct cr_writer_packed packed = {
		.space = job->space,
		.runs = worker->kept,
		.kmod = worker->kmod,
		.header = worker->header,
	};

	if (!owner)
		return 0;
	rc = cr_kmod_take(worker->kmod, owner,
			  job->source->skip_zero ? job->keep : NULL, job->runs,
			  job->nr_runs, &taken);
	if (rc < 0 && worker->writer->options.engine == CR_ENGINE_AUTO)
		return 0;
	if (rc < 0)
		return cr_error_set(err, rc,
				    "the kernel engine: pages of space %u (pid "
				    "%d): %s",
				    job->space, owner, strerror(-rc));
	*zero_bytes = job->length - taken.length;
	packed.nr_runs = taken.nr_runs;
	packed.raw_length = packed.stored_length = taken.length;
	packed.data_crc = taken.crc;
	rc = taken.nr_runs ?
		     cr_writer_append_chunk(worker->writer, &packed, err) :
		     0;
	return rc < 0 ? rc : 1;
}

static void run_job(struct worker *worker, struct cr_writer_job *job)
{
	struct cr_writer_queue *queue = &worker->writer->queue;
	struct cr_error err = { 0 };
	uint64_t zero_bytes = 0;
	int rc = move(worker, job, &zero_bytes, &err), is_stored = rc != 0;

	rc = rc < 0 ? rc : 0;
	if (!is_stored)
		rc = read_source(worker, job, &err);
	count_down(queue, false, 0, 0);
	if (!rc && !is_stored)
		rc = store(worker, job, &zero_bytes, &err);
	if (rc)
		fail(queue, &err);
	count_down(queue, true, job->length, zero_bytes);
	free(job);
}

static void drop_jobs(struct cr_writer_queue *queue)
{
	while (queue->first) {
		struct cr_writer_job *job = queue->first;

		queue->first = job->next;
		queue->nr_unread--;
		queue->nr_undone--;
		free(job);
	}
	queue->last = &queue->first;
	queue->nr_waiting = 0;
	pthread_cond_broadcast(&queue->has_moved);
}

/* The next job, NULL when the queue is closing. */
static struct cr_writer_job *take_job(struct cr_writer_queue *queue)
{
	struct cr_writer_job *job;

	pthread_mutex_lock(&queue->lock);
	for (;;) {
		if (queue->error.code || queue->is_closing)
			drop_jobs(queue);
		job = queue->first;
		if (job || queue->is_closing)
			break;
		pthread_cond_wait(&queue->has_jobs, &queue->lock);
	}
	if (job) {
		queue->first = job->next;
		if (!queue->first)
			queue->last = &queue->first;
		queue->nr_waiting--;
		pthread_cond_broadcast(&queue->has_moved);
	}
	pthread_mutex_unlock(&queue->lock);
	return job;
}

static void *worker_main(void *arg)
{
	struct worker *worker = arg;
	struct cr_writer_job *job;

	while ((job = take_job(&worker->writer->queue)))
		run_job(worker, job);
	worker_destroy(worker);
	return NULL;
}

/* Signals are for the caller's thread; and SIGPIPE or SIGXFSZ of a worker
 * must not end the process: the error comes back from write(2). */
static int start_thread(struct worker *worker, pthread_t *thread)
{
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(thread, NULL, worker_main, worker);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -rc;
}

int cr_writer_start(struct cr_image_writer *writer, struct cr_error *err)
{
	struct cr_writer_queue *queue = &writer->queue;
	struct cr_error local = { 0 };
	struct worker *worker;
	int rc;

	while (queue->nr_threads < writer->options.nr_workers) {
		worker = worker_create(writer, &local);
		if (!worker)
			return cr_error_set(err, local.code, "%s", local.text);
		rc = start_thread(worker, &queue->threads[queue->nr_threads]);
		if (rc) {
			worker_destroy(worker);
			/* Fewer do as well. */
			if (queue->nr_threads)
				break;
			return cr_error_set(err, rc, "start a worker: %s",
					    strerror(-rc));
		}
		queue->nr_threads++;
	}
	return 0;
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
		queue->nr_unread++;
		queue->nr_undone++;
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
