/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmix_hello.c - greetings of PMIx clients; see pmix_hello.h
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pmix_hello.h"

/* What remains of a message. */
struct reader {
	const uint8_t *at;
	size_t left;
	int is_bad;
};

static const void *take(struct reader *reader, size_t length)
{
	const uint8_t *at = reader->at;

	if (reader->is_bad || length > reader->left) {
		reader->is_bad = 1;
		return NULL;
	}
	reader->at += length;
	reader->left -= length;
	return at;
}

static const char *take_string(struct reader *reader)
{
	const void *end =
		reader->is_bad ? NULL : memchr(reader->at, '\0', reader->left);

	if (!end) {
		reader->is_bad = 1;
		return NULL;
	}
	return take(reader, (size_t)((const uint8_t *)end - reader->at) + 1);
}

static uint32_t take_number(struct reader *reader)
{
	const void *at = take(reader, sizeof(uint32_t));
	uint32_t number = 0;

	if (at)
		memcpy(&number, at, sizeof(number));
	return ntohl(number);
}

/* The third number of the header is the length; nobody has swapped it. */
long cr_pmix_hello_length(const uint8_t header[CR_PMIX_HEADER])
{
	uint32_t length;

	memcpy(&length, header + 8, sizeof(length));
	return length > CR_PMIX_HELLO_MAX - CR_PMIX_HEADER ?
		       -EBADMSG :
		       (long)length + CR_PMIX_HEADER;
}

int cr_pmix_hello_parse(const uint8_t *data, size_t length,
			struct cr_pmix_hello *hello, struct cr_error *err)
{
	struct reader reader = { .at = data, .left = length };
	const uint8_t *header = take(&reader, CR_PMIX_HEADER);
	const uint8_t *flag;

	if (!header || cr_pmix_hello_length(header) != (long)length)
		reader.is_bad = 1;
	hello->security = take_string(&reader);
	hello->credential_length = take_number(&reader);
	hello->credential = take(&reader, hello->credential_length);
	hello->rest = length - reader.left;
	flag = take(&reader, 1);
	hello->flag = flag ? *flag : 0;
	hello->name = take_string(&reader);
	hello->rank = take_number(&reader);
	hello->version = take_string(&reader);
	if (reader.is_bad || hello->flag)
		return cr_error_set(err, -EBADMSG,
				    "not the greeting of a PMIx client");
	return 0;
}

int cr_pmix_hello_renew(const uint8_t *data, size_t length,
			const void *credential, uint32_t credential_length,
			uint8_t **datap, size_t *lengthp, struct cr_error *err)
{
	struct cr_pmix_hello hello;
	uint32_t number;
	size_t before, total;
	uint8_t *made;
	int rc;

	rc = cr_pmix_hello_parse(data, length, &hello, err);
	if (rc)
		return rc;
	before = CR_PMIX_HEADER + strlen(hello.security) + 1;
	total = before + sizeof(number) + credential_length + length -
		hello.rest;
	made = malloc(total);
	if (!made || total > CR_PMIX_HELLO_MAX) {
		free(made);
		return cr_error_set(err, -ENOMEM,
				    "a PMIx greeting of %zu bytes", total);
	}
	memcpy(made, data, before);
	number = (uint32_t)(total - CR_PMIX_HEADER);
	memcpy(made + 8, &number, sizeof(number));
	number = htonl(credential_length);
	memcpy(made + before, &number, sizeof(number));
	before += sizeof(number);
	if (credential_length)
		memcpy(made + before, credential, credential_length);
	before += credential_length;
	memcpy(made + before, data + hello.rest, length - hello.rest);
	*datap = made;
	*lengthp = total;
	return 0;
}
