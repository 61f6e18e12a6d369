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
#define CR_WRITER_QUEUE_MAX 256 /* jobs waiting */
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
	int owner; /* the one process whose pages they are; 0: there is not one
		    */
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
	uint64_t offset; /* where the next record goes, unless it is lent */
	unsigned int nr_lent; /* calls of the module, which moves it itself */
	pthread_cond_t is_back; /* nr_lent is 0 again */
	uint64_t nr_records;
	struct cr_writer_chunk *chunks;
	size_t nr_chunks, max_chunks;
	uint64_t stored_bytes;
	uint64_t kernel_bytes; /* of these: by the module */
};

/*
 * The module takes many jobs by one call, and a small tree by one of each
 * worker: it is not called for less than this while more is to come.
 */
#define CR_WRITER_HOLD_BYTES (2ull * CR_WRITER_JOB_BYTES)

struct cr_writer_queue {
	pthread_mutex_t lock;
	pthread_cond_t has_jobs; /* or is_closing */
	pthread_cond_t has_moved; /* a job was taken, read or done */
	struct cr_writer_job *first, **last;
	size_t nr_waiting; /* jobs in the list */
	uint64_t waiting_bytes;
	bool is_held; /* jobs with an owner wait for others */
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
	size_t stored_length;
	uint32_t data_crc;
	void *header; /* CR_CHUNK_HEADER_MAX bytes to build the header in */
};

/* Append a chunk and note it for the index.  Any thread. */
int cr_writer_append_chunk(struct cr_image_writer *writer,
			   const struct cr_writer_packed *packed,
			   struct cr_error *err);

/*
 * Have the module append @chunks as far as one call of it goes: *@nr_done; and
 * note them for the index.  *@code: cr_kmod_checkpoint().  Any thread.
 */
int cr_writer_append_by_kernel(struct cr_image_writer *writer,
			       struct cr_kmod *kmod,
			       struct cr_kmod_chunk *chunks, size_t nr,
			       size_t *nr_done, int *code,
			       struct cr_error *err);

/* ---- image_write_index.c ---- */

/* Put a chunk on the list, with the lock of @file; 0 or -ENOMEM. */
int cr_writer_note_chunk(struct cr_writer_file *file,
			 const struct cr_wire_index_entry *entry,
			 const struct cr_wire_run *runs, size_t nr_runs,
			 uint64_t stored_length);

/* Append index and tail. */
int cr_writer_append_end(struct cr_image_writer *writer, struct cr_error *err);

/* ---- image_write_worker.c ---- */

int cr_writer_start(struct cr_image_writer *writer, struct cr_error *err);

/* ---- image_write_queue.c ---- */

/* Are jobs with an owner to wait for others, CR_WRITER_HOLD_BYTES in all?  Not
 * while cr_writer_wait() waits. */
void cr_writer_hold(struct cr_writer_queue *queue, bool is_held);

/* Give @job to the workers, who free it; waits while the queue is full. */
int cr_writer_queue_job(struct cr_image_writer *writer,
			struct cr_writer_job *job, struct cr_error *err);

/* Wait until all sources have been read, or all jobs are done too. */
int cr_writer_wait(struct cr_image_writer *writer, bool until_done,
		   struct cr_error *err);

/* Drop waiting jobs and end the threads. */
void cr_writer_stop(struct cr_image_writer *writer);

/*
 * For the workers: the next job, NULL when the queue is closing.  Where it has
 * an owner, those behind it that have one too come with it, at most @max and
 * this worker's share of what is waiting.
 */
struct cr_writer_job *cr_writer_take_jobs(struct cr_image_writer *writer,
					  size_t max);

/* A job's source is no longer needed, or (@is_done) nothing of it is. */
void cr_writer_count_down(struct cr_writer_queue *queue, bool is_done,
			  uint64_t bytes, uint64_t zero_bytes);

/* The first of these is what the caller gets. */
void cr_writer_fail(struct cr_writer_queue *queue, const struct cr_error *err);

#endif /* IMAGE_WRITER_H */
