/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * refuse_seccomp.c - a process with a system call filter is refused
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include "program.h"

int main(int argc, char **argv)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog filter = { 1, &allow };

	program_start(argc, argv);
	NEED(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0)
		program_lacks("system call filters");
	program_write("refused", "seccomp");

	program_ready();

	CHECK(prctl(PR_GET_SECCOMP) == 2, "%d", prctl(PR_GET_SECCOMP));
	return program_result();
}
