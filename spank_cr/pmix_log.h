/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmix_log.h - what a PMIx client and its server have said to each other
 *
 * As much of it as a new server must be told to be in the old one's place:
 * requests of the client in their order, and, between them, which answers had
 * come by then.  A request and its answer have the same tag.  Requests that
 * leave nothing behind in the server (a Get) go when they are answered; the
 * contents of answers are never kept.
 *
 * A replay walks through the entries: requests are said again; where an
 * answer stands, it must have come before the next request, and is swallowed,
 * since the client has had it.  Requests without one are answered to the
 * client as ever.
 */
#ifndef PMIX_LOG_H
#define PMIX_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "cr_error.h"

/* More is not kept: a client that says so much cannot be moved. */
#define CR_PMIX_LOG_MAX (24u << 20) /* bytes */
#define CR_PMIX_MESSAGE_MAX (1u << 30)
#define CR_PMIX_TAG_DYNAMIC 100u /* smaller ones need no answer */

struct cr_pmix_entry {
	uint8_t *message; /* request, header included; NULL: an answer */
	uint32_t length;
	uint32_t tag;
	int has_come; /* answer: in this life */
};

struct cr_pmix_log {
	struct cr_pmix_entry *entries;
	size_t nr_entries, room;
	size_t bytes; /* of requests */
	int is_full; /* something could not be kept */
};

/* Everything that is kept of one connection. */
struct cr_pmix_record {
	uint8_t *hello;
	size_t hello_length;
	struct cr_pmix_log log;
	uint8_t *pending; /* messages that the client has not been sent yet */
	size_t pending_length;
	uint8_t *partial; /* begin of a message that it is sending */
	size_t partial_length;
};

/* Bytes of the message that begins with @header, and its tag; or -EBADMSG. */
long cr_pmix_message_length(const uint8_t header[16], uint32_t *tagp);

/* The client has sent @message; it is copied. */
void cr_pmix_log_request(struct cr_pmix_log *log, const void *message,
			 size_t length, uint32_t tag);
/* Its server has answered @tag. */
void cr_pmix_log_answer(struct cr_pmix_log *log, uint32_t tag);
/* In a replay: 1 if that answer is one that the client has had. */
int cr_pmix_log_swallow(struct cr_pmix_log *log, uint32_t tag);
void cr_pmix_log_free(struct cr_pmix_log *log);

/* All of @record as bytes: *@datap (free(3)), *@lengthp.  -ENOMEM, -EFBIG: it
 * is more than can be kept. */
int cr_pmix_record_write(const struct cr_pmix_record *record, void **datap,
			 size_t *lengthp, struct cr_error *err);
/* -EBADMSG: not written by us; -ENOMEM.  @record is to be freed on success. */
int cr_pmix_record_read(const void *data, size_t length,
			struct cr_pmix_record *record, struct cr_error *err);
void cr_pmix_record_free(struct cr_pmix_record *record);

#endif /* PMIX_LOG_H */
