/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_fifo.c - a FIFO with a name, data in it, and its two ends in two
 * processes
 */
#include "program.h"

static void writer(void *arg)
{
	int fd = NEED(open("fifo", O_WRONLY));

	(void)arg;
	NEED(write(fd, "before ", 7));
	program_mark("written");
	program_await("check");
	CHECK(write(fd, "after", 5) == 5, "%s", strerror(errno));
}

int main(int argc, char **argv)
{
	char got[32] = "";
	ssize_t nr, length = 0;
	pid_t pid;
	int fd;

	program_start(argc, argv);
	NEED(mkfifo("fifo", 0600));
	pid = program_child(writer, NULL);
	fd = NEED(open("fifo", O_RDONLY));
	program_await("written");

	program_ready();

	program_join(pid);
	while ((nr = read(fd, got + length, 31 - (size_t)length)) > 0)
		length += nr;
	CHECK(nr == 0 && strcmp(got, "before after") == 0, "read `%s'", got);
	return program_result();
}
