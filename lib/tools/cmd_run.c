/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd_run.c - cr run: start a program in namespaces of its own
 *
 * There its pids are free at any restart, on any node.  The program leads a
 * session of its own; its parent, outside, is this command.
 */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "cr_namespace.h"
#include "rootless.h"
#include "supervise.h"

struct arguments {
	char **program;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	(void)arg;
	switch (key) {
	case ARGP_KEY_ARG:
		/* the rest is the program's, options too */
		arguments->program = state->argv + state->next - 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_usage(state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.parser = parse,
	.args_doc = "[--] PROGRAM [ARGUMENT...]",
	.doc = "Run PROGRAM so that `cr checkpoint' and `cr restart' can move "
	       "it.\vEnds as the program ends; with 128 + signal if one "
	       "killed it.",
};

static void __attribute__((noreturn)) run_program(char **program)
{
	setsid();
	cr_supervise_child();
	execvp(program[0], program);
	fprintf(stderr, "cr: %s: %s\n", program[0], strerror(errno));
	_exit(127);
}

int cmd_run(int argc, char **argv)
{
	struct cr_namespace ns = CR_NAMESPACE_NONE;
	struct arguments arguments = { 0 };
	struct cr_error err = { 0 };
	pid_t pid;
	int rc;

	argp_err_exit_status = CR_EXIT_USAGE;
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &arguments);
	if (cr_rootless_begin(&err) < 0 ||
	    cr_namespace_create(CR_NAMESPACE_DIES_WITH_CALLER, 0, 0, &ns,
				&err) < 0)
		return cr_command_fail(&err);
	cr_supervise_begin();
	rc = cr_namespace_enter(ns.init_fd, &err);
	if (rc < 0)
		goto out;
	pid = fork();
	if (pid == 0)
		run_program(arguments.program);
	if (pid < 0) {
		cr_error_errno(&err, "fork");
		goto out;
	}
	rc = cr_supervise(pid);
	cr_namespace_destroy(&ns);
	return rc;

out:
	cr_namespace_destroy(&ns);
	return cr_command_fail(&err);
}
