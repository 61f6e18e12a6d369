// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * image_write.c - write a checkpoint image: create, put, commit, abort
 *
 * The calls of cr_image_write.h.  Bytes go out in image_write_file.c, memory
 * is cut in image_write_cut.c and worked on in image_write_worker.c; here are
 * names and durability.
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
	pthread_cond_destroy(&writer->file.is_back);
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
	pthread_cond_init(&writer->file.is_back, NULL);
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
