/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call_open_fifo.c - open(2) of a FIFO that waits for a writer
 */
#include "program.h"

static void wake(void *arg)
{
	int fd = NEED(open("fifo", O_WRONLY));

	(void)arg;
	CHECK(write(fd, "f", 1) == 1, "write");
}

int main(int argc, char **argv)
{
	char byte = 0;
	int fd;
	pid_t waker;

	program_start(argc, argv);
	NEED(mkfifo("fifo", 0600));
	waker = program_waker(SYS_openat, 20, wake, NULL);

	fd = open("fifo", O_RDONLY);

	CHECK(fd >= 0, "%s", strerror(errno));
	CHECK(read(fd, &byte, 1) == 1 && byte == 102, "read %d", byte);
	program_join(waker);
	return program_result();
}
