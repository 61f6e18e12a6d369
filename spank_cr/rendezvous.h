/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rendezvous.h - where a step's nodes find their lead agent
 *
 * The lead writes lead.json into the step's folder, beside the generations:
 * where it listens, and a nonce that tells this run of the step from others.
 * It lists every address of the node.  Which of them the others reach shows
 * when they try: only the lead can answer them with a genuine message.
 */
#ifndef RENDEZVOUS_H
#define RENDEZVOUS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "cr_error.h"
#include "peer_message.h"
#include "step.h"

#define CR_RENDEZVOUS_NAME "lead.json"
#define CR_RENDEZVOUS_ADDRESSES_MAX 32

struct cr_rendezvous {
	char run[CR_STEP_RUN_SIZE]; /* struct cr_step's */
	uint8_t nonce[CR_PEER_NONCE];
	uint16_t port;
	size_t nr_addresses;
	struct sockaddr_storage addresses[CR_RENDEZVOUS_ADDRESSES_MAX];
};

/* Draw a nonce and list this node's addresses: what its name means first, no
 * loopback, no link-local ones.  0, -ENETUNREACH if there are none. */
int cr_rendezvous_make(const struct cr_step *step, uint16_t port,
		       struct cr_rendezvous *rendezvous, struct cr_error *err);

/* Put it in place in folder @dirfd, in one step. */
int cr_rendezvous_write(int dirfd, const struct cr_rendezvous *rendezvous,
			struct cr_error *err);

/*
 * Read it.  -ENOENT: not there yet; -ESTALE: of another run of the step;
 * -EPERM: not root's; -EBADMSG.  *@rendezvous is all zero then.
 */
int cr_rendezvous_read(int dirfd, const struct cr_step *step,
		       struct cr_rendezvous *rendezvous, struct cr_error *err);

/* Remove it if it is still ours. */
void cr_rendezvous_remove(int dirfd, const struct cr_step *step,
			  const struct cr_rendezvous *rendezvous);

/* Sort the addresses: first those in a network that this node is in too. */
void cr_rendezvous_sort(struct cr_rendezvous *rendezvous);

#endif /* RENDEZVOUS_H */
