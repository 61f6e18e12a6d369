/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_proc.c - open files below /proc, of the process itself and of its child
 */
#include "program.h"

static void child(void *arg)
{
	program_await(arg);
}

static int tells(int fd, pid_t pid)
{
	char text[64] = "";

	return pread(fd, text, sizeof(text) - 1, 0) > 0 && atoi(text) == pid;
}

int main(int argc, char **argv)
{
	char path[64];
	int self, other, version;
	pid_t pid;

	program_start(argc, argv);
	pid = program_child(child, "over");
	self = NEED(open("/proc/self/stat", O_RDONLY));
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	other = NEED(open(path, O_RDONLY));
	version = NEED(open("/proc/version", O_RDONLY));

	program_ready();

	CHECK(tells(self, getpid()), "self");
	CHECK(tells(other, pid), "child");
	CHECK(read(version, path, 5) == 5 && memcmp(path, "Linux", 5) == 0,
	      "version");
	program_mark("over");
	program_join(pid);
	return program_result();
}
