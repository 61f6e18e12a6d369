/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * refuse_fuse.c - a file on a FUSE file system of a user, which says nothing
 * to root: refused, with its name
 */
#include <sys/mount.h>

#include "program.h"

/* Nobody answers at its other end: root is turned away before. */
static int open_folder(void)
{
	char options[80];
	int device = open("/dev/fuse", O_RDWR | O_CLOEXEC), fd;

	if (device < 0)
		program_lacks("/dev/fuse");
	snprintf(options, sizeof(options),
		 "fd=%d,rootmode=40000,user_id=65534,group_id=65534", device);
	NEED(mkdir("users", 0755));
	if (mount("none", "users", "fuse", 0, options) < 0)
		program_lacks("the right to mount FUSE");
	fd = open("users", O_PATH);
	NEED(fd);
	NEED(umount2("users", MNT_DETACH));
	NEED(rmdir("users"));
	close(device);
	return fd;
}

int main(int argc, char **argv)
{
	char text[80];
	int fd;

	program_start(argc, argv);
	fd = open_folder();
	snprintf(text, sizeof(text), "vpid %d fd %d: .* FUSE\n", (int)getpid(),
		 fd);
	program_write("refused", text);

	program_ready();

	CHECK(fcntl(fd, F_GETFD) == 0, "%s", strerror(errno));
	return program_result();
}
