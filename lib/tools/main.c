/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * main.c - cr: choose the subcommand, and what all subcommands share
 */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "command.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "run", cmd_run,
	  "run a program so that it can be restarted anywhere" },
	{ "checkpoint", cmd_checkpoint, "save a process tree to an image" },
	{ "restart", cmd_restart, "make a saved tree run again" },
	{ "check", cmd_check, "say what keeps a tree from being saved" },
	{ "inspect", cmd_inspect, "show what an image holds" },
	{ "status", cmd_status,
	  "say what the agents of a Slurm job are doing" },
};

#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int usage(FILE *out, int code)
{
	fprintf(out, "Usage: cr COMMAND [OPTION...] ARGUMENT...\n\n");
	for (size_t i = 0; i < NR_COMMANDS; i++)
		fprintf(out, "  %-12s%s\n", commands[i].name, commands[i].help);
	fprintf(out, "\n`cr COMMAND --help' tells a command's options; "
		     "the manual is cr(1).\n");
	return code;
}

enum cr_engine cr_command_engine(const char *name, struct argp_state *state)
{
	int engine = cr_engine_parse(name);

	if (engine < 0)
		argp_error(state, "--engine is auto, user or kernel, not %s",
			   name);
	return (enum cr_engine)engine;
}

unsigned int cr_command_number(const char *text, unsigned long maximum,
			       struct argp_state *state)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*end || end == text || *text == '-' || !value || value > maximum)
		argp_error(state, "%s is no number from 1 to %lu", text,
			   maximum);
	return (unsigned int)value;
}

int cr_command_fail(const struct cr_error *err)
{
	fprintf(stderr, "cr: %s\n", err->text);
	switch (-err->code) {
	case EOPNOTSUPP:
		return CR_EXIT_REFUSED;
	case EBADMSG:
	case ENODATA:
	case EPROTONOSUPPORT:
		return CR_EXIT_IMAGE;
	case EEXIST:
	case ESTALE:
	case EADDRINUSE:
	case EADDRNOTAVAIL:
		return CR_EXIT_CONFLICT;
	default:
		return CR_EXIT_FAILED;
	}
}

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void cr_command_progress(void *arg, uint64_t bytes_done, uint64_t bytes_total)
{
	static double begin;
	static const char bar[] = "########################";
	const int width = (int)sizeof(bar) - 1;
	double mib = (double)bytes_done / (1 << 20);
	double part, elapsed;

	if (!isatty(STDERR_FILENO))
		return;
	if (begin == 0)
		begin = seconds_now();
	elapsed = seconds_now() - begin;
	part = bytes_total ? (double)bytes_done / (double)bytes_total : 1;
	fprintf(stderr, "\r%s [%-*.*s] %3.0f%% %.0f MiB %.0f MiB/s",
		(const char *)arg, width, (int)(part * width), bar, part * 100,
		mib, elapsed > 0 ? mib / elapsed : 0);
	if (bytes_done >= bytes_total)
		fputc('\n', stderr);
}

int main(int argc, char **argv)
{
	char name[32];

	if (argc < 2)
		return usage(stderr, CR_EXIT_USAGE);
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help"))
		return usage(stdout, CR_EXIT_OK);
	if (!strcmp(argv[1], "--version")) {
		puts("cr (spank_cr) " CR_VERSION);
		return CR_EXIT_OK;
	}
	for (size_t i = 0; i < NR_COMMANDS; i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		/* argp takes the first argument for the program's name */
		snprintf(name, sizeof(name), "cr %s", commands[i].name);
		argv[1] = name;
		return commands[i].run(argc - 1, argv + 1);
	}
	fprintf(stderr, "cr: no such command: %s\n", argv[1]);
	return usage(stderr, CR_EXIT_USAGE);
}
