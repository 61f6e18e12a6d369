// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * image_write.c - write a checkpoint image: create, put, commit, abort
 *
 * The calls of cr_image_write.h.  Bytes go out in image_write_file.c, memory
 * is worked on in image_write_worker.c; here are names and durability.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cr_fault.h"
#include "cr_image_write.h"
#include "huge_page.h"
#include "image_chunk.h"
#include "image_writer.h"

static unsigned int choose_workers(unsigned int wanted)
{
	cpu_set_t cpus;
	unsigned int nr = wanted;

	if (!nr)
		nr = sched_getaffinity(0, sizeof(cpus), &cpus) ?
			     1 :
			     (unsigned int)CPU_COUNT(&cpus);
	return nr < CR_WRITER_WORKERS_MAX ? nr : CR_WRITER_WORKERS_MAX;
}

static void destroy(struct cr_image_writer *writer)
{
	if (writer->dirfd >= 0) {
		if (writer->file.fd >= 0)
			close(writer->file.fd);
		close(writer->dirfd);
	}
	pthread_mutex_destroy(&writer->file.lock);
	pthread_mutex_destroy(&writer->queue.lock);
	pthread_cond_destroy(&writer->queue.has_jobs);
	pthread_cond_destroy(&writer->queue.has_moved);
	free(writer->file.chunks);
	free(writer->name);
	free(writer->partial);
	free(writer);
}

static struct cr_image_writer *
new_writer(const struct cr_image_write_options *options, struct cr_error *err)
{
	struct cr_image_writer *writer;

	if (options->compression < CR_COMPRESS_NONE ||
	    options->compression > CR_COMPRESS_ZSTD) {
		cr_error_set(err, -EINVAL, "unknown compression %d",
			     options->compression);
		return NULL;
	}
	if (options->engine == CR_ENGINE_KERNEL &&
	    options->compression != CR_COMPRESS_NONE) {
		cr_error_set(err, -EOPNOTSUPP,
			     "the kernel engine does not compress");
		return NULL;
	}
	writer = calloc(1, sizeof(*writer));
	if (!writer) {
		cr_error_set(err, -ENOMEM, "no memory for an image writer");
		return NULL;
	}
	writer->options = *options;
	writer->options.nr_workers = choose_workers(options->nr_workers);
	writer->file.fd = -1;
	writer->dirfd = -1;
	writer->queue.last = &writer->queue.first;
	pthread_mutex_init(&writer->file.lock, NULL);
	pthread_mutex_init(&writer->queue.lock, NULL);
	pthread_cond_init(&writer->queue.has_jobs, NULL);
	pthread_cond_init(&writer->queue.has_moved, NULL);
	return writer;
}

/* Split @name: the directory is opened, the last part and the temporary name
 * beside it are kept. */
static int set_names(struct cr_image_writer *writer, int dirfd,
		     const char *name, struct cr_error *err)
{
	const char *slash = strrchr(name, '/');
	const char *last = slash ? slash + 1 : name;
	char directory[PATH_MAX] = ".";

	if (!*last || last - name >= PATH_MAX)
		return cr_error_set(err, -EINVAL, "%s is no name for an image",
				    name);
	if (slash) {
		memcpy(directory, name, (size_t)(last - name));
		directory[last - name] = '\0';
	}
	writer->dirfd =
		openat(dirfd, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (writer->dirfd < 0)
		return cr_error_errno(err, "open the directory of %s", name);
	writer->name = strdup(last);
	if (!writer->name ||
	    asprintf(&writer->partial, ".%s.partial", last) < 0)
		return cr_error_set(err, -ENOMEM, "no memory for a name");
	return 0;
}

static int open_partial(struct cr_image_writer *writer, struct cr_error *err)
{
	const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(writer->dirfd, writer->partial, flags, 0600);

	if (fd < 0 && errno == EEXIST) {
		if (unlinkat(writer->dirfd, writer->partial, 0))
			return cr_error_set(err, -EEXIST,
					    "%s is in the way and cannot be "
					    "removed: %s",
					    writer->partial, strerror(errno));
		fd = openat(writer->dirfd, writer->partial, flags, 0600);
	}
	if (fd < 0)
		return cr_error_errno(err, "create %s", writer->partial);
	writer->file.fd = fd;
	writer->file.is_regular = true;
	return 0;
}

int cr_image_writer_create(int dirfd, const char *name,
			   const struct cr_image_write_options *options,
			   struct cr_image_writer **writerp,
			   struct cr_error *err)
{
	struct cr_error local = { 0 };
	struct cr_image_writer *writer = new_writer(options, &local);
	int rc = local.code;

	if (writer)
		rc = set_names(writer, dirfd, name, &local);
	if (!rc)
		rc = open_partial(writer, &local);
	if (rc) {
		if (writer)
			destroy(writer);
		return cr_error_set(err, rc, "%s", local.text);
	}
	*writerp = writer;
	return 0;
}

int cr_image_writer_create_fd(int fd,
			      const struct cr_image_write_options *options,
			      struct cr_image_writer **writerp,
			      struct cr_error *err)
{
	struct cr_error local = { 0 };
	struct cr_image_writer *writer;
	struct stat stat;
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fstat(fd, &stat))
		return cr_error_errno(err, "look at the image's descriptor");
	writer = new_writer(options, &local);
	if (!writer)
		return cr_error_set(err, local.code, "%s", local.text);
	writer->file.fd = fd;
	/* Whoever writes behind something else wants one stream. */
	writer->file.is_regular = S_ISREG(stat.st_mode) &&
				  !(flags & O_APPEND) &&
				  lseek(fd, 0, SEEK_CUR) == 0;
	if (options->engine == CR_ENGINE_KERNEL && !writer->file.is_regular) {
		destroy(writer);
		return cr_error_set(err, -EOPNOTSUPP,
				    "the kernel engine writes to files only");
	}
	*writerp = writer;
	return 0;
}

