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
	cr_writer_count_down(queue, false, 0, 0);
	if (!rc && !is_stored)
		rc = store(worker, job, &zero_bytes, &err);
	if (rc)
		cr_writer_fail(queue, &err);
	cr_writer_count_down(queue, true, job->length, zero_bytes);
	free(job);
}

static void *worker_main(void *arg)
{
	struct worker *worker = arg;
	struct cr_writer_job *job;

	while ((job = cr_writer_take_job(&worker->writer->queue)))
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
