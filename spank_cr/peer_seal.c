/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * peer_seal.c - seal and open messages with munge; see peer_seal.h
 */
#include <errno.h>
#include <munge.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "peer_seal.h"

#define PAUSE_NS 100000000

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

/* --- seals --- */

/* True as long as munged may come back; waits a moment then. */
static int may_come_back(munge_err_t why, const struct timespec *began)
{
	const struct timespec pause = { 0, PAUSE_NS };
	struct timespec now;

	if (errno_of(why) != -EIO)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if ((now.tv_sec - began->tv_sec) * 1000 +
		    (now.tv_nsec - began->tv_nsec) / 1000000 >=
	    CR_SEAL_PATIENCE_MS)
		return 0;
	nanosleep(&pause, NULL);
	return 1;
}

static int no_answer(munge_err_t why, struct cr_error *err)
{
	return cr_error_set(err, -ETIMEDOUT,
			    "munged does not answer for %d s: %s",
			    CR_SEAL_PATIENCE_MS / 1000, munge_strerror(why));
}

int cr_seal_sign(struct cr_seal *seal, const char *words, char **textp,
		 struct cr_error *err)
{
	struct timespec began;
	munge_err_t why;

	clock_gettime(CLOCK_MONOTONIC, &began);
	do {
		why = munge_encode(textp, seal->ctx, words, (int)strlen(words));
	} while (may_come_back(why, &began));
	return why == EMUNGE_SUCCESS ? 0 : no_answer(why, err);
}

/* Origin and contents have been checked with these, too. */
static int is_genuine(munge_err_t why)
{
	return why == EMUNGE_SUCCESS || why == EMUNGE_CRED_EXPIRED ||
	       why == EMUNGE_CRED_REWOUND || why == EMUNGE_CRED_REPLAYED;
}

static int check_words(munge_err_t why, uid_t made_by, uint32_t uid,
		       int is_same, struct cr_error *err)
{
	if (errno_of(why) == -EIO)
		return no_answer(why, err);
	if (!is_genuine(why))
		return cr_error_set(err, -ENOKEY, "%s", munge_strerror(why));
	if (made_by != uid)
		return cr_error_set(err, -EPERM, "it was made by uid %u",
				    made_by);
	return is_same ? 0 :
			 cr_error_set(err, -EBADMSG, "it says something else");
}

int cr_seal_verify(struct cr_seal *seal, const char *text, uint32_t uid,
		   const char *words, struct cr_error *err)
{
	struct timespec began;
	uid_t made_by = (uid_t)-1;
	void *bytes = NULL;
	munge_err_t why;
	int length = 0, rc;

	clock_gettime(CLOCK_MONOTONIC, &began);
	do {
		free(bytes);
		bytes = NULL;
		why = munge_decode(text, seal->open_ctx, &bytes, &length,
				   &made_by, NULL);
	} while (may_come_back(why, &began));
	rc = check_words(why, made_by, uid,
			 bytes && (size_t)length == strlen(words) &&
				 !memcmp(bytes, words, strlen(words)),
			 err);
	free(bytes);
	return rc;
}
