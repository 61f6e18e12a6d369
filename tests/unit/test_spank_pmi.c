/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_spank_pmi.c - what is kept of a PMI conversation
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "pmi_log.h"

#define INIT "cmd=init pmi_version=1 pmi_subversion=1\n"
#define PUT "cmd=put kvsname=1.0 key=a value=b\n"
#define GET "cmd=get kvsname=1.0 key=a\n"
#define FENCE "cmd=barrier_in\n"
#define FENCE2 "    14cmd=kvs-fence;" /* PMI-2 */
#define SPAWN "mcmd=spawn\nnprocs=1\nexecname=x\nendcmd\n"

static long length_of(const char *text)
{
	return cr_pmi_message_length(text, strlen(text));
}

static void a_message_ends_where_it_says(void **state)
{
	(void)state;
	assert_int_equal(length_of(INIT PUT), strlen(INIT));
	assert_int_equal(length_of(SPAWN GET), strlen(SPAWN));
	assert_int_equal(length_of("000014cmd=kvs-fence;" FENCE2), 20);
	assert_int_equal(length_of(FENCE2), 20);
}

static void every_cut_message_is_waited_for(void **state)
{
	static const char *const messages[] = { INIT, SPAWN, FENCE2 };

	(void)state;
	for (size_t i = 0; i < 3; i++)
		for (size_t length = 0; length < strlen(messages[i]); length++)
			assert_int_equal(cr_pmi_message_length(messages[i],
							       length),
					 0);
}

static void what_is_no_pmi_is_refused(void **state)
{
	char *long_line = malloc(CR_PMI_MESSAGE_MAX);

	(void)state;
	assert_int_equal(length_of("GET / HTTP/1.0\n"), -EBADMSG);
	assert_int_equal(length_of("  12x4cmd=a;"), -EBADMSG);
	assert_int_equal(length_of("\n"), -EBADMSG);
	memset(long_line, 'c', CR_PMI_MESSAGE_MAX);
	assert_int_equal(cr_pmi_message_length(long_line, CR_PMI_MESSAGE_MAX),
			 -EBADMSG);
	free(long_line);
}

static void say(struct cr_pmi_record *record, const char *text)
{
	cr_pmi_log_request(record, text, strlen(text));
}

static void assert_bytes(const struct cr_pmi_bytes *bytes, const char *wanted)
{
	assert_int_equal(bytes->length, strlen(wanted));
	assert_memory_equal(bytes->data, wanted, bytes->length);
}

static void what_leaves_nothing_behind_is_forgotten(void **state)
{
	static const char *const messages[] = { INIT,  PUT,   GET,
						SPAWN, FENCE, FENCE2 };
	struct cr_pmi_record record = { 0 };

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		say(&record, messages[i]);
		assert_bytes(&record.asked, messages[i]);
		assert_int_equal(cr_pmi_log_answer(&record), 0);
	}
	assert_bytes(&record.kept, INIT PUT FENCE FENCE2);
	assert_int_equal(record.asked.length, 0);
	assert_int_equal(cr_pmi_log_answer(&record), 0); /* to nothing */
	cr_pmi_record_free(&record);
}

static void names_are_compared_as_a_whole(void **state)
{
	struct cr_pmi_record record = { 0 };

	(void)state;
	say(&record, "cmd=get_new_thing\n"); /* not "get" */
	cr_pmi_log_answer(&record);
	assert_bytes(&record.kept, "cmd=get_new_thing\n");
	cr_pmi_record_free(&record);
}

static void a_farewell_is_told(void **state)
{
	struct cr_pmi_record record = { 0 };

	(void)state;
	say(&record, FENCE "cmd=finalize\n");
	assert_int_equal(cr_pmi_log_answer(&record), 0);
	assert_int_equal(cr_pmi_log_answer(&record), 1);
	say(&record, "    13cmd=finalize;");
	assert_int_equal(cr_pmi_log_answer(&record), 1);
	cr_pmi_record_free(&record);
}

