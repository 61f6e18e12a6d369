/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_spank_config.c - settings: what is taken, what is refused, who wins
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "config.h"

#define NR(array) (sizeof(array) / sizeof(*(array)))

static void good_values_are_taken(void **state)
{
	static const struct {
		enum cr_setting setting;
		const char *value;
	} good[] = {
		{ CR_SETTING_ON, NULL },
		{ CR_SETTING_ON, "on" },
		{ CR_SETTING_ON, "off" },
		{ CR_SETTING_DIR, "/a" },
		{ CR_SETTING_INTERVAL, "0" },
		{ CR_SETTING_INTERVAL, "1" },
		{ CR_SETTING_INTERVAL, "2592000" },
		{ CR_SETTING_KEEP, "1" },
		{ CR_SETTING_KEEP, "100" },
		{ CR_SETTING_COMPRESS, "none" },
		{ CR_SETTING_COMPRESS, "lz4" },
		{ CR_SETTING_COMPRESS, "zstd" },
		{ CR_SETTING_ON_FAILURE, "restart" },
		{ CR_SETTING_ON_FAILURE, "fail" },
		{ CR_SETTING_TCP, "refuse" },
		{ CR_SETTING_TCP, "close" },
		{ CR_SETTING_AGENT, "/usr/libexec/a" },
		{ CR_SETTING_LOG, "/var/log/a" },
		{ CR_SETTING_POLL, "0" },
		{ CR_SETTING_POLL, "3600" },
		{ CR_SETTING_SEAL, "yes" },
		{ CR_SETTING_SEAL, "no" },
	};

	(void)state;
	for (size_t i = 0; i < NR(good); i++) {
		struct cr_error err = { 0 };
		struct cr_config config;

		cr_config_init(&config);
		assert_int_equal(cr_config_set(&config, good[i].setting,
					       good[i].value, &err),
				 0);
		assert_int_equal(err.code, 0);
	}
}

static void bad_values_are_refused_with_a_sentence(void **state)
{
	static const struct {
		enum cr_setting setting;
		const char *value;
	} bad[] = {
		{ CR_SETTING_ON, "maybe" },
		{ CR_SETTING_ON, "ON" },
		{ CR_SETTING_DIR, NULL },
		{ CR_SETTING_DIR, "" },
		{ CR_SETTING_DIR, "relative/path" },
		{ CR_SETTING_INTERVAL, "" },
		{ CR_SETTING_INTERVAL, "-1" },
		{ CR_SETTING_INTERVAL, "+1" },
		{ CR_SETTING_INTERVAL, " 1" },
		{ CR_SETTING_INTERVAL, "1s" },
		{ CR_SETTING_INTERVAL, "2592001" },
		{ CR_SETTING_INTERVAL, "99999999999999999999" },
		{ CR_SETTING_KEEP, "0" },
		{ CR_SETTING_KEEP, "101" },
		{ CR_SETTING_COMPRESS, "gzip" },
		{ CR_SETTING_ON_FAILURE, "ignore" },
		{ CR_SETTING_SEAL, "perhaps" },
		{ CR_SETTING_TCP, "" },
		{ CR_SETTING_TCP, "reset" },
		{ CR_SETTING_AGENT, "agent" },
		{ CR_SETTING_LOG, "log" },
		{ CR_SETTING_POLL, "3601" },
	};

	(void)state;
	for (size_t i = 0; i < NR(bad); i++) {
		struct cr_config config, before;
		struct cr_error err = { 0 };

		cr_config_init(&config);
		before = config;
		assert_int_equal(cr_config_set(&config, bad[i].setting,
					       bad[i].value, &err),
				 -EINVAL);
		assert_string_not_equal(err.text, "");
		assert_memory_equal(&config, &before, sizeof(config));
	}
}

static void a_path_that_does_not_fit_is_refused(void **state)
{
	char path[CR_CONFIG_PATH_MAX + 1];
	struct cr_config config;

	(void)state;
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[CR_CONFIG_PATH_MAX] = '\0';
	cr_config_init(&config);
	assert_int_equal(cr_config_set(&config, CR_SETTING_DIR, path, NULL),
			 -EINVAL);
	path[CR_CONFIG_PATH_MAX - 1] = '\0';
	assert_int_equal(cr_config_set(&config, CR_SETTING_DIR, path, NULL), 0);
	assert_string_equal(config.dir, path);
}

