/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * generation_dir.c - DIR, and folders in it that are opened by handle
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
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

/* What mountinfo says of one mount. */
struct mount {
	unsigned long long number;
	const char *type, *options; /* the latter of the file system */
};

/* "NUMBER ... - TYPE SOURCE OPTIONS": the kernel escapes spaces in all words,
 * also in SOURCE, which is for the user who mounts it to choose. */
static int parse_mount(char *line, struct mount *mount)
{
	char *type = strstr(line, " - ");
	char *source, *options, *end;

	if (!type)
		return 0;
	type += strlen(" - ");
	source = strchr(type, ' ');
	options = source ? strchr(source + 1, ' ') : NULL;
	if (!options)
		return 0;
	mount->number = strtoull(line, &end, 10);
	*source = '\0';
	options[strcspn(options, "\n")] = '\0';
	mount->type = type;
	mount->options = options + 1;
	return end != line;
}

/* The value of user_id= among the words of @options; 0: there is none, as of
 * file systems that no user's process serves. */
static unsigned long user_of(const char *options)
{
	static const char name[] = "user_id=";

	while (strncmp(options, name, strlen(name))) {
		options = strchr(options, ',');
		if (!options)
			return 0;
		options++;
	}
	return strtoul(options + strlen(name), NULL, 10);
}

int cr_generation_check_mount_line(char *line, uint64_t number,
				   struct cr_error *err)
{
	unsigned long uid;
	struct mount mount;

	if (!parse_mount(line, &mount) || mount.number != number)
		return 0;
	uid = strncmp(mount.type, "fuse", 4) ? 0 : user_of(mount.options);
	if (uid)
		return cr_error_set(err, -EPERM,
				    "it is on a file system (FUSE) of uid %lu: "
				    "whose its files are is theirs to say",
				    uid);
	return 1;
}

int cr_generation_check_mount(int fd, struct cr_error *err)
{
	struct statx about = { 0 };
	size_t size = 0;
	char *line = NULL;
	FILE *file;
	int rc = 0;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &about) < 0)
		return cr_error_errno(err, "which mount it is on");
	file = fopen("/proc/self/mountinfo", "re");
	if (!file)
		return cr_error_errno(err, "/proc/self/mountinfo");
	while (!rc && getline(&line, &size, file) >= 0)
		rc = cr_generation_check_mount_line(line, about.stx_mnt_id,
						    err);
	free(line);
	fclose(file);
	/* It may be of the user's own mount and user namespaces, where they
	 * are root: /proc/PID/root leads there. */
	if (!rc)
		return cr_error_set(err, -EPERM,
				    "the mount that it is on is not in "
				    "/proc/self/mountinfo");
	return rc < 0 ? rc : 0;
}

/* With the user's rights; what their own file system would say is not even
 * asked. */
static int open_as_user(const char *path, const struct cr_step *step,
			struct cr_error *err)
{
	int place, fd = -1, rc;

	place = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	rc = place < 0 ? 0 : cr_generation_check_mount(place, err);
	if (rc) {
		close(place);
		return cr_error_prefix(err, "checkpoint directory %s", path);
	}
	if (place >= 0)
		fd = openat(place, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) < 0) {
		rc = cr_error_errno(err, "checkpoint directory %s as uid %u",
				    path, step->uid);
		if (fd >= 0)
			close(fd);
	}
	if (place >= 0)
		close(place);
	return rc ? rc : fd;
}

/* Open the user's DIR as the user, so that it leads nowhere where they may
 * not write. */
static int open_users(const char *path, const struct cr_step *step,
		      struct cr_error *err)
{
	gid_t groups[CR_STEP_GROUPS_MAX], gid = getegid();
	int nr_groups = getgroups(CR_STEP_GROUPS_MAX, groups);
	uid_t uid = geteuid();
	int fd, rc = 0;

	if (nr_groups < 0)
		return cr_error_errno(err, "getgroups");
	if (setgroups(step->nr_groups, step->groups) < 0 ||
	    setegid(step->gid) < 0 || seteuid(step->uid) < 0)
		fd = cr_error_errno(err, "become uid %u", step->uid);
	else
		fd = open_as_user(path, step, err);
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
	const struct open_how how = { .flags = OPEN_FOLDER,
				      .resolve = RESOLVE_NO_XDEV };
	struct stat st;
	int fd, rc;

	if (create && mkdirat(dirfd, name, 0700) < 0 && errno != EEXIST)
		return cr_error_errno(err, "make folder %s", name);
	/* nor may something be mounted there */
	fd = (int)syscall(SYS_openat2, dirfd, name, &how, sizeof(how));
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
