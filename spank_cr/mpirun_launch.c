/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mpirun_launch.c - cr-launch: an rsh into another node of the step
 *
 *	cr-launch HOST COMMAND...
 *
 * As rsh: the words of COMMAND are joined by spaces, for a shell there.  Its
 * output goes where that of the step goes.  Ends when COMMAND does, with its
 * exit code.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "mpirun.h"

static int join(char *text, size_t size, char **words)
{
	size_t used = 0;
	int n;

	text[0] = '\0';
	for (; *words; words++) {
		n = snprintf(text + used, size - used, "%s%s", used ? " " : "",
			     *words);
		if (n < 0 || (size_t)n >= size - used)
			return -1;
		used += (size_t)n;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static char command[MPIRUN_COMMAND_MAX];
	struct mpirun_order order = { .kind = MPIRUN_RUN, .command = command };
	const char *step = getenv(MPIRUN_STEP_VARIABLE);
	struct cr_error err = { 0 };
	uint32_t status;
	int fd;

	if (argc < 3 || argv[1][0] == '-') {
		fprintf(stderr, "usage: cr-launch HOST COMMAND...\n");
		return 2;
	}
	if (!step || strlen(step) >= sizeof(order.step)) {
		fprintf(stderr,
			"cr-launch: not below cr-mpirun: " MPIRUN_STEP_VARIABLE
			" is not set\n");
		return 2;
	}
	strcpy(order.step, step);
	if (join(command, sizeof(command), argv + 2)) {
		fprintf(stderr, "cr-launch: the command is too long\n");
		return 1;
	}
	fd = mpirun_order_give(argv[1], &order, &err);
	if (fd < 0) {
		fprintf(stderr, "cr-launch: %s\n", err.text);
		return 1;
	}
	if (mpirun_read_word(fd, &status)) {
		fprintf(stderr, "cr-launch: %s: the connection is lost\n",
			argv[1]);
		return 1;
	}
	return WIFSIGNALED((int)status) ? 128 + WTERMSIG((int)status) :
					  WEXITSTATUS((int)status);
}
