/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmi_log.c - the kept part of a PMI conversation; see pmi_log.h
 */
#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pmi_log.h"

#define MAGIC 0x31494d50u /* "PMI1" */
#define DIGITS 6 /* of PMI-2's length */
#define NAME_MAX_LENGTH 32 /* of a command */

/* Commands whose effect ends with their answer; of PMI-1, then PMI-2. */
static const char *const transient[] = {
	"get_maxes", "get_appnum",	"get_my_kvsname",   "get_universe_size",
	"get",	     "getbyidx",	"lookup_name",	    "spawn",
	"kvs-get",   "info-getjobattr", "info-getnodeattr", "name-lookup",
	"job-getid",
};

/* --- messages --- */

static long line_length(const char *text, size_t length)
{
	static const char begin[] = "mcmd=", end[] = "\nendcmd\n";
	const int is_long =
		length >= strlen(begin) && !memcmp(text, begin, strlen(begin));
	const char *at = is_long ? memmem(text, length, end, strlen(end)) :
				   memchr(text, '\n', length);

	/* too few bytes to tell a line from several */
	if (!at)
		return length >= CR_PMI_MESSAGE_MAX ? -EBADMSG : 0;
	return at - text + (is_long ? (long)strlen(end) : 1);
}

static long counted_length(const char *text, size_t length)
{
	long count = 0;

	if (length < DIGITS)
		return 0;
	for (size_t i = 0; i < DIGITS; i++) {
		if (text[i] == ' ' && !count)
			continue;
		if (!isdigit((unsigned char)text[i]))
			return -EBADMSG;
		count = 10 * count + text[i] - '0';
	}
	count += DIGITS;
	return count > (long)length ? 0 : count;
}

long cr_pmi_message_length(const void *data, size_t length)
{
	const char *text = data;

	if (!length)
		return 0;
	if (isdigit((unsigned char)*text) || *text == ' ')
		return counted_length(text, length);
	return *text == 'c' || *text == 'm' ? line_length(text, length) :
					      -EBADMSG;
}

/* "cmd=NAME" ends with a space, a line or, in PMI-2, a semicolon. */
static int command_is(const char *text, size_t length, const char *name)
{
	const size_t name_length = strlen(name);
	const char *at;

	at = memmem(text, length > NAME_MAX_LENGTH ? NAME_MAX_LENGTH : length,
		    "cmd=", 4);
	if (!at)
		return 0;
	at += 4;
	length -= (size_t)(at - text);
	return length > name_length && !memcmp(at, name, name_length) &&
	       strchr(" ;\n", at[name_length]) != NULL;
}

static int is_transient(const void *message, size_t length)
{
	for (size_t i = 0; i < sizeof(transient) / sizeof(*transient); i++)
		if (command_is(message, length, transient[i]))
			return 1;
	return 0;
}

int cr_pmi_is_farewell(const void *message, size_t length)
{
	return command_is(message, length, "finalize");
}

/* --- the log --- */

static int append(struct cr_pmi_bytes *bytes, const void *data, size_t length)
{
	uint8_t *more = bytes->length + length > CR_PMI_LOG_MAX ?
				NULL :
				realloc(bytes->data, bytes->length + length);

	if (!more)
		return -ENOMEM;
	memcpy(more + bytes->length, data, length);
	bytes->data = more;
	bytes->length += length;
	return 0;
}

void cr_pmi_log_request(struct cr_pmi_record *record, const void *message,
			size_t length)
{
	if (append(&record->asked, message, length))
		record->is_full = 1;
}

int cr_pmi_log_answer(struct cr_pmi_record *record)
{
	struct cr_pmi_bytes *asked = &record->asked;
	const long length = cr_pmi_message_length(asked->data, asked->length);
	int is_farewell;

	if (length <= 0)
		return 0;
	is_farewell = cr_pmi_is_farewell(asked->data, (size_t)length);
	if (!is_transient(asked->data, (size_t)length) &&
	    append(&record->kept, asked->data, (size_t)length))
		record->is_full = 1;
	asked->length -= (size_t)length;
	memmove(asked->data, asked->data + length, asked->length);
	return is_farewell;
}

/* --- as bytes --- */

#define NR_PARTS 4

struct head {
	uint32_t magic;
	uint32_t lengths[NR_PARTS];
	/* the parts: kept, asked, pending, partial */
};

int cr_pmi_record_write(const struct cr_pmi_record *record, void **datap,
			size_t *lengthp, struct cr_error *err)
{
	const struct cr_pmi_bytes *const parts[NR_PARTS] = { &record->kept,
							     &record->asked,
							     &record->pending,
							     &record->partial };
	struct head head = { .magic = htole32(MAGIC) };
	size_t length = sizeof(head);
	uint8_t *data, *at;

	for (size_t i = 0; i < NR_PARTS; i++) {
		head.lengths[i] = htole32((uint32_t)parts[i]->length);
		length += parts[i]->length;
	}
	if (record->is_full || length > CR_PMI_LOG_MAX)
		return cr_error_set(err, -EFBIG,
				    "a PMI conversation of more than %u bytes",
				    CR_PMI_LOG_MAX);
	at = data = malloc(length);
	if (!data)
		return cr_error_set(err, -ENOMEM, "no memory");
	memcpy(at, &head, sizeof(head));
	at += sizeof(head);
	for (size_t i = 0; i < NR_PARTS; i++) {
		if (parts[i]->length)
			memcpy(at, parts[i]->data, parts[i]->length);
		at += parts[i]->length;
	}
	*datap = data;
	*lengthp = length;
	return 0;
}

/* Whole messages, and nothing else. */
static int check_messages(const struct cr_pmi_bytes *bytes)
{
	size_t at = 0;
	long length;

	for (; at < bytes->length; at += (size_t)length) {
		length = cr_pmi_message_length(bytes->data + at,
					       bytes->length - at);
		if (length <= 0)
			return -EBADMSG;
	}
	return 0;
}

int cr_pmi_record_read(const void *data, size_t length,
		       struct cr_pmi_record *record, struct cr_error *err)
{
	struct cr_pmi_bytes *const parts[NR_PARTS] = { &record->kept,
						       &record->asked,
						       &record->pending,
						       &record->partial };
	const uint8_t *at = data;
	struct head head;
	int rc = -EBADMSG;

	memset(record, 0, sizeof(*record));
	if (length < sizeof(head))
		goto out;
	memcpy(&head, at, sizeof(head));
	at += sizeof(head);
	length -= sizeof(head);
	if (le32toh(head.magic) != MAGIC)
		goto out;
	for (size_t i = 0; i < NR_PARTS; i++) {
		const size_t part = le32toh(head.lengths[i]);

		if (part > length || (part && append(parts[i], at, part)))
			goto out;
		at += part;
		length -= part;
	}
	if (!length)
		rc = check_messages(&record->kept);
	if (!length && !rc)
		rc = check_messages(&record->asked);
out:
	if (!rc)
		return 0;
	cr_pmi_record_free(record);
	return cr_error_set(err, rc, "not a kept PMI connection");
}

void cr_pmi_record_free(struct cr_pmi_record *record)
{
	free(record->kept.data);
	free(record->asked.data);
	free(record->pending.data);
	free(record->partial.data);
	memset(record, 0, sizeof(*record));
}
