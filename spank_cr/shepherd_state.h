/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shepherd_state.h - what the files of the shepherd share
 */
#ifndef SHEPHERD_STATE_H
#define SHEPHERD_STATE_H

#include <stdint.h>
#include <sys/types.h>

#include "shepherd.h"
#include "shepherd_input.h"

enum cr_shepherd_phase {
	CR_SHEPHERD_WAITING, /* for the restart */
	CR_SHEPHERD_RUNNING,
	CR_SHEPHERD_SAVING, /* the agent is about to save and end the program */
};

/* Everything that the loop knows. */
struct cr_shepherd_state {
	struct cr_shepherd *shepherd;
	enum cr_shepherd_phase phase;
	int is_suspended; /* SIGTSTP was the last: SIGCONT is meant */
	int has_cont; /* held back */
	int has_term; /* the agent is asked what it means */
	int signals; /* signalfd */
	int status; /* socket of the restarter, or -1 */
	int program_fd; /* pidfd of the rank's program, or -1 */
	pid_t program; /* child, or 0 after a restart */
	struct cr_input input;
};

/* --- shepherd.c --- */
/* If it is not there any more we go on alone. */
void cr_shepherd_tell_agent(struct cr_shepherd *shepherd, int type, int pid,
			    int value);
/* To the program, if there is one. */
void cr_shepherd_send_signal(const struct cr_shepherd_state *state, int signal);
/* Keep the streams and what the loop needs, nothing else of slurmstepd's. */
void cr_shepherd_close_others(struct cr_shepherd_state *state);
/* One message of the agent.  Returns its type, 0 if the agent has gone. */
uint32_t cr_shepherd_hear_agent(struct cr_shepherd_state *state,
				int timeout_ms);
/* The program has ended with @status: end alike, unless it has been saved. */
void cr_shepherd_program_ended(struct cr_shepherd_state *state, int status)
	__attribute__((noreturn));

/* --- shepherd_restart.c --- */
/* The restarter has something to say, or has died. */
void cr_shepherd_hear_restarter(struct cr_shepherd_state *state);
/*
 * Hand our streams to the agent and wait for what becomes of it.  Returns
 * true if the program is to be begun anew, false once it runs again.
 */
int cr_shepherd_await_restart(struct cr_shepherd_state *state);

#endif /* SHEPHERD_STATE_H */
