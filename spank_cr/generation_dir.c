/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * generation_dir.c - DIR, and folders in it that are opened by handle
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "generation.h"
#include "generation_folder.h"

/* Open the admin's DIR as root.  It is not made: one that is missing is on a
 * file system that is not mounted. */
static int open_admins(const char *path, struct cr_error *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return cr_error_errno(err, "open checkpoint directory %s",
				      path);
	return fd;
}

/* Open the user's DIR as the user, so that it leads nowhere where they may
 * not write. */
static int open_users(const char *path, const struct cr_step *step,
		      struct cr_error *err)
{
	gid_t groups[CR_STEP_GROUPS_MAX], gid = getegid();
	int nr_groups = getgroups(CR_STEP_GROUPS_MAX, groups);
	uid_t uid = geteuid();
	int fd = -1, rc = 0;

	if (nr_groups < 0)
		return cr_error_errno(err, "getgroups");
	if (setgroups(step->nr_groups, step->groups) < 0 ||
	    setegid(step->gid) < 0 || seteuid(step->uid) < 0)
		rc = cr_error_errno(err, "become uid %u", step->uid);
	if (!rc) {
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 || faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) < 0)
			rc = cr_error_errno(err,
					    "checkpoint directory %s as uid %u",
					    path, step->uid);
	}
	if (seteuid(uid) < 0 || setegid(gid) < 0 ||
	    setgroups((size_t)nr_groups, groups) < 0)
		rc = cr_error_errno(err, "become root again");
	if (rc && fd >= 0)
		close(fd);
	return rc ? rc : fd;
}

int cr_generation_open_dir(const struct cr_config *config,
			   const struct cr_step *step, struct cr_error *err)
{
	if (config->dir_is_users)
		return open_users(config->dir, step, err);
	return open_admins(config->dir, err);
}

int cr_generation_open_folder(int dirfd, const char *name, int create,
			      struct cr_error *err)
{
	struct stat st;
	int fd, rc;

	if (create && mkdirat(dirfd, name, 0700) < 0 && errno != EEXIST)
		return cr_error_errno(err, "make folder %s", name);
	fd = openat(dirfd, name, OPEN_FOLDER);
	if (fd < 0)
		return cr_error_errno(err, "open folder %s", name);
	if (fstat(fd, &st) < 0)
		rc = cr_error_errno(err, "stat folder %s", name);
	else if (st.st_uid != geteuid() || (st.st_mode & 077))
		rc = cr_error_set(err, -EPERM,
				  "folder %s is of uid %u with mode %04o: not "
				  "ours",
				  name, st.st_uid, st.st_mode & 07777);
	else
		return fd;
	close(fd);
	return rc;
}
