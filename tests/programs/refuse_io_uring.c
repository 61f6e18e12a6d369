/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * refuse_io_uring.c - io_uring is refused by name
 */
#include <linux/io_uring.h>

#include "program.h"

int main(int argc, char **argv)
{
	struct io_uring_params params = { 0 };
	int fd;

	program_start(argc, argv);
	fd = (int)syscall(SYS_io_uring_setup, 4, &params);
	if (fd < 0)
		program_lacks("io_uring");
	program_expect_refusal(fd);

	program_ready();

	CHECK(syscall(SYS_io_uring_enter, fd, 0, 0, 0, NULL, 0) == 0, "%s",
	      strerror(errno));
	return program_result();
}
