/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shepherd_program.h - how a rank's program begins, and how its shepherd ends
 *
 * Small things that a shepherd does to itself and to its child.
 */
#ifndef SHEPHERD_PROGRAM_H
#define SHEPHERD_PROGRAM_H

#include <signal.h>

#include "shepherd.h"

/* A line to the rank's standard error, if that does not block: the agent's
 * words, or our own, which begin with the rank's number. */
void cr_shepherd_pass_on(const char *text);
void cr_shepherd_say(const struct cr_shepherd *shepherd, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* End as a program with @status of wait(2) did: the same code, or the same
 * signal, without a core. */
void cr_shepherd_end_like(int status) __attribute__((noreturn));

/* A terminal that was our session's is to become the program's session's: let
 * go of it.  True if there was one. */
int cr_shepherd_give_up_terminal(void);

/* In the child: be what slurmstepd had made of its parent, with signal mask
 * @mask, but in a session of its own. */
void cr_shepherd_become_program(const struct cr_shepherd *shepherd,
				const sigset_t *mask, int has_terminal);

#endif /* SHEPHERD_PROGRAM_H */
