/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_spank_pmix.c - what is kept of a PMIx conversation
 */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "pmix_hello.h"
#include "pmix_log.h"
#include "pmix_said.h"

static void a_greeting_is_understood(void **state)
{
	uint8_t hello[SAID_MAX];
	struct cr_pmix_hello parsed;
	size_t length = say_hello(hello, "munge", "MUNGE:abc:", 11, 3);

	(void)state;
	assert_int_equal(cr_pmix_hello_length(hello), length);
	assert_int_equal(cr_pmix_hello_parse(hello, length, &parsed, NULL), 0);
	assert_string_equal(parsed.security, "munge");
	assert_int_equal(parsed.credential_length, 11);
	assert_memory_equal(parsed.credential, "MUNGE:abc:", 11);
	assert_string_equal(parsed.name, "slurm.pmix.1.0");
	assert_int_equal(parsed.rank, 3);
	assert_string_equal(parsed.version, "4.2.2");
}

static void every_short_greeting_is_refused(void **state)
{
	uint8_t hello[SAID_MAX], *exact;
	struct cr_pmix_hello parsed;
	size_t length = say_hello(hello, "munge", "MUNGE:abc:", 11, 3);

	(void)state;
	for (size_t i = 0; i < length; i++) {
		/* of its own size: a sanitizer sees what is read behind it */
		exact = malloc(i + 1);
		memcpy(exact, hello, i);
		assert_int_equal(cr_pmix_hello_parse(exact, i, &parsed, NULL),
				 -EBADMSG);
		free(exact);
	}
}

/* Cut and with the right length in its header: refused up to the version. */
static void every_cut_greeting_is_refused(void **state)
{
	uint8_t hello[SAID_MAX], *exact;
	struct cr_pmix_hello parsed;
	size_t length = say_hello(hello, "munge", "MUNGE:abc:", 11, 3);
	uint32_t body;

	(void)state;
	length -= SAID_AFTER_VERSION;
	for (size_t i = CR_PMIX_HEADER; i < length; i++) {
		exact = malloc(i);
		memcpy(exact, hello, i);
		body = (uint32_t)(i - CR_PMIX_HEADER);
		memcpy(exact + 8, &body, 4);
		assert_int_equal(cr_pmix_hello_parse(exact, i, &parsed, NULL),
				 -EBADMSG);
		free(exact);
	}
}

static void tools_are_not_clients(void **state)
{
	uint8_t hello[SAID_MAX];
	struct cr_pmix_hello parsed;
	size_t length = say_hello(hello, "none", "", 0, 3);

	(void)state;
	hello[CR_PMIX_HEADER + 5 + 4] = 4; /* the flag */
	assert_int_equal(cr_pmix_hello_parse(hello, length, &parsed, NULL),
			 -EBADMSG);
}

static void huge_messages_are_refused(void **state)
{
	uint8_t header[CR_PMIX_HEADER];
	uint32_t tag;

	(void)state;
	memset(header, 0xff, sizeof(header));
	assert_int_equal(cr_pmix_hello_length(header), -EBADMSG);
	assert_int_equal(cr_pmix_message_length(header, &tag), -EBADMSG);
}

static void a_greeting_is_said_again_with_another_credential(void **state)
{
	uint8_t hello[SAID_MAX], *again = NULL;
	struct cr_pmix_hello before, after;
	size_t length = say_hello(hello, "munge", "old", 4, 3), again_length;

	(void)state;
	assert_int_equal(cr_pmix_hello_renew(hello, length, "much longer", 12,
					     &again, &again_length, NULL),
			 0);
	assert_int_equal(again_length, length + 8);
	assert_int_equal(cr_pmix_hello_parse(hello, length, &before, NULL), 0);
	assert_int_equal(cr_pmix_hello_parse(again, again_length, &after, NULL),
			 0);
	assert_memory_equal(after.credential, "much longer", 12);
	assert_memory_equal(again + after.rest, hello + before.rest,
			    length - before.rest);
	free(again);
}

static void hear(struct cr_pmix_log *log, uint8_t command, uint32_t tag)
{
	uint8_t message[SAID_MAX];
	size_t length = say(message, tag, command, "body");

	cr_pmix_log_request(log, message, length, tag);
}

static void lasting_requests_and_their_answers_are_kept(void **state)
{
	struct cr_pmix_log log = { 0 };

	(void)state;
	hear(&log, SAID_COMMIT, 101);
	cr_pmix_log_answer(&log, 101);
	hear(&log, SAID_FENCE, 102);
	assert_int_equal(log.nr_entries, 3);
	assert_int_equal(log.entries[1].tag, 101);
	assert_null(log.entries[1].message);
	assert_int_equal(log.entries[2].tag, 102);
	cr_pmix_log_free(&log);
}

static void a_get_is_kept_until_it_is_answered(void **state)
{
	struct cr_pmix_log log = { 0 };

	(void)state;
	hear(&log, SAID_COMMIT, 101);
	hear(&log, SAID_GET, 102);
	hear(&log, SAID_FENCE, 103);
	assert_int_equal(log.nr_entries, 3);
	cr_pmix_log_answer(&log, 102);
	assert_int_equal(log.nr_entries, 2);
	assert_int_equal(log.entries[1].tag, 103);
	cr_pmix_log_free(&log);
}

