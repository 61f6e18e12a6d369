/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * retry.c - the file `retries`: "COUNT RUN", of the last run that was counted
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "retry.h"

#define NAME "retries"
#define TEMPORARY ".retries.tmp"

int cr_retry_may_pass(int code)
{
	switch (-code) {
	case ECONNRESET: /* a node is lost, or silent */
	case ETIMEDOUT:
	case EHOSTUNREACH:
	case EADDRINUSE:
	case EADDRNOTAVAIL:
	case EAGAIN:
	case EBUSY:
	case EDQUOT:
	case EIO:
	case EMFILE:
	case ENFILE:
	case ENOEXEC: /* the program is not on this node */
	case ENOMEM:
	case ENOSPC:
	case EOPNOTSUPP: /* this node's CPU or kernel lacks something */
		return 1;
	default:
		return 0;
	}
}

static void load(int step_dirfd, uint32_t *count, uint32_t *run)
{
	char text[32] = "";
	int fd;

	*count = *run = 0;
	fd = openat(step_dirfd, NAME,
		    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return;
	if (read(fd, text, sizeof(text) - 1) < 0 ||
	    sscanf(text, "%9u %9u", count, run) != 2)
		*count = *run = 0;
	close(fd);
}

uint32_t cr_retry_count(int step_dirfd)
{
	uint32_t count, run;

	load(step_dirfd, &count, &run);
	return count;
}

static int store(int step_dirfd, uint32_t count, uint32_t run)
{
	char text[32];
	int fd, length, rc = 0;

	length = snprintf(text, sizeof(text), "%u %u\n", count, run);
	fd = openat(step_dirfd, TEMPORARY,
		    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return -errno;
	if (write(fd, text, (size_t)length) != length || fsync(fd) < 0)
		rc = errno ? -errno : -EIO;
	close(fd);
	if (!rc && renameat(step_dirfd, TEMPORARY, step_dirfd, NAME) < 0)
		rc = -errno;
	return rc;
}

int cr_retry_note(int step_dirfd, uint32_t run, struct cr_error *err)
{
	uint32_t count, last;
	int rc;

	load(step_dirfd, &count, &last);
	if (count && last == run)
		return 0;
	rc = store(step_dirfd, count + 1, run);
	return rc ? cr_error_set(err, rc, "count in " NAME ": %s",
				 strerror(-rc)) :
		    0;
}

int cr_retry_is_noted(int step_dirfd, uint32_t run)
{
	uint32_t count, last;

	load(step_dirfd, &count, &last);
	return count && last == run;
}

void cr_retry_clear(int step_dirfd)
{
	unlinkat(step_dirfd, NAME, 0);
}
