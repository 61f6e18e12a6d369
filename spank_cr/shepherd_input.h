/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shepherd_input.h - a rank's standard input, counted
 *
 * srun sends its input from the beginning again when a job starts again.  So
 * the shepherd puts a pipe of its own between slurmstepd's and the program,
 * counts what goes through, and after a restart drops what the program had
 * read before.  Input that is no pipe is left alone.
 */
#ifndef SHEPHERD_INPUT_H
#define SHEPHERD_INPUT_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

/* In a memfd that the agent can read. */
struct cr_input_counter {
	uint64_t written; /* bytes into the program's pipe */
	uint64_t is_busy; /* between writing and counting */
};

struct cr_input {
	int source; /* from slurmstepd, -1: not relayed, or at its end */
	int sink; /* to the program */
	int counter_fd; /* for the agent; -1: none */
	struct cr_input_counter *counter;
	uint64_t discard; /* bytes from source still to be dropped */
	size_t held; /* bytes in buffer, */
	size_t from; /* from here on */
	char buffer[32768];
};

/* Make descriptor 0 the new pipe, if it is a pipe now.  Without memory or
 * descriptors for that all stays as it is. */
void cr_input_open(struct cr_input *input);

/* What to wait for: fills two entries. */
void cr_input_poll(const struct cr_input *input, struct pollfd pollfds[2]);

/* Move what can be moved without waiting. */
void cr_input_relay(struct cr_input *input);

#endif /* SHEPHERD_INPUT_H */
