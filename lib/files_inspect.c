/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * files_inspect.c - small questions about a file that is being saved
 *
 * None of these changes the file or its description.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "file.h"

static int __attribute__((format(printf, 4, 0)))
refuse(struct cr_file_table *table, const struct cr_file *file, int code,
       const char *fmt, va_list args)
{
	struct cr_error why;
	char text[CR_ERROR_TEXT_MAX];

	vsnprintf(text, sizeof(text), fmt, args);
	if (file->number < 0)
		cr_error_set(&why, code, "vpid %u %s: %s", file->vpid,
			     file->name, text);
	else
		cr_error_set(&why, code, "vpid %u fd %d: %s", file->vpid,
			     file->number, text);
	if (!table->refused.code)
		table->refused = why;
	table->refused.code = -EOPNOTSUPP;
	if (table->options.refuse)
		table->options.refuse(table->options.arg, &why);
	return 0;
}

int cr_file_refuse(struct cr_file_table *table, const struct cr_file *file,
		   const char *fmt, ...)
{
	va_list args;
	int rc;

	va_start(args, fmt);
	rc = refuse(table, file, -EOPNOTSUPP, fmt, args);
	va_end(args);
	return rc;
}

int cr_file_refuse_for_now(struct cr_file_table *table,
			   const struct cr_file *file, const char *fmt, ...)
{
	va_list args;
	int rc;

	va_start(args, fmt);
	rc = refuse(table, file, -EAGAIN, fmt, args);
	va_end(args);
	return rc;
}

int cr_file_set_data(struct cr_file *file, const void *data, size_t length,
		     struct cr_error *err)
{
	file->data = malloc(length ? length : 1);
	if (!file->data)
		return cr_error_set(err, -ENOMEM, "out of memory");
	memcpy(file->data, data, length);
	file->wire.data_length = (uint32_t)length;
	return 0;
}

char *cr_file_fdinfo(pid_t pid, int fd, struct cr_error *err)
{
	char name[64], *text = NULL;
	size_t length = 0, room = 0;
	ssize_t n = 0;
	int in;

	if (pid)
		snprintf(name, sizeof(name), "/proc/%d/fdinfo/%d", pid, fd);
	else
		snprintf(name, sizeof(name), "/proc/self/fdinfo/%d", fd);
	in = open(name, O_RDONLY | O_CLOEXEC);
	if (in < 0) {
		cr_error_errno(err, "open %s", name);
		return NULL;
	}
	do {
		char *more;

		length += (size_t)n;
		if (room - length < 2) {
			room = room ? room * 2 : 1024;
			more = realloc(text, room);
			if (!more) {
				errno = ENOMEM;
				n = -1;
				break;
			}
			text = more;
		}
		n = read(in, text + length, room - length - 1);
		/* All of it comes at once if it fits. */
	} while (n > 0 && length + (size_t)n + 1 == room);
	if (n < 0) {
		cr_error_errno(err, "read %s", name);
		free(text);
		text = NULL;
	} else {
		text[length + (size_t)n] = '\0';
	}
	close(in);
	return text;
}

int cr_fdinfo_number(const char *text, const char *key, int base,
		     uint64_t *valuep)
{
	size_t length = strlen(key);

	for (; text; text = strchr(text, '\n')) {
		if (*text == '\n')
			text++;
		if (strncmp(text, key, length))
			continue;
		*valuep = strtoull(text + length, NULL, base);
		return 0;
	}
	return -ENOENT;
}

void cr_file_name(const struct cr_file *file, char name[CR_FILE_NAME_MAX])
{
	if (file->fd >= 0)
		snprintf(name, CR_FILE_NAME_MAX, "/proc/self/fd/%d", file->fd);
	else if (file->mapped.path[0])
		snprintf(name, CR_FILE_NAME_MAX, "%s", file->mapped.path);
	else
		snprintf(name, CR_FILE_NAME_MAX, "/proc/%d/%s", file->pid,
			 file->name);
}

int cr_file_not_seen(const struct cr_file *file, struct cr_error *err)
{
	const int code = errno;
	char name[CR_FILE_NAME_MAX], what[32], link[256];
	struct statfs fs;
	ssize_t n;

	if (file->number < 0)
		snprintf(what, sizeof(what), "%s", file->name);
	else
		snprintf(what, sizeof(what), "fd %d", file->number);
	cr_file_name(file, name);
	n = readlink(name, link, sizeof(link) - 1);
	link[n < 0 ? 0 : n] = '\0';
	if (code == EACCES && statfs(name, &fs) == 0 &&
	    fs.f_type == FUSE_SUPER_MAGIC)
		return cr_error_set(err, -EOPNOTSUPP,
				    "vpid %u %s: %s is on a FUSE file system "
				    "that only its user may look into",
				    file->vpid, what, link);
	return cr_error_set(err, -code, "vpid %u %s: %s: stat: %s", file->vpid,
			    what, link, strerror(code));
}

int cr_file_reopen(int fd, int flags)
{
	char name[64];
	int rc;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	rc = open(name, flags | O_CLOEXEC | O_NOCTTY);
	return rc < 0 ? -errno : rc;
}

/* The last number of a line "KEY:\t1\t2\t3" of /proc/@pid/status; 0: none. */
static pid_t status_number(pid_t pid, const char *key)
{
	char name[64], line[256];
	pid_t value = 0;
	FILE *in;

	snprintf(name, sizeof(name), "/proc/%d/status", pid);
	in = fopen(name, "re");
	if (!in)
		return 0;
	while (fgets(line, sizeof(line), in)) {
		const char *last;

		if (strncmp(line, key, strlen(key)))
			continue;
		last = strrchr(line, '\t');
		value = last ? (pid_t)strtol(last, NULL, 10) : 0;
		break;
	}
	fclose(in);
	return value;
}

uint32_t cr_file_vpid(const struct cr_file_table *table, pid_t id)
{
	uint32_t vpid = table->options.vpid_of(table->options.arg, id);
	pid_t leader;

	if (vpid)
		return vpid;
	leader = status_number(id, "Tgid:");
	if (!leader || !table->options.vpid_of(table->options.arg, leader))
		return 0;
	return (uint32_t)status_number(id, "NSpid:");
}
