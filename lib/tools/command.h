/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * command.h - the subcommands of cr
 *
 * Each is in its own file cmd_NAME.c and parses its options with argp(3).
 * main.c only chooses.  Exit codes, the same for all and in cr(1):
 */
#ifndef COMMAND_H
#define COMMAND_H

#include <stdint.h>

#include "cr_engine.h"
#include "cr_error.h"

struct argp_state;

enum cr_exit {
	CR_EXIT_OK = 0,
	CR_EXIT_FAILED = 1, /* the act failed; the program runs on if it ran */
	CR_EXIT_USAGE = 2, /* bad options or arguments */
	CR_EXIT_REFUSED = 3, /* verdict: something cannot be saved */
	CR_EXIT_IMAGE = 4, /* image damaged, cut short or too new */
	CR_EXIT_CONFLICT = 5, /* a vpid or port is taken, a file has
			       * changed */
	/* run and restart without --detach: the program's own status, or
	 * 128 + signal */
};

int cmd_run(int argc, char **argv);
int cmd_checkpoint(int argc, char **argv);
int cmd_restart(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_inspect(int argc, char **argv);
int cmd_status(int argc, char **argv);

/* Print "cr: TEXT" and return the exit code that fits @err. */
int cr_command_fail(const struct cr_error *err);

/* What --engine says; ends with CR_EXIT_USAGE if it is none of the names. */
enum cr_engine cr_command_engine(const char *name, struct argp_state *state);

/* An option's number, 1 to @maximum; ends with CR_EXIT_USAGE if it is none. */
unsigned int cr_command_number(const char *text, unsigned long maximum,
			       struct argp_state *state);

/* A progress bar with bytes and rate on stderr if that is a terminal: fits
 * the progress callbacks of the library.  @arg: a label, "saving". */
void cr_command_progress(void *arg, uint64_t bytes_done, uint64_t bytes_total);

#endif /* COMMAND_H */
