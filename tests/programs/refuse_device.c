/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * refuse_device.c - a device with state of its own (/dev/net/tun, else
 * /dev/fuse) is refused by name
 */
#include "program.h"

int main(int argc, char **argv)
{
	int fd;

	program_start(argc, argv);
	fd = open("/dev/fuse", O_RDWR);
	if (fd < 0)
		fd = open("/dev/net/tun", O_RDWR);
	if (fd < 0)
		fd = open("/dev/kmsg", O_RDONLY);
	if (fd < 0)
		program_lacks("/dev/fuse, /dev/net/tun or /dev/kmsg");
	program_expect_refusal(fd);

	program_ready();

	CHECK(fcntl(fd, F_GETFD) == 0, "%s", strerror(errno));
	return program_result();
}
