/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * message.h - what slurmstepd, shepherds, agent and restarter tell each other
 *
 * Over SOCK_SEQPACKET sockets on one node: a message is one packet, which
 * arrives whole or not at all, and may carry descriptors.
 * docs/plugin-protocol.md has the conversations.  The end of a socket is a
 * message too: the other side has died.
 */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "config.h"
#include "cr_error.h"
#include "step.h"

enum cr_message_type {
	/* slurmstepd -> agent, and the agent's answers */
	CR_MSG_SETUP_DONE = 1, /* setup has been read; value: enum
				* cr_setup_answer or -errno, text */
	CR_MSG_GROUPS, /* value: agents that this node needs, of which this
			* is the first; before SETUP_DONE */
	CR_MSG_KILLED, /* a rank was killed; the answer is the same: srun may
			* hear of it now */
	CR_MSG_FINISH, /* the step is over on this node */
	CR_MSG_BYE, /* all is cleaned up */
	/* a rank's process, while it is still root */
	CR_MSG_HELLO, /* rank, local, pid; fd: its own socket */
	CR_MSG_ENTER, /* answer; value: enum cr_enter or -errno with text,
		       * -EXDEV: another agent has this rank; fds: pidfd of
		       * init, lifeline */
	/* shepherd -> agent */
	CR_MSG_STARTED, /* pid: the rank's program; fd: counter of its
			 * input, if that is a pipe */
	CR_MSG_READY, /* to be restarted; fds: 0, 1, 2, status socket, and
		       * that counter */
	CR_MSG_SIGNAL, /* value: signal that it got */
	CR_MSG_EXITED, /* value: wait status of the rank's program */
	CR_MSG_PMIX, /* value: port of the PMIx server; the answer's: the port
		      * to use instead, or -errno */
	CR_MSG_PMI, /* fd: the rank's socket of PMI; the answer's: the one to
		     * use instead, or value: -errno */
	/* agent -> shepherd */
	CR_MSG_START, /* restart is off: begin the program anew */
	CR_MSG_FORWARD, /* value: signal for the program */
	CR_MSG_SAVING, /* if the program dies now, wait for the next two */
	CR_MSG_SAVED, /* the program has been saved and ended; value:
		       * milliseconds to wait before ending */
	CR_MSG_NOT_SAVED, /* it runs on */
	CR_MSG_TEXT, /* text for the rank's stderr */
	/* restarter -> shepherd, over the status socket */
	CR_MSG_RESTARTED, /* pid; fd: pidfd of the rank's program; count:
			   * bytes of input that it has had */
	CR_MSG_STATUS, /* value: wait status of the rank's program */
	/* agent -> relay; and the relay's TEXT, for the user */
	CR_MSG_RELAY_SESSION, /* fd: a socket for all below */
	CR_MSG_RELAY_PMI, /* local; fds: slurmstepd's socket for that rank, and
			   * the other end of the one that it has, whose inode
			   * is count */
	/* saver or restarter -> relay; each is answered by DONE */
	CR_MSG_RELAY_QUIESCE, /* the ranks are frozen */
	CR_MSG_RELAY_STATE, /* value: port of a client, or 0: PMI, and count is
			     * its socket's inode; DONE's fd: its record, local
			     * (PMI), -ENOENT: none of ours */
	CR_MSG_RELAY_HOLD, /* the ranks will be ended */
	CR_MSG_RELAY_RESTORE, /* value: port of a client, who will be restarted,
			       * or 0: PMI of local; fd: count bytes of record,
			       * then what it has not read yet; DONE's fd: the
			       * socket (PMI) */
	CR_MSG_RELAY_GO, /* they have been restarted */
	CR_MSG_RELAY_DONE, /* value: 0 or -errno, text */
	CR_NR_MESSAGES,
};

enum cr_setup_answer {
	CR_SETUP_READY = 0,
	CR_SETUP_WITHOUT = 1, /* the step is to run without checkpoints, for the
			       * reason in text; the agent ends */
};

enum cr_enter {
	CR_ENTER_START = 1, /* begin the program */
	CR_ENTER_RESTART = 2, /* send READY and wait */
};

#define CR_MESSAGE_FDS_MAX 5

struct cr_message {
	uint32_t type; /* enum cr_message_type */
	uint32_t rank; /* in the step */
	uint32_t local; /* on the node */
	int32_t pid;
	int32_t value;
	uint32_t reserved;
	uint64_t count;
	char text[CR_ERROR_TEXT_MAX];
};

#define CR_GROUPS_MAX 64 /* on one node: see layout.h */

/* What the agent has to know. */
struct cr_setup {
	uint32_t size; /* of this struct: tells a foreign agent */
	uint32_t group; /* which of the node's agents it is, from 0 */
	struct cr_step step;
	struct cr_config config;
};

/* A pair of connected sockets, both close-on-exec.  0 or -errno. */
int cr_message_pair(int fds[2]);

/*
 * Send; never blocks for longer than a second.  Descriptors in @fds stay the
 * caller's.  Returns 0, -EPIPE if the other side is gone, -ETIMEDOUT.
 */
int cr_message_send(int socket, const struct cr_message *message,
		    const int *fds, size_t nr_fds);

/* Send @type alone, or with a @value. */
int cr_message_tell(int socket, enum cr_message_type type, int value);

/*
 * Receive one message.  @fds (CR_MESSAGE_FDS_MAX of them, or NULL for none)
 * get the descriptors that came with it, close-on-exec, -1 where there is
 * none; they are the caller's.  @timeout_ms < 0: wait for ever.
 * Returns 0, -EPIPE at the end, -ETIMEDOUT, -EBADMSG for what is no message
 * (descriptors are closed).
 */
int cr_message_receive(int socket, struct cr_message *message, int *fds,
		       int timeout_ms);

/*
 * The same when there is something to read, for who goes on whatever comes.
 * Returns 1 with a message; 0: nothing, or what is none; -errno: the other side
 * has gone.
 */
int cr_message_hear(int socket, struct cr_message *message, int *fds);

/* Set all to -1. */
void cr_message_no_fds(int fds[CR_MESSAGE_FDS_MAX]);

/* Close those of @fds that are open and set all to -1. */
void cr_message_close_fds(int fds[CR_MESSAGE_FDS_MAX]);

int cr_setup_send(int socket, const struct cr_setup *setup);
/* -EBADMSG: not of the same version as this program. */
int cr_setup_receive(int socket, struct cr_setup *setup, int timeout_ms);

#endif /* MESSAGE_H */