static void what_needs_no_answer_is_not_kept(void **state)
{
	struct cr_pmix_log log = { 0 };

	(void)state;
	hear(&log, SAID_FENCE, 1);
	cr_pmix_log_answer(&log, 0);
	cr_pmix_log_answer(&log, 777);
	assert_int_equal(log.nr_entries, 0);
	cr_pmix_log_free(&log);
}

static void an_endless_conversation_is_refused(void **state)
{
	static uint8_t big[4 << 20];
	struct cr_pmix_record record = { 0 };
	struct cr_error err = { 0 };
	void *data;
	size_t length;

	(void)state;
	for (uint32_t i = 0; i < 8; i++)
		cr_pmix_log_request(&record.log, big, sizeof(big), 100 + i);
	assert_int_equal(cr_pmix_record_write(&record, &data, &length, &err),
			 -EFBIG);
	assert_non_null(strstr(err.text, "PMIx conversation"));
	cr_pmix_log_free(&record.log);
}

static void fill_record(struct cr_pmix_record *record)
{
	uint8_t *hello = malloc(SAID_MAX);

	memset(record, 0, sizeof(*record));
	record->hello = hello;
	record->hello_length = say_hello(hello, "native", "\1\2", 2, 1);
	hear(&record->log, SAID_COMMIT, 101);
	cr_pmix_log_answer(&record->log, 101);
	hear(&record->log, SAID_FENCE, 102);
	record->pending = (uint8_t *)strdup("answers under way");
	record->pending_length = 17;
	record->partial = (uint8_t *)strdup("half");
	record->partial_length = 4;
}

static void a_record_comes_back_as_it_was(void **state)
{
	struct cr_pmix_record record, back;
	void *data = NULL;
	size_t length;

	(void)state;
	fill_record(&record);
	assert_int_equal(cr_pmix_record_write(&record, &data, &length, NULL),
			 0);
	assert_int_equal(cr_pmix_record_read(data, length, &back, NULL), 0);
	assert_int_equal(back.log.nr_entries, 3);
	assert_int_equal(back.log.bytes, record.log.bytes);
	for (size_t i = 0; i < 3; i++) {
		const struct cr_pmix_entry *a = &record.log.entries[i];
		const struct cr_pmix_entry *b = &back.log.entries[i];

		assert_int_equal(a->tag, b->tag);
		assert_int_equal(a->length, b->length);
		assert_int_equal(b->has_come, 0);
		if (a->message)
			assert_memory_equal(a->message, b->message, a->length);
		else
			assert_null(b->message);
	}
	assert_int_equal(back.hello_length, record.hello_length);
	assert_memory_equal(back.pending, "answers under way", 17);
	assert_memory_equal(back.partial, "half", 4);
	/* an answer is swallowed once, and only one that was there */
	assert_int_equal(cr_pmix_log_swallow(&back.log, 101), 1);
	assert_int_equal(cr_pmix_log_swallow(&back.log, 101), 0);
	assert_int_equal(cr_pmix_log_swallow(&back.log, 102), 0);
	cr_pmix_record_free(&back);
	cr_pmix_record_free(&record);
	free(data);
}

static void every_truncation_and_flipped_head_is_refused(void **state)
{
	struct cr_pmix_record record, back;
	size_t length;
	void *data = NULL;
	uint8_t *bytes;

	(void)state;
	fill_record(&record);
	assert_int_equal(cr_pmix_record_write(&record, &data, &length, NULL),
			 0);
	for (size_t i = 0; i < length; i++) {
		bytes = malloc(i + 1);
		memcpy(bytes, data, i);
		assert_int_equal(cr_pmix_record_read(bytes, i, &back, NULL),
				 -EBADMSG);
		free(bytes);
	}
	/* head and table: each bit of them is checked, or is a tag's that is
	 * compared with its message's; that of an answer is free */
	for (size_t i = 0; i < 8 * (24 + 3 * 8); i++) {
		if (i / 64 == 4 && i % 64 < 32)
			continue;
		bytes = malloc(length);
		memcpy(bytes, data, length);
		bytes[i / 8] ^= (uint8_t)(1u << i % 8);
		assert_int_equal(cr_pmix_record_read(bytes, length, &back,
						     NULL),
				 -EBADMSG);
		free(bytes);
	}
	cr_pmix_record_free(&record);
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_greeting_is_understood),
		cmocka_unit_test(every_short_greeting_is_refused),
		cmocka_unit_test(every_cut_greeting_is_refused),
		cmocka_unit_test(tools_are_not_clients),
		cmocka_unit_test(huge_messages_are_refused),
		cmocka_unit_test(
			a_greeting_is_said_again_with_another_credential),
		cmocka_unit_test(lasting_requests_and_their_answers_are_kept),
		cmocka_unit_test(a_get_is_kept_until_it_is_answered),
		cmocka_unit_test(what_needs_no_answer_is_not_kept),
		cmocka_unit_test(an_endless_conversation_is_refused),
		cmocka_unit_test(a_record_comes_back_as_it_was),
		cmocka_unit_test(every_truncation_and_flipped_head_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
