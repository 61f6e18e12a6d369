/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_inotify.c - inotify(7): watches with their numbers
 *
 * fdinfo tells each watched file as a handle; where that leads to a name, the
 * watch is saved by name.  Events that nobody has read cannot be looked at
 * and are refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"

#define HANDLE_MAX 128 /* bytes, MAX_HANDLE_SZ */
#define WATCH_MAX 100000 /* numbers tried until the saved one comes */
#define WATCH_FLAGS (IN_ALL_EVENTS | IN_ONESHOT | IN_EXCL_UNLINK)

struct wire_watch {
	uint32_t number;
	uint32_t mask;
	uint32_t path_length; /* bytes; the path follows, padded to 8 */
	uint32_t reserved;
};

struct watch {
	struct wire_watch wire;
	unsigned long long inode;
	unsigned int device; /* as the kernel counts inside */
	char path[4096];
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + HANDLE_MAX];
	};
};

struct buffer {
	uint8_t *bytes;
	size_t length;
};

static size_t pad(size_t length)
{
	return (length + 7) & ~(size_t)7;
}

/* "inotify wd:1 ino:9e7e sdev:800013 mask:800afce ignored_mask:0
 * fhandle-bytes:8 fhandle-type:1 f_handle:7e9e0000640d1b6d" */
static int parse(const char *line, struct watch *watch)
{
	unsigned int i, length, type, byte;
	const char *hex = strstr(line, "f_handle:");

	if (sscanf(line,
		   "inotify wd:%x ino:%llx sdev:%x mask:%x ignored_mask:%*x "
		   "fhandle-bytes:%x fhandle-type:%x",
		   &watch->wire.number, &watch->inode, &watch->device,
		   &watch->wire.mask, &length, &type) != 6 ||
	    !hex || length > HANDLE_MAX)
		return -ENOTSUP;
	watch->wire.mask &= WATCH_FLAGS;
	watch->handle.handle_bytes = length;
	watch->handle.handle_type = (int)type;
	hex += strlen("f_handle:");
	for (i = 0; i < length; i++) {
		if (sscanf(hex + 2UL * i, "%2x", &byte) != 1)
			return -ENOTSUP;
		watch->handle.f_handle[i] = (unsigned char)byte;
	}
	return 0;
}

/* Does the mount at @mount have the handle's file?  Then its path. */
static int try_mount(const struct cr_file *file, const char *mount,
		     struct watch *watch)
{
	char name[4096 + 64];
	struct stat st;
	int root, fd;
	ssize_t n;

	snprintf(name, sizeof(name), "/proc/%d/root%s", file->pid, mount);
	root = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (root < 0)
		return 0;
	fd = open_by_handle_at(root, &watch->handle, O_PATH | O_CLOEXEC);
	close(root);
	if (fd < 0)
		return 0;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	n = readlink(name, watch->path, sizeof(watch->path) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	watch->path[n] = '\0';
	snprintf(name, sizeof(name), "/proc/%d/root%s", file->pid, watch->path);
	return stat(name, &st) == 0 && st.st_ino == watch->inode;
}

/* The handle's name, on any mount of its file system that the tree has. */
static int find_path(const struct cr_file *file, struct watch *watch)
{
	char name[64], line[8192], mount[4096];
	unsigned int device_major, device_minor;
	int found = 0;
	FILE *in;

	snprintf(name, sizeof(name), "/proc/%d/mountinfo", file->pid);
	in = fopen(name, "re");
	if (!in)
		return 0;
	while (!found && fgets(line, sizeof(line), in))
		if (sscanf(line, "%*d %*d %u:%u %*s %4095s", &device_major,
			   &device_minor, mount) == 3 &&
		    device_major == watch->device >> 20 &&
		    device_minor == (watch->device & 0xfffff))
			found = try_mount(file, mount, watch);
	fclose(in);
	return found;
}

static int append(struct buffer *buffer, struct watch *watch,
		  struct cr_error *err)
{
	size_t length = strlen(watch->path);
	size_t more = sizeof(watch->wire) + pad(length);
	uint8_t *bytes = realloc(buffer->bytes, buffer->length + more);

	if (!bytes)
		return cr_error_set(err, -ENOMEM, "out of memory");
	watch->wire.path_length = (uint32_t)length;
	memset(bytes + buffer->length, 0, more);
	memcpy(bytes + buffer->length, &watch->wire, sizeof(watch->wire));
	memcpy(bytes + buffer->length + sizeof(watch->wire), watch->path,
	       length);
	buffer->bytes = bytes;
	buffer->length += more;
	return 0;
}

static int add_watch(struct cr_file_table *table, struct cr_file *file,
		     const char *line, struct buffer *buffer,
		     struct cr_error *err)
{
	struct watch watch;

	memset(&watch, 0, sizeof(watch));
	if (parse(line, &watch) < 0 || !find_path(file, &watch))
		return cr_file_refuse(table, file,
				      "inotify with a watch (%u) of a file "
				      "whose name cannot be found",
				      watch.wire.number);
	return append(buffer, &watch, err);
}

static int save(struct cr_file_table *table, struct cr_file *file,
		struct cr_error *err)
{
	struct buffer buffer = { NULL, 0 };
	int unread = 0, rc = 0;
	char *text, *line;

