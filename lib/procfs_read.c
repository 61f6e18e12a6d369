/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * procfs_read.c - read files below /proc; see procfs.h
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "procfs.h"

#define READ_STEP 4096u

static int read_all(int fd, char **textp, size_t *lengthp)
{
	size_t used = 0, room = READ_STEP;
	char *text = malloc(room), *larger;
	ssize_t n;

	while (text) {
		n = read(fd, text + used, room - used - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			n = -errno;
			free(text);
			return (int)n;
		}
		if (n == 0)
			break;
		used += (size_t)n;
		if (room - used > 1)
			continue;
		room *= 2;
		larger = realloc(text, room);
		if (!larger)
			free(text);
		text = larger;
	}
	if (!text)
		return -ENOMEM;
	text[used] = '\0';
	*textp = text;
	if (lengthp)
		*lengthp = used;
	return 0;
}

int cr_proc_read(pid_t pid, const char *name, char **textp, size_t *lengthp,
		 struct cr_error *err)
{
	char path[96];
	int fd, rc;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return cr_error_errno(err, "%s", path);
	rc = read_all(fd, textp, lengthp);
	close(fd);
	if (rc < 0) {
		errno = -rc;
		return cr_error_errno(err, "%s", path);
	}
	return 0;
}

int cr_proc_readlink(pid_t pid, const char *name, char *target, size_t size,
		     struct cr_error *err)
{
	char path[96];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	n = readlink(path, target, size - 1);
	if (n < 0)
		return cr_error_errno(err, "%s", path);
	target[n] = '\0';
	return 0;
}

int cr_proc_read_status(pid_t pid, const char *name,
			struct cr_proc_status *status, struct cr_error *err)
{
	char *text;
	int rc = cr_proc_read(pid, name, &text, NULL, err);

	if (rc < 0)
		return rc;
	rc = cr_proc_parse_status(text, status);
	free(text);
	return rc < 0 ? cr_error_set(err, rc, "/proc/%d/%s is strange", pid,
				     name) :
			0;
}

uint64_t cr_proc_number(const char *path)
{
	unsigned long long number = 0;
	FILE *file = fopen(path, "re");

	if (file && fscanf(file, "%llu", &number) != 1)
		number = 0;
	if (file)
		fclose(file);
	return number;
}
