/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * manifest_file.c - the file that a manifest is: whole, or not there
 *
 * Written beside and renamed when it is durable; whoever reads it checks that
 * nobody else has put it there.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cr_fault.h"
#include "cr_write.h"
#include "manifest_json.h"

#define SIZE_MAX_BYTES (32l << 20)

/* Several nodes write into one folder: a name of its own for each. */
static void name_temporary(char temporary[NAME_MAX], const char *name)
{
	snprintf(temporary, NAME_MAX, ".%s.tmp", name);
}

static int write_temporary(int dirfd, const char *temporary, const char *text,
			   struct cr_error *err)
{
	int rc, fd;

	if (unlinkat(dirfd, temporary, 0) < 0 && errno != ENOENT)
		return cr_error_errno(err, "remove %s", temporary);
	fd = openat(dirfd, temporary,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return cr_error_errno(err, "create %s", temporary);
	rc = cr_write_all(fd, text, strlen(text));
	if (!rc && (cr_fault(CR_FAULT_MANIFEST_SYNC) || fsync(fd) < 0))
		rc = -errno;
	if (rc)
		cr_error_set(err, rc, "write %s: %s", temporary, strerror(-rc));
	close(fd);
	return rc;
}

/* Never over what is there.  NFS has links for that, others renameat2. */
static int rename_once(int dirfd, const char *temporary, const char *name)
{
	if (linkat(dirfd, temporary, dirfd, name, 0) == 0)
		return unlinkat(dirfd, temporary, 0);
	if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS)
		return -1;
	return renameat2(dirfd, temporary, dirfd, name, RENAME_NOREPLACE);
}

/*
 * An error means that there is no generation: so no manifest stays.  But what
 * is written @once may have been seen by another node, which has decided by it.
 */
static int put_in_place(int dirfd, const char *temporary, const char *name,
			int once, struct cr_error *err)
{
	int rc;

	if (cr_fault(CR_FAULT_MANIFEST_RENAME))
		rc = -1;
	else if (once)
		rc = rename_once(dirfd, temporary, name);
	else
		rc = renameat(dirfd, temporary, dirfd, name);
	if (rc < 0)
		return cr_error_errno(err, "put %s in place", name);
	if (!cr_fault(CR_FAULT_MANIFEST_FOLDER) && fsync(dirfd) == 0)
		return 0;
	rc = cr_error_errno(err, "sync the folder of the manifest");
	if (!once)
		unlinkat(dirfd, name, 0);
	return rc;
}

int cr_manifest_write_text(int dirfd, const char *name, int once,
			   const char *text, struct cr_error *err)
{
	char temporary[NAME_MAX];
	int rc;

	name_temporary(temporary, name);
	rc = write_temporary(dirfd, temporary, text, err);
	if (!rc)
		rc = put_in_place(dirfd, temporary, name, once, err);
	if (rc)
		unlinkat(dirfd, temporary, 0);
	return rc;
}

/* All of @size bytes, and not what an error or a signal has left of them. */
static int read_whole(int fd, const char *name, char *text, size_t size,
		      struct cr_error *err)
{
	size_t done = 0;
	ssize_t n;

	while (done < size) {
		n = read(fd, text + done, size - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cr_error_errno(err, "read %s", name);
		if (n == 0)
			return cr_error_set(err, -ENODATA,
					    "%s is cut short: %zu of %zu bytes",
					    name, done, size);
		done += (size_t)n;
	}
	return 0;
}

int cr_manifest_read_text(int dirfd, const char *name, char **textp,
			  struct cr_error *err)
{
	struct stat st;
	char *text = NULL;
	int fd, rc = 0;

	fd = openat(dirfd, name,
		    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return cr_error_errno(err, "open %s", name);
	if (fstat(fd, &st) < 0)
		rc = cr_error_errno(err, "stat %s", name);
	else if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
		rc = cr_error_set(err, -EPERM,
				  "%s belongs to uid %u, not to root", name,
				  st.st_uid);
	else if (st.st_size > SIZE_MAX_BYTES)
		rc = cr_error_set(err, -EBADMSG, "%s is too large", name);
	else if (!(text = calloc(1, (size_t)st.st_size + 1)))
		rc = cr_error_set(err, -ENOMEM, "no memory for the manifest");
	else
		rc = read_whole(fd, name, text, (size_t)st.st_size, err);
	close(fd);
	if (rc)
		free(text);
	else
		*textp = text;
	return rc;
}
