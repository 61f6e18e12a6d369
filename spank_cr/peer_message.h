/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * peer_message.h - what the agents of a step's nodes tell each other
 *
 * Over TCP, between the lead and each other node.  Here is the message and
 * its bytes; that it is genuine is peer_seal.h's part, and what it makes
 * happen step_fsm.h's.  The bytes are untrusted: reading checks everything.
 */
#ifndef PEER_MESSAGE_H
#define PEER_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "cr_error.h"

enum cr_peer_type {
	/* member -> lead */
	CR_PEER_HELLO = 1, /* text: the node's name */
	CR_PEER_TERM, /* SIGTERM has come to a rank here */
	CR_PEER_ARRIVED, /* at @barrier of @round; count at ENDS: of
			  * connections to other nodes; at SAVED: bytes of
			  * the image */
	CR_PEER_FAILED, /* in @round: value -errno, text why */
	CR_PEER_PROGRESS, /* alive; bytes of the image written so far, of which
			   * the lead makes nothing */
	CR_PEER_LEAVE, /* the step is over here; value: enum cr_peer_leave */
	/* lead -> member */
	CR_PEER_WELCOME, /* answer to HELLO; generation to restart from or 0;
			  * round of that restart */
	CR_PEER_FORWARD, /* give your ranks the SIGTERM that they got */
	CR_PEER_CHECKPOINT, /* begin @round, into @generation; flag FINAL;
			     * value: enum cr_cause */
	CR_PEER_PASS, /* all are at @barrier of @round: go on */
	CR_PEER_ABORT, /* @round has failed: thaw; text why */
	CR_PEER_RESTART, /* @round: restart from @generation; 0: none is left;
			  * then value: enum cr_on_failure; text why */
	CR_PEER_PING, /* alive */
	/* both ways, before @round passes the barrier `ready': what addresses
	 * have become (addresses.h), of the member's image, which is that of
	 * node @count; then of those that the image's ends lead to */
	CR_PEER_MOVES,
	CR_NR_PEER_TYPES,
};

enum cr_peer_leave {
	CR_PEER_LEAVE_EXITED, /* all ranks had exited by themselves */
	CR_PEER_LEAVE_KILLED,
	CR_PEER_LEAVE_SAVED, /* they were saved and ended */
};

#define CR_PEER_FINAL 1u /* flag: the step ends after it */
#define CR_PEER_SAY 2u /* flag: tell the user what the text says */
#define CR_PEER_FLAGS 3u

#define CR_PEER_NONCE 16 /* bytes */

struct cr_peer_message {
	uint32_t type; /* enum cr_peer_type */
	uint32_t job, step;
	uint32_t from, to; /* indexes of nodes in the step; the lead is 0 */
	uint8_t nonce[CR_PEER_NONCE]; /* of the lead: this run of the step */
	uint64_t session; /* drawn by the member for this connection */
	uint64_t sequence; /* of sender and session, from 1, growing */
	uint32_t round;
	uint32_t generation;
	uint32_t barrier; /* enum cr_barrier */
	uint32_t flags;
	int32_t value;
	uint64_t count;
	uint64_t bytes_done, bytes_total; /* of PROGRESS */
	char text[CR_ERROR_TEXT_MAX]; /* printable */
};

/* Bytes of the longest message. */
#define CR_PEER_BYTES_MAX (112 + CR_ERROR_TEXT_MAX)

/* Write @message; returns its length.  What is not printable in the text
 * becomes '?'. */
size_t cr_peer_encode(const struct cr_peer_message *message,
		      uint8_t bytes[CR_PEER_BYTES_MAX]);

/* Read one.  0, or -EBADMSG with what is wrong; @message is whole or zero. */
int cr_peer_decode(const void *bytes, size_t length,
		   struct cr_peer_message *message, struct cr_error *err);

const char *cr_peer_type_name(uint32_t type);

/* Who is on the other end of a connection, and what has been heard. */
struct cr_peer_expect {
	uint32_t job, step;
	uint32_t from, to;
	int any_from; /* a HELLO: any node but the lead */
	uint32_t nr_nodes;
	uint8_t nonce[CR_PEER_NONCE];
	uint64_t session; /* 0: not known before the HELLO */
	uint64_t last_sequence;
};

/*
 * Is it for us, of this step and this connection, and new?  Notes its
 * sequence number.  0; -EPERM: foreign; -EALREADY: heard before.
 */
int cr_peer_check(struct cr_peer_expect *expect,
		  const struct cr_peer_message *message, struct cr_error *err);

#endif /* PEER_MESSAGE_H */
