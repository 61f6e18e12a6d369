/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * id_user.c - a process of an ordinary user: real, effective, saved ids and
 * supplementary groups, no capabilities; next to its parent, which is root
 */
#include <grp.h>

#include "program.h"

static const char *const keys[] = { "Uid",    "Gid",	"Groups", "CapInh",
				    "CapPrm", "CapEff", "CapBnd", "CapAmb" };
#define NR_KEYS (sizeof(keys) / sizeof(keys[0]))

static void run(const char *mark)
{
	char before[NR_KEYS][256], after[256];
	size_t i;

	for (i = 0; i < NR_KEYS; i++)
		program_line("/proc/self/status", keys[i], before[i],
			     sizeof(before[i]));
	program_mark(mark);
	program_await("check");
	for (i = 0; i < NR_KEYS; i++) {
		program_line("/proc/self/status", keys[i], after,
			     sizeof(after));
		CHECK(strcmp(before[i], after) == 0, "was %s is %s", before[i],
		      after);
	}
}

static void child(void *arg)
{
	static const gid_t groups[] = { 1234, 7, 99999 };

	NEED(setgroups(3, groups));
	NEED(setresgid(2001, 2002, 2003));
	NEED(setresuid(1001, 1002, 1003));
	run(arg);
	CHECK(setresuid(0, 0, 0) < 0 && errno == EPERM, "became root");
	CHECK(setresuid((uid_t)-1, 1001, (uid_t)-1) == 0, "%s",
	      strerror(errno));
}

int main(int argc, char **argv)
{
	pid_t pid;

	program_start(argc, argv);
	pid = program_child(child, "child");
	program_await("child");
	run("ready");
	program_join(pid);
	return program_result();
}