static void without_a_directory_nothing_is_active(void **state)
{
	struct cr_config config;

	(void)state;
	cr_config_init(&config);
	assert_false(cr_config_is_active(&config));
	assert_int_equal(cr_config_set(&config, CR_SETTING_DIR, "/x", NULL), 0);
	assert_true(cr_config_is_active(&config));
	assert_int_equal(cr_config_set(&config, CR_SETTING_ON, "off", NULL), 0);
	assert_false(cr_config_is_active(&config));
}

static void arguments_of_plugstack_are_read(void **state)
{
	char *argv[] = { (char *)"dir=/x", (char *)"interval=60",
			 (char *)"keep=3", (char *)"log=/l=1" };
	struct cr_config config;

	(void)state;
	cr_config_init(&config);
	assert_int_equal(cr_config_parse_arguments(&config, NR(argv), argv,
						   NULL),
			 0);
	assert_string_equal(config.dir, "/x");
	assert_string_equal(config.log, "/l=1");
	assert_int_equal(config.interval, 60);
	assert_int_equal(config.keep, 3);
	assert_false(config.dir_is_users);
}

static void unknown_arguments_are_refused_by_name(void **state)
{
	static const char *const bad[] = { "dirs=/x", "di=/x",	  "=/x",
					   "",	      "interval", "keep=" };

	(void)state;
	for (size_t i = 0; i < NR(bad); i++) {
		char *argv[] = { (char *)bad[i] };
		struct cr_error err = { 0 };
		struct cr_config config;

		cr_config_init(&config);
		assert_int_equal(cr_config_parse_arguments(&config, 1, argv,
							   &err),
				 -EINVAL);
		assert_non_null(strstr(err.text, "plugstack.conf"));
	}
}

struct variable {
	const char *name, *value;
};

static int get(void *arg, const char *name, char *value, size_t size)
{
	for (const struct variable *v = arg; v->name; v++) {
		if (strcmp(v->name, name) != 0)
			continue;
		if (strlen(v->value) >= size)
			return -E2BIG;
		strcpy(value, v->value);
		return 1;
	}
	return 0;
}

static void the_environment_is_over_plugstack(void **state)
{
	struct variable variables[] = { { "SPANK_CR_DIR", "/user" },
					{ "SPANK_CR_INTERVAL", "5" },
					{ "SPANK_CR_KEEP", "" },
					{ NULL, NULL } };
	char *argv[] = { (char *)"dir=/admin", (char *)"keep=7" };
	struct cr_config config;

	(void)state;
	cr_config_init(&config);
	cr_config_parse_arguments(&config, NR(argv), argv, NULL);
	assert_int_equal(cr_config_parse_environment(&config, get, variables,
						     NULL),
			 0);
	assert_string_equal(config.dir, "/user");
	assert_true(config.dir_is_users);
	assert_int_equal(config.interval, 5);
	assert_int_equal(config.keep, 7);
}

/* The plugin exports what the admin had set: that does not make it the
 * user's. */
static void the_admins_directory_said_again_stays_the_admins(void **state)
{
	struct variable variables[] = { { "SPANK_CR_DIR", "/admin" },
					{ NULL, NULL } };
	char *argv[] = { (char *)"dir=/admin" };
	struct cr_config config;

	(void)state;
	cr_config_init(&config);
	cr_config_parse_arguments(&config, 1, argv, NULL);
	assert_int_equal(cr_config_parse_environment(&config, get, variables,
						     NULL),
			 0);
	assert_false(config.dir_is_users);
}

static void a_bad_variable_is_refused_by_name(void **state)
{
	struct variable variables[] = { { "SPANK_CR_KEEP", "x" },
					{ NULL, NULL } };
	struct cr_error err = { 0 };
	struct cr_config config;

	(void)state;
	cr_config_init(&config);
	assert_int_equal(cr_config_parse_environment(&config, get, variables,
						     &err),
			 -EINVAL);
	assert_non_null(strstr(err.text, "SPANK_CR_KEEP"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_values_are_taken),
		cmocka_unit_test(bad_values_are_refused_with_a_sentence),
		cmocka_unit_test(a_path_that_does_not_fit_is_refused),
		cmocka_unit_test(without_a_directory_nothing_is_active),
		cmocka_unit_test(arguments_of_plugstack_are_read),
		cmocka_unit_test(unknown_arguments_are_refused_by_name),
		cmocka_unit_test(the_environment_is_over_plugstack),
		cmocka_unit_test(
			the_admins_directory_said_again_stays_the_admins),
		cmocka_unit_test(a_bad_variable_is_refused_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
