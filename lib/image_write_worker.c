// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * image_write_worker.c - threads that read memory, pack it and write chunks
 *
 * A job is what becomes one chunk.  Each worker owns two buffers, so the
 * memory in use does not depend on what is saved.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "crc.h"
#include "image_chunk.h"
#include "image_writer.h"

struct worker {
	struct cr_image_writer *writer;
	struct cr_kmod *kmod; /* NULL: all is read by us */
	struct cr_packer packer;
	uint8_t *buffer; /* CR_WRITER_JOB_BYTES, page aligned */
	void *header; /* CR_CHUNK_HEADER_MAX */
	struct cr_wire_run kept[CR_CHUNK_RUNS_MAX];
	struct cr_kmod_chunk chunks[CR_KMOD_CHUNKS_MAX];
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

static void run_job(struct worker *worker, struct cr_writer_job *job)
{
	struct cr_writer_queue *queue = &worker->writer->queue;
	struct cr_error err = { 0 };
	uint64_t zero_bytes = 0;
	int rc = read_source(worker, job, &err);

	cr_writer_count_down(queue, false, 0, 0);
	if (!rc)
		rc = store(worker, job, &zero_bytes, &err);
	if (rc)
		cr_writer_fail(queue, &err);
	cr_writer_count_down(queue, true, job->length, zero_bytes);
	free(job);
}

/* Nothing more is to be done for @job; returns the next. */
static struct cr_writer_job *
finish(struct worker *worker, struct cr_writer_job *job, uint64_t kept_bytes)
{
	struct cr_writer_queue *queue = &worker->writer->queue;
	struct cr_writer_job *next = job->next;

	cr_writer_count_down(queue, false, 0, 0);
	cr_writer_count_down(queue, true, job->length,
			     job->length - kept_bytes);
	free(job);
	return next;
}

static size_t list_chunks(struct worker *worker,
			  const struct cr_writer_job *job)
{
	size_t nr = 0;

	for (; job; job = job->next)
		worker->chunks[nr++] = (struct cr_kmod_chunk){
			.pid = job->owner,
			.space = job->space,
			.runs = job->runs,
			.nr_runs = job->nr_runs,
			.keep = job->source->skip_zero ? job->keep : NULL,
		};
	return nr;
}

/*
 * Leave @jobs to the module, as far as it gets.  Returns what is left; after an
 * error that is to be failed, else its first may be to be read here.
 */
static struct cr_writer_job *
move(struct worker *worker, struct cr_writer_job *jobs, struct cr_error *err)
{
	const struct cr_kmod_chunk *chunks = worker->chunks;
	size_t nr = list_chunks(worker, jobs), nr_done;
	int code, rc;

	rc = cr_writer_append_by_kernel(worker->writer, worker->kmod,
					worker->chunks, nr, &nr_done, &code,
					err);
	for (size_t i = 0; i < nr_done; i++)
		jobs = finish(worker, jobs, chunks[i].length);
	if (rc < 0 || code == 0)
		return jobs;
	if (worker->writer->options.engine == CR_ENGINE_AUTO)
		jobs->owner = 0;
	else
		cr_error_set(err, code,
			     "the kernel engine: pages of space %u (pid %d): "
			     "%s",
			     jobs->space, jobs->owner, strerror(-code));
	return jobs;
}

static void run_jobs(struct worker *worker, struct cr_writer_job *jobs)
{
	struct cr_error err = { 0 };

	while (jobs && !err.code) {
		struct cr_writer_job *next = jobs->next;

		if (worker->kmod && jobs->owner) {
			jobs = move(worker, jobs, &err);
		} else {
			run_job(worker, jobs);
			jobs = next;
		}
	}
	if (err.code)
		cr_writer_fail(&worker->writer->queue, &err);
	while (jobs)
		jobs = finish(worker, jobs, jobs->length);
}

static void *worker_main(void *arg)
{
	struct worker *worker = arg;
	const size_t max = worker->kmod ? CR_KMOD_CHUNKS_MAX : 1;
	struct cr_writer_job *jobs;

	while ((jobs = cr_writer_take_jobs(worker->writer, max)))
		run_jobs(worker, jobs);
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
		cr_writer_hold(queue, worker->kmod != NULL);
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
