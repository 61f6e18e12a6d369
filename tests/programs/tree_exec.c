/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree_exec.c - children that run other programs: cat and a shell, to which we
 * talk through pipes
 */
#include "program.h"

struct talk {
	pid_t pid;
	int to, from;
};

static struct talk start(char *const command[])
{
	int to[2], from[2];
	struct talk talk;

	NEED(pipe2(to, O_CLOEXEC));
	NEED(pipe2(from, O_CLOEXEC));
	talk.pid = NEED(fork());
	if (talk.pid == 0) {
		dup2(to[0], 0);
		dup2(from[1], 1);
		execvp(command[0], command);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	talk.to = to[1];
	talk.from = from[0];
	return talk;
}

static int answers(struct talk *talk, const char *say, const char *expect)
{
	char got[128];
	size_t length = 0;
	ssize_t nr = 1;

	if (write(talk->to, say, strlen(say)) != (ssize_t)strlen(say))
		return 0;
	while (length < strlen(expect) && nr > 0) {
		nr = read(talk->from, got + length, sizeof(got) - length);
		length += nr > 0 ? (size_t)nr : 0;
	}
	return length == strlen(expect) && memcmp(got, expect, length) == 0;
}

int main(int argc, char **argv)
{
	char *cat_command[] = { "cat", NULL };
	char *sh_command[] = { "sh", NULL };
	struct talk cat, sh;

	program_start(argc, argv);
	cat = start(cat_command);
	sh = start(sh_command);
	if (!answers(&cat, "one\n", "one\n") ||
	    !answers(&sh, "x=5; echo started\n", "started\n"))
		program_die(__FILE__, __LINE__, "children do not answer", 0);

	program_ready();

	CHECK(answers(&cat, "two\n", "two\n"), "cat");
	CHECK(answers(&sh, "echo $((x + 2)) $(echo sub)\n", "7 sub\n"), "sh");
	close(cat.to);
	close(sh.to);
	program_join(cat.pid);
	program_join(sh.pid);
	return program_result();
}
