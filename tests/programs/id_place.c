/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * id_place.c - working directory and umask, and a child that lives below
 * another root directory
 */
#include "program.h"

static void child(void *arg)
{
	struct stat st;

	(void)arg;
	NEED(mkdir("root", 0755));
	NEED(mkdir("root/inside", 0755));
	NEED(chroot("root"));
	NEED(chdir("/inside"));
	NEED(mkdir("here", 0700));
	umask(077);
	program_mark("prepared");
	program_await("go");
	CHECK(stat("/inside/here", &st) == 0, "root: %s", strerror(errno));
	CHECK(stat("here", &st) == 0, "cwd: %s", strerror(errno));
	CHECK(umask(0) == 077, "umask");
	CHECK(stat("/proc", &st) < 0, "sees the outer root");
}

int main(int argc, char **argv)
{
	char before[4096] = "", after[4096] = "";
	pid_t pid;

	program_start(argc, argv);
	NEED(mkdir("sub", 0755));
	NEED(chdir("sub"));
	NEED(getcwd(before, sizeof(before)) ? 0 : -1);
	umask(0123);
	NEED(chdir(".."));
	pid = program_child(child, NULL);
	program_await("root/inside/prepared");
	NEED(chdir("sub"));
	program_mark("../ready");
	program_await("../check");

	CHECK(getcwd(after, sizeof(after)) && strcmp(before, after) == 0,
	      "in %s, was in %s", after, before);
	CHECK(umask(022) == 0123, "umask");
	program_mark("../root/inside/go");
	program_join(pid);
	return program_result();
}
