/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_spank_agent_retry.c - which restarts are left to another run of the job
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "agent_peers.h"
#include "retry.h"

static struct cr_step step;
static struct cr_config config;
static struct agent agent;
static char folder[32];

void agent_log(const struct agent *a, int priority, const char *format, ...)
{
	(void)a;
	(void)priority;
	(void)format;
}

int agent_folder_has_images(const struct agent *a)
{
	(void)a;
	return 1;
}

static int setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/cr-agent-retry-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	step = (struct cr_step){ .job = 12, .restart_count = 5 };
	config.retries = 1;
	agent = (struct agent){ .step = &step, .config = &config };
	agent.step_dirfd = open(folder, O_RDONLY | O_DIRECTORY);
	return agent.step_dirfd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	cr_retry_clear(agent.step_dirfd);
	close(agent.step_dirfd);
	return rmdir(folder);
}

/* Each node finds that the others have counted already. */
static void all_nodes_put_the_same_run_off(void **state)
{
	const struct cr_error why = { .code = -EIO };

	(void)state;
	for (int node = 0; node < 3; node++) {
		assert_true(agent_retry_is_left(&agent, why.code));
		assert_true(agent_retry(&agent, &why));
	}
	assert_int_equal(cr_retry_count(agent.step_dirfd), 1);
	step.restart_count++;
	assert_false(agent_retry_is_left(&agent, why.code));
	assert_false(agent_retry(&agent, &why));
}

static void damage_is_not_put_off(void **state)
{
	const struct cr_error why = { .code = -EBADMSG };

	(void)state;
	assert_false(agent_retry_is_left(&agent, why.code));
	assert_false(agent_retry(&agent, &why));
	assert_int_equal(cr_retry_count(agent.step_dirfd), 0);
}

static void nothing_is_put_off_without_retries(void **state)
{
	const struct cr_error why = { .code = -EIO };

	(void)state;
	config.retries = 0;
	assert_false(agent_retry_is_left(&agent, why.code));
	assert_false(agent_retry(&agent, &why));
}

static void what_fails_before_the_ranks_wait_says_so(void **state)
{
	struct cr_error err = { .code = -EIO, .text = "read it" };

	(void)state;
	assert_true(agent_retry_without_lead(&agent, &err));
	assert_true(agent.requeue_later);
	assert_int_equal(err.code, -EIO);
	assert_string_equal(err.text,
			    "the restart has failed (read it): the job is "
			    "queued again for another try");
	step.restart_count++;
	strcpy(err.text, "read it");
	assert_false(agent_retry_later(&agent, &err));
	assert_false(agent.requeue_later);
	assert_string_equal(err.text, "read it");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(all_nodes_put_the_same_run_off),
		TEST(damage_is_not_put_off),
		TEST(nothing_is_put_off_without_retries),
		TEST(what_fails_before_the_ranks_wait_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
