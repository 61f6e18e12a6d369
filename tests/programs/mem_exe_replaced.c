/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_exe_replaced.c - a copy of this program whose file has been unlinked goes
 * on running it
 */
#include "program.h"

int main(int argc, char **argv)
{
	char self[4096] = "", command[8300];

	if (argc == 3 && !strcmp(argv[1], "copy")) {
		NEED(unlink("copy"));
		NEED(access("copy", F_OK) < 0 ? 0 : -1);
		program_ready();
		CHECK(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0,
		      "%s", strerror(errno));
		return program_result();
	}
	program_start(argc, argv);
	NEED(readlink("/proc/self/exe", self, sizeof(self) - 1));
	snprintf(command, sizeof(command), "cp '%s' copy", self);
	NEED(system(command) == 0 ? 0 : -1);
	execl("./copy", "./copy", "copy", argv[1], NULL);
	return 2;
}