	if (ioctl(file->fd, FIONREAD, &unread) == 0 && unread)
		return cr_file_refuse_for_now(
			table, file, "inotify with events not read yet");
	text = cr_file_fdinfo(0, file->fd, err);
	if (!text)
		return err ? err->code : -EIO;
	for (line = text; line && rc == 0; line = strchr(line, '\n')) {
		if (*line == '\n')
			line++;
		if (!strncmp(line, "inotify ", 8))
			rc = add_watch(table, file, line, &buffer, err);
	}
	if (rc == 0)
		rc = cr_file_set_data(file, buffer.bytes, buffer.length, err);
	free(buffer.bytes);
	free(text);
	return rc;
}

static int make(struct cr_file_restore *restore, uint32_t id,
		struct cr_error *err)
{
	int fd = inotify_init1(IN_CLOEXEC);

	if (fd < 0)
		return cr_error_errno(err, "inotify_init");
	return cr_file_park(restore, id, fd, err);
}

/* The watches of an image by their numbers; fdinfo has the newest first.
 * -EBADMSG if any is damaged. */
static int next_watch(const struct cr_saved_file *saved, uint32_t after,
		      struct wire_watch *next, const char **pathp)
{
	size_t left = saved->file->data_length;
	const uint8_t *at = saved->data;
	int found = 0;

	while (left) {
		struct wire_watch watch;
		size_t length;

		if (left < sizeof(watch))
			return -EBADMSG;
		memcpy(&watch, at, sizeof(watch));
		length = sizeof(watch) + pad(watch.path_length);
		if (length > left || watch.path_length >= 4096)
			return -EBADMSG;
		if (watch.number > after &&
		    (!found || watch.number < next->number)) {
			*next = watch;
			*pathp = (const char *)at + sizeof(watch);
			found = 1;
		}
		at += length;
		left -= length;
	}
	return found;
}

int cr_inotify_check(const struct cr_saved_file *file, struct cr_error *err)
{
	struct wire_watch watch;
	const char *path;

	if (next_watch(file, 0, &watch, &path) < 0)
		return cr_error_set(err, -EBADMSG, "inotify %u is damaged",
				    file->file->id);
	return 0;
}

/* The kernel counts upwards: use numbers up until @number is next. */
static int skip_numbers(int fd, uint32_t next, uint32_t number)
{
	char name[64];
	int dummy, rc = 0;

	if (next == number)
		return 0;
	if (number < next || number - next > WATCH_MAX)
		return -ERANGE;
	dummy = memfd_create("cr-watch", MFD_CLOEXEC);
	if (dummy < 0)
		return -errno;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", dummy);
	for (; next < number && rc >= 0; next++) {
		rc = inotify_add_watch(fd, name, IN_ATTRIB);
		if (rc >= 0)
			rc = inotify_rm_watch(fd, rc);
	}
	rc = rc < 0 ? -errno : 0;
	close(dummy);
	return rc;
}

static int watch_path(const struct cr_file_restore *restore, int fd,
		      const char *path, const struct wire_watch *watch)
{
	struct cr_file_rights rights;
	char name[4096];
	int rc;

	memcpy(name, path, watch->path_length);
	name[watch->path_length] = '\0';
	rc = cr_file_take_rights(restore, &rights);
	if (rc < 0)
		return rc;
	rc = inotify_add_watch(fd, name, watch->mask);
	rc = rc < 0 ? -errno : rc;
	cr_file_give_back_rights(&rights);
	return rc;
}

/* What removing the skipped watches has reported. */
static void drop_events(int fd)
{
	char events[4096];
	int length = 0;

	while (ioctl(fd, FIONREAD, &length) == 0 && length &&
	       read(fd, events, sizeof(events)) > 0)
		;
}

/* @last is the number that the kernel gave last. */
static int place_watch(const struct cr_file_restore *restore, int fd,
		       uint32_t last, const struct wire_watch *watch,
		       const char *path, struct cr_error *err)
{
	int rc = skip_numbers(fd, last + 1, watch->number);

	if (rc == 0)
		rc = watch_path(restore, fd, path, watch);
	if (rc >= 0 && (uint32_t)rc != watch->number)
		rc = -EEXIST;
	if (rc >= 0)
		return 0;
	return cr_error_set(err, rc == -ENOENT ? -ESTALE : rc,
			    "inotify watch %u of %.*s: %s", watch->number,
			    (int)watch->path_length, path, strerror(-rc));
}

/* Late: the files that are watched may be made by then. */
static int connect_watches(struct cr_file_restore *restore, uint32_t id, int fd,
			   struct cr_error *err)
{
	const struct cr_saved_file *saved = cr_file_saved(restore, id);
	struct wire_watch watch = { 0 };
	const char *path = "";
	int found, rc;

	do {
		uint32_t last = watch.number;

		found = next_watch(saved, last, &watch, &path) > 0;
		rc = found ? place_watch(restore, fd, last, &watch, path, err) :
			     0;
	} while (found && rc == 0);
	if (rc == 0)
		drop_events(fd);
	return rc;
}

const struct cr_file_ops cr_file_inotify_ops = {
	.kind = CR_FILE_INOTIFY,
	.name = "inotify",
	.flags = O_NONBLOCK | O_ASYNC,
	.save = save,
	.make = make,
	.connect = connect_watches,
};
