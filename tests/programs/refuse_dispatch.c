/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * refuse_dispatch.c - a process whose system calls are all turned into SIGSYS,
 * as Wine does with those of foreign code: refused, and none was made in it
 */
#include <sys/prctl.h>
#include <sys/utsname.h>

#include "program.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif

static volatile int *is_over;
static volatile char blocks;

static void dispatched(void *arg)
{
	(void)arg;
	if (prctl(PR_SET_SYSCALL_USER_DISPATCH, 1, 0, 0, &blocks) < 0)
		_exit(PROGRAM_LACKS);
	program_mark("dispatched");
	blocks = 1;
	while (!*is_over)
		;
	blocks = 0;
}

int main(int argc, char **argv)
{
	struct utsname kernel;
	int version, patch;
	pid_t pid;

	program_start(argc, argv);
	NEED(uname(&kernel));
	if (sscanf(kernel.release, "%d.%d", &version, &patch) == 2 &&
	    version * 1000 + patch < 6004)
		program_lacks("kernel that tells of dispatch (6.4)");
	is_over = NEED(mmap(NULL, PROGRAM_PAGE, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	pid = program_child(dispatched, NULL);
	program_await("dispatched");
	program_nap(50);
	program_write("refused", "its system calls dispatched");

	program_ready();

	*is_over = 1;
	program_join(pid);
	return program_result();
}
