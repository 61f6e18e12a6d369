/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rootless.c - move to a user namespace; see rootless.h
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "rootless.h"
#include "target.h"

static int is_privileged(void)
{
	cap_t caps = cap_get_proc();
	cap_flag_value_t value = CAP_CLEAR;

	if (caps)
		cap_get_flag(caps, CAP_SYS_ADMIN, CAP_EFFECTIVE, &value);
	cap_free(caps);
	return value == CAP_SET;
}

static int write_file(const char *path, const char *text, struct cr_error *err)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), rc = 0;

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		rc = cr_error_errno(err, "making a user namespace: %s", path);
	if (fd >= 0)
		close(fd);
	return rc;
}

/* Who gains capabilities is no longer of its own user for /proc, until it says
 * that there is nothing to hide. */
static int show(struct cr_error *err)
{
	return prctl(PR_SET_DUMPABLE, 1) < 0 ?
		       cr_error_errno(err, "PR_SET_DUMPABLE") :
		       0;
}

int cr_rootless_begin(struct cr_error *err)
{
	const uid_t uid = geteuid();
	const gid_t gid = getegid();
	char users[64], groups[64];
	int rc;

	if (is_privileged())
		return 0;
	if (unshare(CLONE_NEWUSER) < 0)
		return cr_error_errno(err, "making a user namespace, which is "
					   "what users need who are not root");
	snprintf(users, sizeof(users), "%u %u 1\n", uid, uid);
	snprintf(groups, sizeof(groups), "%u %u 1\n", gid, gid);
	rc = show(err);
	if (!rc)
		rc = write_file("/proc/self/setgroups", "deny", err);
	if (!rc)
		rc = write_file("/proc/self/uid_map", users, err);
	if (!rc)
		rc = write_file("/proc/self/gid_map", groups, err);
	return rc < 0 ? rc : 1;
}

int cr_rootless_join(pid_t pid, struct cr_error *err)
{
	char path[64];
	int fd, rc = 0;

	if (is_privileged() || cr_target_is_same(pid, getpid(), "ns/user"))
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) /* it may not be traced, which is said when it is to be */
		return 0;
	/* from the tree's IPC namespace one can come back to one's own only */
	if (setns(fd, CLONE_NEWUSER) < 0 || unshare(CLONE_NEWIPC) < 0)
		rc = cr_error_errno(err,
				    "entering the user namespace of "
				    "process %d",
				    pid);
	close(fd);
	return rc < 0 ? rc : show(err);
}