static void more_than_can_be_kept_is_refused(void **state)
{
	char *put = malloc(CR_PMI_MESSAGE_MAX);
	struct cr_pmi_record record = { 0 };
	struct cr_error err = { 0 };
	void *data = NULL;
	size_t length;

	(void)state;
	memset(put, 'x', CR_PMI_MESSAGE_MAX);
	memcpy(put, "cmd=put ", 8);
	put[CR_PMI_MESSAGE_MAX - 1] = '\n';
	for (size_t i = 0; i <= CR_PMI_LOG_MAX / CR_PMI_MESSAGE_MAX; i++) {
		cr_pmi_log_request(&record, put, CR_PMI_MESSAGE_MAX);
		cr_pmi_log_answer(&record);
	}
	assert_int_equal(cr_pmi_record_write(&record, &data, &length, &err),
			 -EFBIG);
	assert_null(data);
	free(put);
	cr_pmi_record_free(&record);
}

static void *write_one(size_t *lengthp)
{
	struct cr_pmi_record record = {
		.pending = { (uint8_t *)"answer", 6 },
		.partial = { (uint8_t *)"cmd=g", 5 },
	};
	struct cr_error err = { 0 };
	void *data = NULL;

	say(&record, INIT);
	cr_pmi_log_answer(&record);
	say(&record, FENCE);
	assert_int_equal(cr_pmi_record_write(&record, &data, lengthp, &err), 0);
	free(record.kept.data);
	free(record.asked.data);
	return data;
}

static void a_record_comes_back_as_it_was(void **state)
{
	struct cr_pmi_record record;
	struct cr_error err = { 0 };
	size_t length;
	void *data = write_one(&length);

	(void)state;
	assert_int_equal(cr_pmi_record_read(data, length, &record, &err), 0);
	assert_bytes(&record.kept, INIT);
	assert_bytes(&record.asked, FENCE);
	assert_bytes(&record.pending, "answer");
	assert_bytes(&record.partial, "cmd=g");
	cr_pmi_record_free(&record);
	free(data);
}

static void every_cut_or_longer_record_is_refused(void **state)
{
	struct cr_pmi_record record;
	struct cr_error err = { 0 };
	size_t length;
	char *data = write_one(&length), *exact;

	(void)state;
	for (size_t i = 0; i < length; i++) {
		exact = malloc(i + 1);
		memcpy(exact, data, i);
		assert_int_equal(cr_pmi_record_read(exact, i, &record, &err),
				 -EBADMSG);
		free(exact);
	}
	exact = realloc(data, length + 1);
	exact[length] = 'x';
	assert_int_equal(cr_pmi_record_read(exact, length + 1, &record, &err),
			 -EBADMSG);
	free(exact);
}

/* A replay would wait for ever for its end. */
static void a_record_with_half_a_request_is_refused(void **state)
{
	struct cr_pmi_record record;
	struct cr_error err = { 0 };
	size_t length;
	char *data = write_one(&length);

	(void)state;
	*strchr(strstr(data + 20, "barrier"), '\n') = ' ';
	assert_int_equal(cr_pmi_record_read(data, length, &record, &err),
			 -EBADMSG);
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_ends_where_it_says),
		cmocka_unit_test(every_cut_message_is_waited_for),
		cmocka_unit_test(what_is_no_pmi_is_refused),
		cmocka_unit_test(what_leaves_nothing_behind_is_forgotten),
		cmocka_unit_test(names_are_compared_as_a_whole),
		cmocka_unit_test(a_farewell_is_told),
		cmocka_unit_test(more_than_can_be_kept_is_refused),
		cmocka_unit_test(a_record_comes_back_as_it_was),
		cmocka_unit_test(every_cut_or_longer_record_is_refused),
		cmocka_unit_test(a_record_with_half_a_request_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
