/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_shared_offset.c - descriptors that were duplicated or inherited share
 * one open file, and those opened twice do not
 */
#include "program.h"

static int fd, duplicate, other;

static void child(void *arg)
{
	(void)arg;
	program_await("go");
	CHECK(lseek(fd, 5, SEEK_CUR) == 15, "position");
	CHECK(lseek(other, 0, SEEK_CUR) == 0, "position of the other");
}

int main(int argc, char **argv)
{
	pid_t pid;

	program_start(argc, argv);
	program_write("text", "0123456789abcdefghijklmnopqrstuvwxyz");
	fd = NEED(open("text", O_RDONLY));
	duplicate = NEED(dup2(fd, 50));
	other = NEED(open("text", O_RDONLY));
	NEED(lseek(fd, 10, SEEK_SET));
	pid = program_child(child, NULL);

	program_ready();

	CHECK(program_same_file(getpid(), fd, getpid(), duplicate), "dup");
	CHECK(program_same_file(getpid(), fd, pid, fd), "inherited");
	CHECK(program_same_file(getpid(), other, pid, other), "inherited");
	CHECK(!program_same_file(getpid(), fd, getpid(), other),
	      "opened twice");
	program_mark("go");
	program_join(pid);
	CHECK(lseek(duplicate, 0, SEEK_CUR) == 15, "position after the child");
	CHECK(lseek(other, 0, SEEK_CUR) == 0, "position of the other");
	return program_result();
}
