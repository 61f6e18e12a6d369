/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * peer_seal.c - seal and open messages with munge; see peer_seal.h
 */
#include <errno.h>
#include <munge.h>
#include <stdlib.h>
#include <unistd.h>

#include "peer_seal.h"

/* Decoding leaves the credential's own options in its context. */
struct cr_seal {
	munge_ctx_t ctx, open_ctx;
};

struct cr_seal *cr_seal_create(const char *socket, int ttl)
{
	struct cr_seal *seal = calloc(1, sizeof(*seal));

	if (!seal)
		return NULL;
	seal->ctx = munge_ctx_create();
	seal->open_ctx = munge_ctx_create();
	if (!seal->ctx || !seal->open_ctx ||
	    munge_ctx_set(seal->ctx, MUNGE_OPT_TTL, ttl) ||
	    munge_ctx_set(seal->ctx, MUNGE_OPT_ZIP_TYPE, MUNGE_ZIP_NONE) ||
	    /* nobody but root can read it */
	    munge_ctx_set(seal->ctx, MUNGE_OPT_UID_RESTRICTION, geteuid()) ||
	    (socket &&
	     (munge_ctx_set(seal->ctx, MUNGE_OPT_SOCKET, socket) ||
	      munge_ctx_set(seal->open_ctx, MUNGE_OPT_SOCKET, socket)))) {
		cr_seal_destroy(seal);
		return NULL;
	}
	return seal;
}

void cr_seal_destroy(struct cr_seal *seal)
{
	if (!seal)
		return;
	if (seal->ctx)
		munge_ctx_destroy(seal->ctx);
	if (seal->open_ctx)
		munge_ctx_destroy(seal->open_ctx);
	free(seal);
}

int cr_seal_allow(struct cr_seal *seal, uint32_t uid)
{
	return munge_ctx_set(seal->ctx, MUNGE_OPT_UID_RESTRICTION, uid) ? -EIO :
									  0;
}

int cr_seal_close(struct cr_seal *seal, const struct cr_peer_message *message,
		  char **textp, struct cr_error *err)
{
	uint8_t bytes[CR_PEER_BYTES_MAX];
	size_t length = cr_peer_encode(message, bytes);
	munge_err_t rc;

	rc = munge_encode(textp, seal->ctx, bytes, (int)length);
	if (rc == EMUNGE_SUCCESS)
		return 0;
	return cr_error_set(err, -EIO, "munge: %s",
			    munge_ctx_strerror(seal->ctx));
}

static int errno_of(munge_err_t rc)
{
	switch (rc) {
	case EMUNGE_SUCCESS:
		return 0;
	case EMUNGE_CRED_EXPIRED:
	case EMUNGE_CRED_REWOUND:
		return -ETIME;
	case EMUNGE_CRED_REPLAYED:
		return -EALREADY;
	case EMUNGE_CRED_UNAUTHORIZED:
		return -EPERM;
	case EMUNGE_SOCKET:
	case EMUNGE_TIMEOUT:
	case EMUNGE_NO_MEMORY:
	case EMUNGE_SNAFU:
		return -EIO;
	default:
		return -EBADMSG;
	}
}

int cr_seal_open(struct cr_seal *seal, const char *text, uint32_t uid,
		 struct cr_peer_message *message, struct cr_error *err)
{
	void *bytes = NULL;
	uid_t made_by = (uid_t)-1;
	munge_err_t why;
	int length = 0, rc;

	why = munge_decode(text, seal->open_ctx, &bytes, &length, &made_by,
			   NULL);
	rc = errno_of(why);
	if (rc)
		cr_error_set(err, rc, "a message that munge refuses: %s",
			     munge_strerror(why));
	else if (made_by != uid)
		rc = cr_error_set(err, -EPERM, "a message made by uid %u",
				  made_by);
	else
		rc = cr_peer_decode(bytes, (size_t)length, message, err);
	free(bytes);
	return rc;
}
