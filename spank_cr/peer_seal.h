/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * peer_seal.h - messages, and seals of files, as munge credentials
 *
 * The cluster's munge key is the only secret: a credential says that root of
 * one of its nodes has made it, when, and that nothing was changed.  munged
 * itself refuses one that was decoded on this node before.  A seal is one that
 * is believed at any time, and as often as it is read.
 */
#ifndef PEER_SEAL_H
#define PEER_SEAL_H

#include <stddef.h>
#include <stdint.h>

#include "cr_error.h"
#include "peer_message.h"

#define CR_SEAL_TTL 300 /* seconds that a message is valid: munge's own */
#define CR_SEAL_TEXT_MAX 4096 /* bytes of the longest credential */
#define CR_SEAL_PATIENCE_MS 5000 /* for a munged that is being restarted */

struct cr_seal;

/* @socket: munged's, NULL for the system's.  @ttl in seconds.  NULL: no
 * memory. */
struct cr_seal *cr_seal_create(const char *socket, int ttl);
void cr_seal_destroy(struct cr_seal *seal);

/* Who but ourselves may open what we close: @uid.  0 or -EIO.  For tests. */
int cr_seal_allow(struct cr_seal *seal, uint32_t uid);

/*
 * Make the credential of @message; *@textp is freed with free(3).  Returns 0
 * or -EIO: munged does not answer.
 */
int cr_seal_close(struct cr_seal *seal, const struct cr_peer_message *message,
		  char **textp, struct cr_error *err);

/*
 * Open one, zero-terminated.  0, or
 *	-EBADMSG	altered, not a credential, or not a message
 *	-ETIME		expired, or from the future
 *	-EALREADY	opened before
 *	-EPERM		not made by uid @uid
 *	-EIO		munged does not answer
 */
int cr_seal_open(struct cr_seal *seal, const char *text, uint32_t uid,
		 struct cr_peer_message *message, struct cr_error *err);

/*
 * A credential that says @words, which are text; *@textp is freed with free(3).
 * 0, or -ETIMEDOUT: munged did not answer for CR_SEAL_PATIENCE_MS.
 */
int cr_seal_sign(struct cr_seal *seal, const char *words, char **textp,
		 struct cr_error *err);

/*
 * Does the credential @text say @words?  It may have expired, and may have been
 * read before.  0, or
 *	-EBADMSG	it says something else
 *	-ENOKEY		not a credential, damaged, or made with another key
 *	-EPERM		not made by uid @uid
 *	-ETIMEDOUT	as cr_seal_sign()
 */
int cr_seal_verify(struct cr_seal *seal, const char *text, uint32_t uid,
		   const char *words, struct cr_error *err);

#endif /* PEER_SEAL_H */
