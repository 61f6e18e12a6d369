/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_tmpfs.c - an open file on /dev/shm, which is of the node, comes along
 * with its contents.  (Here it is there still; the runner's --move takes it.)
 */
#include "program.h"

int main(int argc, char **argv)
{
	char name[64], got[16] = "";
	int fd;

	program_start(argc, argv);
	snprintf(name, sizeof(name), "/dev/shm/cr-test-%llx",
		 (unsigned long long)program_now(CLOCK_REALTIME));
	fd = NEED(open(name, O_RDWR | O_CREAT | O_EXCL, 0640));
	NEED(write(fd, "contents", 8));
	program_write("move", name);

	program_ready();

	CHECK(lseek(fd, 0, SEEK_CUR) == 8, "position");
	CHECK(pread(fd, got, 15, 0) == 8 && strcmp(got, "contents") == 0,
	      "contents `%s'", got);
	program_read(name, got, sizeof(got));
	CHECK(strcmp(got, "contents") == 0, "by name `%s'", got);
	unlink(name);
	return program_result();
}
