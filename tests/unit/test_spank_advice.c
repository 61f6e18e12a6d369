/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_spank_advice.c - what cannot be saved is told with what avoids it
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "advice.h"

static void rdma_is_told_with_its_setting(void **state)
{
	(void)state;
	assert_non_null(strstr(cr_advice("vpid 7 fd 20: device "
					 "/dev/infiniband/uverbs0",
					 "./a"),
			       "OMPI_MCA_pml=ob1"));
	assert_non_null(strstr(cr_advice("process 7, 0x1000-0x2000: memory of "
					 "a device /dev/infiniband/uverbs0",
					 "./a"),
			       "RDMA"));
}

static void a_connection_is_told_with_its_option(void **state)
{
	(void)state;
	assert_non_null(strstr(cr_advice("node 0: vpid 2 fd 3: TCP connection "
					 "a -> b, whose other end is not in "
					 "the step",
					 "./orted_not"),
			       "--cr-tcp=close"));
}

static void a_daemon_of_an_mpirun_is_told_of_cr_mpirun(void **state)
{
	static const char *const commands[] = {
		"orted", "orted -mca ess slurm", "/usr/bin/orted -mca",
		"/usr/bin/hydra_pmi_proxy --control-port n1:5"
	};

	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_non_null(strstr(cr_advice("vpid 2 fd 17: TCP connection "
						 "a -> b, whose other end is "
						 "not in the tree",
						 commands[i]),
				       "cr-mpirun mpirun"));
}

static void others_are_no_daemons(void **state)
{
	static const char *const commands[] = { "", "./a orted", "x/orted/b",
						"orted2", "my-orted" };

	(void)state;
	for (size_t i = 0; i < 5; i++)
		assert_false(cr_advice_is_daemon(commands[i]));
}

static void nothing_is_said_of_what_we_do_not_know(void **state)
{
	(void)state;
	assert_string_equal(cr_advice("vpid 7 fd 16: io_uring", "orted"), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rdma_is_told_with_its_setting),
		cmocka_unit_test(a_connection_is_told_with_its_option),
		cmocka_unit_test(a_daemon_of_an_mpirun_is_told_of_cr_mpirun),
		cmocka_unit_test(others_are_no_daemons),
		cmocka_unit_test(nothing_is_said_of_what_we_do_not_know),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
