/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd_check.c - cr check: would a tree's checkpoint succeed?
 *
 * The tree is stopped for as long as it takes to look at it, and goes on.
 */
#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "command.h"
#include "cr_checkpoint.h"
#include "rootless.h"
#include "target.h"

enum key {
	KEY_TCP = 0x100,
};

struct arguments {
	pid_t pid;
	int tcp_close;
};

static const struct argp_option option_table[] = {
	{ "tcp", KEY_TCP, "refuse|close", 0, CR_TARGET_TCP_DOC, 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case KEY_TCP:
		arguments->tcp_close = cr_target_parse_tcp(arg, state);
		return 0;
	case ARGP_KEY_ARG:
		arguments->pid = cr_target_parse_pid(arg, state);
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_usage(state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = option_table,
	.parser = parse,
	.args_doc = "PID",
	.doc = "Say what keeps the process tree of PID from being saved."
	       "\vEnds with 0 if nothing does, with 3 if something does.",
};

static void report(void *arg, const struct cr_error *why)
{
	size_t *nr_reports = arg;

	printf("%s%s\n", why->code == -EAGAIN ? "for the moment: " : "",
	       why->text);
	(*nr_reports)++;
}

int cmd_check(int argc, char **argv)
{
	struct cr_checkpoint_options options = { .image_fd = -1 };
	struct cr_checkpoint *checkpoint = NULL;
	struct cr_error err = { 0 };
	size_t nr_reports = 0;
	struct cr_root root;
	struct arguments arguments = { 0 };
	int rc;

	argp_err_exit_status = CR_EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	options.tcp_close = arguments.tcp_close;
	rc = cr_target(arguments.pid, &root, &options, &err);
	if (rc == 0)
		rc = cr_rootless_join(root.pid, &err);
	if (rc == 0)
		rc = cr_checkpoint_open(&options, &checkpoint, &err);
	cr_target_hold_signals(SIG_BLOCK);
	if (rc == 0)
		rc = cr_checkpoint_freeze(checkpoint, &err);
	if (rc == -EBUSY) /* a debugger */
		report(&nr_reports, &err);
	if (rc == 0)
		rc = cr_checkpoint_verdict(checkpoint, report, &nr_reports,
					   &err);
	cr_checkpoint_close(checkpoint);
	cr_target_hold_signals(SIG_UNBLOCK);
	if (nr_reports)
		return CR_EXIT_REFUSED;
	return rc < 0 ? cr_command_fail(&err) : CR_EXIT_OK;
}
