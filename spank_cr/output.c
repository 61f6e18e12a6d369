/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * output.c - keep and put back what an srun had written; see output.h
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "output.h"

static int is_appending(pid_t pid, int fd)
{
	char path[64], line[128];
	unsigned int flags = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
	file = fopen(path, "re");
	if (!file)
		return 1;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "flags: %o", &flags) == 1)
			break;
	fclose(file);
	return (flags & O_APPEND) || (flags & O_ACCMODE) == O_RDONLY;
}

int cr_output_find(pid_t pid, int fd, char path[CR_OUTPUT_PATH_MAX],
		   dev_t *devicep, ino_t *inodep)
{
	char link[64];
	struct stat st;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", pid, fd);
	if (stat(link, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink == 0 ||
	    is_appending(pid, fd))
		return 0;
	n = readlink(link, path, CR_OUTPUT_PATH_MAX - 1);
	if (n <= 0 || *path != '/')
		return 0;
	path[n] = '\0';
	*devicep = st.st_dev;
	*inodep = st.st_ino;
	return 1;
}

/* "/a/.b.spank_cr-12" for "/a/b". */
static int name_aside(char *aside, const char *path, uint32_t job)
{
	const char *slash = strrchr(path, '/');
	int n;

	if (!slash)
		return -EINVAL;
	n = snprintf(aside, CR_OUTPUT_PATH_MAX, "%.*s/.%s.spank_cr-%u",
		     (int)(slash - path), path, slash + 1, job);
	return n < CR_OUTPUT_PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int copy(int to, int from)
{
	char buffer[65536];
	ssize_t n, written;

	while ((n = read(from, buffer, sizeof(buffer))) > 0)
		for (ssize_t done = 0; done < n; done += written) {
			written = write(to, buffer + done, (size_t)(n - done));
			if (written < 0)
				return -1;
		}
	return n < 0 ? -1 : 0;
}

int cr_output_keep(const char *path, dev_t device, ino_t inode, uint32_t job,
		   struct cr_error *err)
{
	char aside[CR_OUTPUT_PATH_MAX];
	int from, to = -1, rc = 0;
	struct stat st;

	if (name_aside(aside, path, job))
		return cr_error_set(err, -ENAMETOOLONG, "keep %.200s", path);
	from = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (from < 0 || fstat(from, &st) < 0)
		rc = cr_error_errno(err, "open %.200s", path);
	else if (st.st_dev != device || st.st_ino != inode)
		rc = cr_error_set(err, -ESTALE, "%.200s is another file now",
				  path);
	if (rc)
		goto out;
	unlink(aside);
	to = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (to < 0 || copy(to, from) < 0 || fsync(to) < 0) {
		rc = cr_error_errno(err, "copy %.200s aside", path);
		unlink(aside);
	}
out:
	if (to >= 0)
		close(to);
	if (from >= 0)
		close(from);
	return rc;
}

int cr_output_put_back(int fd, uint32_t job, struct cr_error *err)
{
	char path[CR_OUTPUT_PATH_MAX], aside[CR_OUTPUT_PATH_MAX];
	struct stat st;
	dev_t device;
	ino_t inode;
	int from, rc = 1;

	if (!cr_output_find(getpid(), fd, path, &device, &inode) ||
	    fstat(fd, &st) < 0 || st.st_size > 0 ||
	    name_aside(aside, path, job))
		return 0;
	from = open(aside, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (from < 0)
		return 0;
	if (fstat(from, &st) < 0 || st.st_uid != geteuid())
		rc = cr_error_set(err, -EPERM, "%.200s is not ours", aside);
	else if (copy(fd, from) < 0)
		rc = cr_error_errno(err, "write to %.200s", path);
	else
		unlink(aside);
	close(from);
	return rc;
}
