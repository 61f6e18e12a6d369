/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmix_record.c - a PMIx connection as bytes, and back; see pmix_log.h
 *
 * These bytes are the note of the connection in an image.  docs/mpi.md has
 * their layout.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pmix_hello.h"
#include "pmix_log.h"

#define MAGIC 0x31584d50u /* "PMX1" */

struct head {
	uint32_t magic;
	uint32_t nr_entries;
	uint32_t hello_length, pending_length, partial_length;
	uint32_t reserved;
	/* struct entry[nr_entries], requests, hello, pending, partial */
};

struct entry {
	uint32_t tag;
	uint32_t length; /* of the request; 0: an answer */
};

static uint8_t *put(uint8_t *at, const void *data, size_t length)
{
	if (length)
		memcpy(at, data, length);
	return at + length;
}

static size_t size_of(const struct cr_pmix_record *record)
{
	return sizeof(struct head) +
	       record->log.nr_entries * sizeof(struct entry) +
	       record->log.bytes + record->hello_length +
	       record->pending_length + record->partial_length;
}

int cr_pmix_record_write(const struct cr_pmix_record *record, void **datap,
			 size_t *lengthp, struct cr_error *err)
{
	const struct cr_pmix_log *log = &record->log;
	const struct head head = {
		.magic = MAGIC,
		.nr_entries = (uint32_t)log->nr_entries,
		.hello_length = (uint32_t)record->hello_length,
		.pending_length = (uint32_t)record->pending_length,
		.partial_length = (uint32_t)record->partial_length,
	};
	const size_t length = size_of(record);
	uint8_t *data, *at;

	if (log->is_full || length > 2ul * CR_PMIX_LOG_MAX)
		return cr_error_set(err, -EFBIG,
				    "a PMIx conversation of more than %u bytes",
				    CR_PMIX_LOG_MAX);
	at = data = malloc(length);
	if (!data)
		return cr_error_set(err, -ENOMEM, "no memory");
	at = put(at, &head, sizeof(head));
	for (size_t i = 0; i < log->nr_entries; i++) {
		const struct entry entry = { log->entries[i].tag,
					     log->entries[i].length };

		at = put(at, &entry, sizeof(entry));
	}
	for (size_t i = 0; i < log->nr_entries; i++)
		at = put(at, log->entries[i].message, log->entries[i].length);
	at = put(at, record->hello, record->hello_length);
	at = put(at, record->pending, record->pending_length);
	put(at, record->partial, record->partial_length);
	*datap = data;
	*lengthp = length;
	return 0;
}

/* What remains of the bytes. */
struct reader {
	const uint8_t *at;
	size_t left;
};

static int get(struct reader *reader, void *to, size_t length)
{
	if (length > reader->left)
		return -EBADMSG;
	if (length)
		memcpy(to, reader->at, length);
	reader->at += length;
	reader->left -= length;
	return 0;
}

/* A copy of the next @length bytes; there is one, even if empty. */
static int get_copy(struct reader *reader, uint8_t **datap, size_t length)
{
	if (length > reader->left)
		return -EBADMSG;
	*datap = malloc(length + 1);
	return *datap ? get(reader, *datap, length) : -ENOMEM;
}

/* A request is one whole message with its own tag. */
static int check_request(const struct cr_pmix_entry *entry)
{
	uint32_t tag;

	return entry->length >= CR_PMIX_HEADER &&
			       cr_pmix_message_length(entry->message, &tag) ==
				       (long)entry->length &&
			       tag == entry->tag ?
		       0 :
		       -EBADMSG;
}

static int read_log(struct reader *reader, uint32_t nr_entries,
		    struct cr_pmix_log *log)
{
	struct reader table = *reader;
	struct entry entry = { 0 };
	int rc;

	if (nr_entries > reader->left / sizeof(entry))
		return -EBADMSG;
	log->entries = calloc(nr_entries + 1ul, sizeof(*log->entries));
	if (!log->entries)
		return -ENOMEM;
	log->room = nr_entries + 1ul;
	reader->at += nr_entries * sizeof(entry);
	reader->left -= nr_entries * sizeof(entry);
	for (uint32_t i = 0; i < nr_entries; i++) {
		struct cr_pmix_entry *to = &log->entries[i];

		get(&table, &entry, sizeof(entry));
		log->nr_entries++;
		to->tag = entry.tag;
		if (!entry.length)
			continue;
		rc = get_copy(reader, &to->message, entry.length);
		to->length = entry.length;
		if (!rc)
			rc = check_request(to);
		if (rc)
			return rc;
		log->bytes += entry.length;
	}
	return 0;
}

int cr_pmix_record_read(const void *data, size_t length,
			struct cr_pmix_record *record, struct cr_error *err)
{
	struct reader reader = { data, length };
	struct cr_pmix_hello hello;
	struct head head;
	int rc;

	memset(record, 0, sizeof(*record));
	rc = get(&reader, &head, sizeof(head));
	if (!rc && (head.magic != MAGIC || head.reserved))
		rc = -EBADMSG;
	if (!rc)
		rc = read_log(&reader, head.nr_entries, &record->log);
	if (!rc)
		rc = get_copy(&reader, &record->hello, head.hello_length);
	if (!rc)
		rc = get_copy(&reader, &record->pending, head.pending_length);
	if (!rc)
		rc = get_copy(&reader, &record->partial, head.partial_length);
	if (!rc && reader.left)
		rc = -EBADMSG;
	if (!rc)
		rc = cr_pmix_hello_parse(record->hello, head.hello_length,
					 &hello, NULL);
	if (rc) {
		cr_pmix_record_free(record);
		return cr_error_set(err, rc, "not a kept PMIx connection");
	}
	record->hello_length = head.hello_length;
	record->pending_length = head.pending_length;
	record->partial_length = head.partial_length;
	return 0;
}

void cr_pmix_record_free(struct cr_pmix_record *record)
{
	cr_pmix_log_free(&record->log);
	free(record->hello);
	free(record->pending);
	free(record->partial);
	memset(record, 0, sizeof(*record));
}
