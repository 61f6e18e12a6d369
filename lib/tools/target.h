/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * target.h - the tree that a user means by a pid
 *
 * Private to lib/tools/.
 */
#ifndef TARGET_H
#define TARGET_H

#include "cr_checkpoint.h"
#include "cr_error.h"

/*
 * Fill @root and @options for process @pid as seen from here: the program of
 * a `cr run' or `cr restart' if @pid is one of those, and with the init of
 * its PID namespace if that is another than ours.  @root must live as long
 * as the options.
 */
int cr_target(pid_t pid, struct cr_root *root,
	      struct cr_checkpoint_options *options, struct cr_error *err);

/* Do /proc/@a/@name and /proc/@b/@name lead to the same?  0 also if one cannot
 * be looked at. */
int cr_target_is_same(pid_t a, pid_t b, const char *name);

/*
 * Keep SIGINT, SIGTERM and SIGHUP waiting (@how SIG_BLOCK), or let them come
 * again (SIG_UNBLOCK): while a tree is being looked at, its threads make calls
 * for us, and must not be left alone in one.
 */
void cr_target_hold_signals(int how);

struct argp_state;

/* The only argument, a pid; anything else is an error of usage. */
pid_t cr_target_parse_pid(const char *text, struct argp_state *state);

/* --tcp: what becomes of TCP connections that lead out of the tree. */
#define CR_TARGET_TCP_DOC                                                 \
	"TCP connections that lead out of the tree: refuse to save them " \
	"(default), or let the program find them reset"

/* "refuse": 0, "close": 1; anything else is an error of usage. */
int cr_target_parse_tcp(const char *what, struct argp_state *state);

#endif /* TARGET_H */