/* Errors of workers, which are only reported here and in the next calls. */
static int check_workers(struct cr_image_writer *writer, struct cr_error *err)
{
	struct cr_error first;

	pthread_mutex_lock(&writer->queue.lock);
	first = writer->queue.error;
	pthread_mutex_unlock(&writer->queue.lock);
	return first.code ? cr_error_set(err, first.code, "%s", first.text) : 0;
}

int cr_image_writer_put(struct cr_image_writer *writer, int type, uint32_t vpid,
			const struct iovec *iov, int nr_iov,
			struct cr_error *err)
{
	uint64_t offset;
	int rc = check_workers(writer, err);

	if (rc)
		return rc;
	return cr_writer_append(writer, type, vpid, iov, nr_iov, &offset, err);
}

/* Where cutting has got to in a list of runs. */
struct cutter {
	const struct cr_wire_run *runs;
	size_t nr_runs;
	uint64_t used; /* bytes of the first run */
};

/*
 * As much of @run as fits @room.  The rest begins where a huge page may:
 * whoever reads it can then fill whole ones (image_read_fill.c).
 */
static uint64_t cut_run(const struct cr_wire_run *run, uint64_t room)
{
	uint64_t end = run->address + room;

	if (run->length <= room)
		return run->length;
	end &= ~(CR_HUGE_PAGE - 1);
	return end > run->address ? end - run->address : room;
}

/* Move the next runs to @to, as many as one job takes; returns their length. */
static uint64_t cut(struct cutter *cutter, struct cr_wire_run *to,
		    size_t *nr_to)
{
	uint64_t sum = 0;
	bool is_cut = false;

	*nr_to = 0;
	while (cutter->nr_runs && sum < CR_WRITER_JOB_BYTES && !is_cut) {
		struct cr_wire_run run = *cutter->runs;
		uint64_t length;

		run.address += cutter->used;
		run.length -= cutter->used;
		length = cut_run(&run, CR_WRITER_JOB_BYTES - sum);
		is_cut = length < run.length;
		if (is_cut) {
			run.length = length;
			cutter->used += length;
		} else {
			cutter->used = 0;
			cutter->runs++;
			cutter->nr_runs--;
		}
		sum += run.length;
		to[(*nr_to)++] = run;
	}
	return sum;
}

static int check_runs(const struct cr_wire_run *runs, size_t nr_runs,
		      uint64_t *sum, struct cr_error *err)
{
	uint64_t end = 0;

	*sum = 0;
	for (size_t i = 0; i < nr_runs; i++) {
		if (runs[i].address % CR_WIRE_PAGE || runs[i].address < end ||
		    runs[i].length % CR_WIRE_PAGE || !runs[i].length ||
		    runs[i].address > (uint64_t)INT64_MAX - runs[i].length)
			return cr_error_set(err, -EINVAL,
					    "wrong run of pages at %#llx",
					    (unsigned long long)runs[i]
						    .address);
		end = runs[i].address + runs[i].length;
		*sum += runs[i].length;
	}
	return 0;
}

