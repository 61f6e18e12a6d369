/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * refuse_io_worker.c - io_uring with a kernel thread in the process, which
 * /proc shows among its own: refused in no time
 */
#include <linux/io_uring.h>

#include "program.h"

int main(int argc, char **argv)
{
	struct io_uring_params params = { .flags = IORING_SETUP_SQPOLL,
					  .sq_thread_idle = 10 };
	char text[96];
	int fd;

	program_start(argc, argv);
	fd = (int)syscall(SYS_io_uring_setup, 4, &params);
	if (fd < 0)
		program_lacks("io_uring");
	snprintf(text, sizeof(text),
		 "process %d: kernel threads of io_uring\nfd %d\\b\n",
		 (int)getpid(), fd);
	program_write("refused", text);
	program_nap(50);

	program_ready();

	CHECK(syscall(SYS_io_uring_enter, fd, 0, 0, IORING_ENTER_SQ_WAKEUP,
		      NULL, 0) == 0,
	      "%s", strerror(errno));
	return program_result();
}
