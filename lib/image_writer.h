/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image_writer.h - the inside of struct cr_image_writer
 *
 * Private to image_write*.c.  Two locks, never held together: that of the
 * file orders records (and, on a stream, their bytes), that of the queue
 * guards jobs, counters and the first error.
 */
#ifndef IMAGE_WRITER_H
#define IMAGE_WRITER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "cr_error.h"
#include "cr_image_write.h"
#include "image_wire.h"
#include "kmod.h"

#define CR_WRITER_WORKERS_MAX 8
#define CR_WRITER_QUEUE_MAX 64 /* jobs waiting */
/*
 * Memory of one job.  What is read must still be in the CPU's cache when it
 * is looked through and written, and 8 workers' buffers must stay small; but a
 * huge page must fit.
 */
#define CR_WRITER_JOB_BYTES (2u << 20)

struct cr_writer_chunk {
	struct cr_wire_index_entry entry;
	uint64_t start, end; /* addresses of its first and last run */
};

#define CR_WRITER_JOB_PAGES (CR_WRITER_JOB_BYTES / CR_WIRE_PAGE)

struct cr_writer_job {
	struct cr_writer_job *next;
	const struct cr_memory_source *source;
	uint32_t space;
	uint64_t length; /* sum of the runs */
	/* bit i: page i of the job is kept even if it is zero */
	uint64_t keep[CR_WRITER_JOB_PAGES / 64];
	size_t nr_runs;
	struct cr_wire_run runs[];
};

struct cr_writer_file {
	pthread_mutex_t lock;
	int fd;
	bool is_regular; /* positioned writes in parallel */
	struct cr_error error; /* why a part of it could not be written */
	uint64_t offset; /* where the next record goes */
	uint64_t nr_records;
	struct cr_writer_chunk *chunks;
	size_t nr_chunks, max_chunks;
	uint64_t stored_bytes;
	uint64_t kernel_bytes; /* of these: put by the module */
};

struct cr_writer_queue {
	pthread_mutex_t lock;
	pthread_cond_t has_jobs; /* or is_closing */
	pthread_cond_t has_moved; /* a job was taken, read or done */
	struct cr_writer_job *first, **last;
	size_t nr_waiting; /* jobs in the list */
	size_t nr_unread; /* jobs whose source is still needed */
	size_t nr_undone;
	bool is_closing;
	struct cr_error error; /* the first of any worker */
	uint64_t bytes_done, zero_bytes;
	pthread_t threads[CR_WRITER_WORKERS_MAX];
	unsigned int nr_threads;
};

struct cr_image_writer {
	struct cr_image_write_options options;
	struct cr_writer_file file;
	struct cr_writer_queue queue;
	uint64_t memory_bytes;
	uint64_t next_progress_ns;
	int dirfd; /* of the name's directory; -1: a descriptor of the caller */
	char *name; /* within it */
	char *partial;
};

/* ---- image_write_file.c ---- */

/* Append a record as cr_image_writer_put() does; *@offset is where it went. */
int cr_writer_append(struct cr_image_writer *writer, int type, uint32_t vpid,
		     const struct iovec *iov, int nr_iov, uint64_t *offset,
		     struct cr_error *err);

/* What a worker has made of a job. */
struct cr_writer_packed {
	uint32_t space;
	uint32_t compression;
	const struct cr_wire_run *runs;
	size_t nr_runs;
	uint64_t raw_length;
	const void *data;
	struct cr_kmod *kmod; /* holds the data instead; or NULL */
	size_t stored_length;
	uint32_t data_crc;
	void *header; /* CR_CHUNK_HEADER_MAX bytes to build the header in */
};

/* Append a chunk and note it for the index.  Any thread. */
int cr_writer_append_chunk(struct cr_image_writer *writer,
			   const struct cr_writer_packed *packed,
			   struct cr_error *err);

/* Append index and tail. */
int cr_writer_append_end(struct cr_image_writer *writer, struct cr_error *err);

/* ---- image_write_worker.c ---- */

int cr_writer_start(struct cr_image_writer *writer, struct cr_error *err);

/* ---- image_write_queue.c ---- */

/* Give @job to the workers, who free it; waits while the queue is full. */
int cr_writer_queue_job(struct cr_image_writer *writer,
			struct cr_writer_job *job, struct cr_error *err);

/* Wait until all sources have been read, or all jobs are done too. */
int cr_writer_wait(struct cr_image_writer *writer, bool until_done,
		   struct cr_error *err);

/* Drop waiting jobs and end the threads. */
void cr_writer_stop(struct cr_image_writer *writer);

/* For the workers: the next job, NULL when the queue is closing. */
struct cr_writer_job *cr_writer_take_job(struct cr_writer_queue *queue);

/* A job's source is no longer needed, or (@is_done) nothing of it is. */
void cr_writer_count_down(struct cr_writer_queue *queue, bool is_done,
			  uint64_t bytes, uint64_t zero_bytes);

/* The first of these is what the caller gets. */
void cr_writer_fail(struct cr_writer_queue *queue, const struct cr_error *err);

#endif /* IMAGE_WRITER_H */