/* Index of the first run of @source's keep that ends behind @address. */
static size_t first_kept(const struct cr_memory_source *source,
			 uint64_t address)
{
	size_t low = 0, high = source->nr_keep;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct cr_wire_run *run = &source->keep[middle];

		if (run->address + run->length > address)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* Mark what @source keeps of @run, whose first page is bit @bit of @keep. */
static void mark_kept(const struct cr_memory_source *source,
		      const struct cr_wire_run *run, uint64_t bit,
		      uint64_t *keep)
{
	const uint64_t end = run->address + run->length;

	for (size_t i = first_kept(source, run->address);
	     i < source->nr_keep && source->keep[i].address < end; i++) {
		uint64_t from = source->keep[i].address;
		uint64_t to = from + source->keep[i].length;

		from = from > run->address ? from : run->address;
		to = to < end ? to : end;
		for (; from < to; from += CR_WIRE_PAGE) {
			uint64_t at =
				bit + (from - run->address) / CR_WIRE_PAGE;

			keep[at / 64] |= 1ull << at % 64;
		}
	}
}

static int queue_next(struct cr_image_writer *writer, uint32_t space,
		      const struct cr_memory_source *source,
		      struct cutter *cutter, struct cr_error *err)
{
	struct cr_wire_run runs[CR_WRITER_JOB_BYTES / CR_WIRE_PAGE];
	struct cr_writer_job *job;
	size_t nr_runs;
	uint64_t length = cut(cutter, runs, &nr_runs), bit = 0;

	job = malloc(sizeof(*job) + nr_runs * sizeof(*runs));
	if (!job)
		return cr_error_set(err, -ENOMEM, "no memory for a job");
	job->next = NULL;
	job->source = source;
	job->space = space;
	job->length = length;
	job->nr_runs = nr_runs;
	memcpy(job->runs, runs, nr_runs * sizeof(*runs));
	memset(job->keep, 0, sizeof(job->keep));
	for (size_t i = 0; i < nr_runs; i++) {
		mark_kept(source, &runs[i], bit, job->keep);
		bit += runs[i].length / CR_WIRE_PAGE;
	}
	return cr_writer_queue_job(writer, job, err);
}

int cr_image_writer_memory(struct cr_image_writer *writer, uint32_t space,
			   const struct cr_memory_source *source,
			   const struct cr_wire_run *runs, size_t nr_runs,
			   struct cr_error *err)
{
	struct cutter cutter = { .runs = runs, .nr_runs = nr_runs };
	uint64_t sum;
	int rc = check_runs(runs, nr_runs, &sum, err);

	if (!rc && nr_runs)
		rc = cr_writer_start(writer, err);
	if (rc)
		return rc;
	writer->memory_bytes += sum;
	while (!rc && cutter.nr_runs)
		rc = queue_next(writer, space, source, &cutter, err);
	return rc;
}

int cr_image_writer_drain(struct cr_image_writer *writer, struct cr_error *err)
{
	return cr_writer_wait(writer, false, err);
}

/* A second writer of the same name has taken ours away: its file is not to
 * get the name. */
static int check_partial(const struct cr_image_writer *writer,
			 struct cr_error *err)
{
	struct stat ours, there;

	if (fstat(writer->file.fd, &ours) ||
	    fstatat(writer->dirfd, writer->partial, &there,
		    AT_SYMLINK_NOFOLLOW))
		return cr_error_errno(err, "find %s again", writer->partial);
	if (ours.st_dev != there.st_dev || ours.st_ino != there.st_ino)
		return cr_error_set(err, -EBUSY, "%s is somebody else's now",
				    writer->partial);
	return 0;
}

static int make_durable(struct cr_image_writer *writer, struct cr_error *err)
{
	int rc;

	if (!writer->file.is_regular)
		return 0;
	/* A caller's descriptor may have held something longer. */
	if (ftruncate(writer->file.fd, (off_t)writer->file.offset))
		return cr_error_errno(err, "set the image's length");
	if (cr_fault(CR_FAULT_IMAGE_SYNC) || fsync(writer->file.fd))
		return cr_error_errno(err, "sync the image");
	if (writer->dirfd < 0)
		return 0;
	rc = check_partial(writer, err);
	if (rc)
		return rc;
	if (cr_fault(CR_FAULT_IMAGE_RENAME) ||
	    renameat(writer->dirfd, writer->partial, writer->dirfd,
		     writer->name))
		return cr_error_errno(err, "rename %s to %s", writer->partial,
				      writer->name);
	if (cr_fault(CR_FAULT_IMAGE_FOLDER) || fsync(writer->dirfd))
		return cr_error_errno(err, "sync the directory of %s",
				      writer->name);
	return 0;
}

static void get_stats(const struct cr_image_writer *writer,
		      struct cr_image_write_stats *stats)
{
	stats->nr_records = writer->file.nr_records;
	stats->memory_bytes = writer->memory_bytes;
	stats->zero_bytes = writer->queue.zero_bytes;
	stats->stored_bytes = writer->file.stored_bytes;
	stats->kernel_bytes = writer->file.kernel_bytes;
	stats->file_bytes = writer->file.offset;
}

int cr_image_writer_commit(struct cr_image_writer *writer,
			   struct cr_image_write_stats *stats,
			   struct cr_error *err)
{
	int rc = cr_writer_wait(writer, true, err);

	cr_writer_stop(writer);
	if (!rc)
		rc = cr_writer_append_end(writer, err);
	if (!rc)
		rc = make_durable(writer, err);
	if (rc) {
		cr_image_writer_abort(writer);
		return rc;
	}
	if (stats)
		get_stats(writer, stats);
	destroy(writer);
	return 0;
}

void cr_image_writer_abort(struct cr_image_writer *writer)
{
	int saved_errno = errno;

	if (!writer)
		return;
	cr_writer_stop(writer);
	if (writer->partial && writer->file.fd >= 0 &&
	    !check_partial(writer, NULL))
		unlinkat(writer->dirfd, writer->partial, 0);
	destroy(writer);
	errno = saved_errno;
}
