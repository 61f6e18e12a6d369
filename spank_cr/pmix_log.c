/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmix_log.c - the kept part of a PMIx conversation; see pmix_log.h
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pmix_hello.h"
#include "pmix_log.h"

/* Commands whose effect ends with their answer; of PMIx 3 and 4. */
static const uint8_t transient[] = {
	1, /* abort */
	4, /* get */
	7, /* lookup */
	9, /* spawn */
	12, /* notify */
	15, /* query */
	16, /* log */
	17, /* allocation */
	20, 21, /* credentials */
	23, /* push of input */
	32, /* distances of devices */
};

long cr_pmix_message_length(const uint8_t header[16], uint32_t *tagp)
{
	uint32_t tag, length;

	memcpy(&tag, header + 4, sizeof(tag));
	memcpy(&length, header + 8, sizeof(length));
	*tagp = ntohl(tag);
	length = ntohl(length);
	return length > CR_PMIX_MESSAGE_MAX - CR_PMIX_HEADER ?
		       -EBADMSG :
		       (long)length + CR_PMIX_HEADER;
}

/* A message begins with the number of commands, one, and the command; packed
 * without types the one is a byte of 2. */
static int is_transient(const struct cr_pmix_entry *entry)
{
	const uint8_t *body = entry->message + CR_PMIX_HEADER;

	return entry->length >= CR_PMIX_HEADER + 2 && body[0] == 2 &&
	       memchr(transient, body[1], sizeof(transient));
}

static struct cr_pmix_entry *add(struct cr_pmix_log *log)
{
	struct cr_pmix_entry *more;
	size_t room;

	if (log->nr_entries == log->room) {
		room = log->room ? 2 * log->room : 64;
		more = reallocarray(log->entries, room, sizeof(*more));
		if (!more)
			return NULL;
		log->entries = more;
		log->room = room;
	}
	more = &log->entries[log->nr_entries++];
	memset(more, 0, sizeof(*more));
	return more;
}

static void drop(struct cr_pmix_log *log, size_t i)
{
	log->bytes -= log->entries[i].length;
	free(log->entries[i].message);
	log->nr_entries--;
	memmove(&log->entries[i], &log->entries[i + 1],
		(log->nr_entries - i) * sizeof(*log->entries));
}

void cr_pmix_log_request(struct cr_pmix_log *log, const void *message,
			 size_t length, uint32_t tag)
{
	struct cr_pmix_entry *entry;
	uint8_t *copy;

	if (tag < CR_PMIX_TAG_DYNAMIC || log->is_full)
		return;
	copy = log->bytes + length > CR_PMIX_LOG_MAX ? NULL : malloc(length);
	entry = copy ? add(log) : NULL;
	if (!entry) {
		free(copy);
		log->is_full = 1;
		return;
	}
	memcpy(copy, message, length);
	*entry = (struct cr_pmix_entry){ copy, (uint32_t)length, tag, 0 };
	log->bytes += length;
}

void cr_pmix_log_answer(struct cr_pmix_log *log, uint32_t tag)
{
	struct cr_pmix_entry *entry;

	for (size_t i = log->nr_entries; i-- > 0;) {
		if (log->entries[i].tag != tag)
			continue;
		if (!log->entries[i].message)
			return;
		if (is_transient(&log->entries[i])) {
			drop(log, i);
			return;
		}
		entry = add(log);
		if (entry)
			*entry = (struct cr_pmix_entry){ .tag = tag,
							 .has_come = 1 };
		else
			log->is_full = 1;
		return;
	}
}

int cr_pmix_log_swallow(struct cr_pmix_log *log, uint32_t tag)
{
	for (size_t i = 0; i < log->nr_entries; i++)
		if (!log->entries[i].message && log->entries[i].tag == tag &&
		    !log->entries[i].has_come) {
			log->entries[i].has_come = 1;
			return 1;
		}
	return 0;
}

void cr_pmix_log_free(struct cr_pmix_log *log)
{
	for (size_t i = 0; i < log->nr_entries; i++)
		free(log->entries[i].message);
	free(log->entries);
	memset(log, 0, sizeof(*log));
}
