/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * files.c - the kinds of files, and which kind a file is
 *
 * Nothing here saves or restores: see files_table.c, files_restore.c, and
 * file_KIND.c for each kind.
 */
#include <fcntl.h>
#include <linux/magic.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "file.h"

static const struct cr_file_ops *const all_ops[] = {
	&cr_file_device_ops,	 &cr_file_directory_ops,
	&cr_file_epoll_ops,	 &cr_file_eventfd_ops,
	&cr_file_external_ops,	 &cr_file_external_socket_ops,
	&cr_file_fifo_ops,	 &cr_file_inotify_ops,
	&cr_file_memfd_ops,	 &cr_file_pidfd_ops,
	&cr_file_pipe_ops,	 &cr_file_proc_ops,
	&cr_file_pty_master_ops, &cr_file_pty_slave_ops,
	&cr_file_regular_ops,	 &cr_file_signalfd_ops,
	&cr_file_tcp_ops,	 &cr_file_timerfd_ops,
	&cr_file_unix_ops,
};

/* What readlink(2) shows for files without an inode of their own. */
static const struct {
	const char *link;
	const struct cr_file_ops *ops;
} anonymous[] = {
	{ "anon_inode:[eventfd]", &cr_file_eventfd_ops },
	{ "anon_inode:[eventpoll]", &cr_file_epoll_ops },
	{ "anon_inode:[pidfd]", &cr_file_pidfd_ops },
	{ "anon_inode:[signalfd]", &cr_file_signalfd_ops },
	{ "anon_inode:[timerfd]", &cr_file_timerfd_ops },
	{ "anon_inode:inotify", &cr_file_inotify_ops },
};

const struct cr_file_ops *cr_file_ops_find(uint32_t kind)
{
	size_t i;

	for (i = 0; i < sizeof(all_ops) / sizeof(all_ops[0]); i++)
		if (all_ops[i]->kind == kind)
			return all_ops[i];
	return NULL;
}

static const struct cr_file_ops *classify_anonymous(const char *link)
{
	size_t i;

	for (i = 0; i < sizeof(anonymous) / sizeof(anonymous[0]); i++)
		if (!strcmp(link, anonymous[i].link))
			return anonymous[i].ops;
	return &cr_file_other_ops;
}

static const struct cr_file_ops *classify_device(dev_t device)
{
	if (major(device) == 1 &&
	    (minor(device) == 3 || minor(device) == 5 || minor(device) == 7 ||
	     minor(device) == 8 || minor(device) == 9))
		return &cr_file_device_ops;
	if (device == makedev(5, 0))
		return &cr_file_device_ops;
	if (device == makedev(5, 2))
		return &cr_file_pty_master_ops;
	if (major(device) >= 136 && major(device) <= 143)
		return &cr_file_pty_slave_ops;
	return &cr_file_other_ops;
}

static int socket_number(int fd, int option)
{
	int value = -1;
	socklen_t length = sizeof(value);

	if (fd >= 0)
		getsockopt(fd, SOL_SOCKET, option, &value, &length);
	return value;
}

static const struct cr_file_ops *classify_socket(int fd)
{
	int domain = socket_number(fd, SO_DOMAIN);

	if (domain == AF_UNIX)
		return &cr_file_unix_ops;
	/* not MPTCP or SMC, which are streams of these families, too */
	if ((domain == AF_INET || domain == AF_INET6) &&
	    socket_number(fd, SO_TYPE) == SOCK_STREAM &&
	    socket_number(fd, SO_PROTOCOL) == IPPROTO_TCP)
		return &cr_file_tcp_ops;
	return &cr_file_other_ops;
}

/* A file that other kernel code than a filesystem's serves. */
static int is_special(const struct cr_file *file)
{
	return file->filesystem == NSFS_MAGIC ||
	       file->filesystem == 0x19800202 /* mqueue */ ||
	       file->link[0] != '/';
}

const struct cr_file_ops *cr_file_classify(const struct cr_file *file)
{
	if (!strncmp(file->link, "anon_inode:", 11))
		return classify_anonymous(file->link);
	if (file->filesystem == PROC_SUPER_MAGIC)
		return &cr_file_proc_ops;
	if (S_ISREG(file->stat.st_mode) && !file->stat.st_nlink &&
	    !strncmp(file->link, "/memfd:", 7))
		return &cr_file_memfd_ops;
	/* O_PATH: a place in the file system, whatever is there. */
	if (file->wire.open_flags & O_PATH && !S_ISDIR(file->stat.st_mode))
		return is_special(file) ? &cr_file_other_ops :
					  &cr_file_regular_ops;
	switch (file->stat.st_mode & S_IFMT) {
	case S_IFREG:
	case S_IFLNK:
		return is_special(file) ? &cr_file_other_ops :
					  &cr_file_regular_ops;
	case S_IFDIR:
		return is_special(file) ? &cr_file_other_ops :
					  &cr_file_directory_ops;
	case S_IFIFO:
		return strncmp(file->link, "pipe:[", 6) ? &cr_file_fifo_ops :
							  &cr_file_pipe_ops;
	case S_IFCHR:
		return classify_device(file->stat.st_rdev);
	case S_IFSOCK:
		return classify_socket(file->fd);
	default:
		return &cr_file_other_ops;
	}
}
