/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmi_log.h - what a PMI client has said to its server
 *
 * PMI-1 and PMI-2, which came before PMIx: a rank inherits a socket
 * (PMI_FD) and asks, one question after the other, each of which is answered
 * before the next.  PMI-1 speaks in lines, PMI-2, after the same first line,
 * in texts with six digits of length in front.
 *
 * Kept are the requests that leave something behind in the server (put, fence),
 * in their order, so that another one can be told the same; and those that
 * have not been answered yet.
 */
#ifndef PMI_LOG_H
#define PMI_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "cr_error.h"

/* More is not kept: a client that says so much cannot be moved. */
#define CR_PMI_LOG_MAX (24u << 20) /* bytes */
#define CR_PMI_MESSAGE_MAX (1u << 20)

struct cr_pmi_bytes {
	uint8_t *data;
	size_t length;
};

struct cr_pmi_record {
	struct cr_pmi_bytes kept; /* requests that are answered */
	struct cr_pmi_bytes asked; /* those that are not */
	struct cr_pmi_bytes pending; /* what the client has not been sent yet */
	struct cr_pmi_bytes partial; /* begin of what it is sending */
	int is_full; /* something could not be kept */
};

/*
 * Bytes of the first message of @data; 0: it is not complete; -EBADMSG: it is
 * no PMI, or of more than CR_PMI_MESSAGE_MAX bytes.
 */
long cr_pmi_message_length(const void *data, size_t length);

/* True if @message takes leave of the server. */
int cr_pmi_is_farewell(const void *message, size_t length);

/* The client has sent @message; it is copied. */
void cr_pmi_log_request(struct cr_pmi_record *record, const void *message,
			size_t length);
/* The oldest request that had no answer has one now.  Returns 1 if that was a
 * farewell. */
int cr_pmi_log_answer(struct cr_pmi_record *record);

/* All of @record as bytes: *@datap (free(3)), *@lengthp.  -ENOMEM, -EFBIG: it
 * is more than can be kept. */
int cr_pmi_record_write(const struct cr_pmi_record *record, void **datap,
			size_t *lengthp, struct cr_error *err);
/* -EBADMSG: not written by us; -ENOMEM.  @record is to be freed on success. */
int cr_pmi_record_read(const void *data, size_t length,
		       struct cr_pmi_record *record, struct cr_error *err);
void cr_pmi_record_free(struct cr_pmi_record *record);

#endif /* PMI_LOG_H */
