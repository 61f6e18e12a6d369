/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_spank_layout.c - sets of ranks, and groups of them on the nodes of a
 * step
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layout.h"
#include "ranks.h"

#define NR(array) (sizeof(array) / sizeof(*(array)))

static void ranks_are_printed_as_ranges(void **state)
{
	static const uint32_t ranks[] = { 0, 1, 2, 5, 7, 8, 4294967295u };
	static const char *const texts[] = {
		"",	 "0",	    "0-1",	 "0-2",
		"0-2,5", "0-2,5,7", "0-2,5,7-8", "0-2,5,7-8,4294967295",
	};

	(void)state;
	for (size_t i = 0; i < NR(texts); i++) {
		char *text = cr_ranks_print(ranks, i);

		assert_string_equal(text, texts[i]);
		free(text);
	}
}

static void what_is_printed_is_scanned(void **state)
{
	uint32_t ranks[10], *again;
	size_t nr_again;

	(void)state;
	for (unsigned int set = 1; set < 1u << NR(ranks); set++) {
		size_t nr = 0;
		char *text;

		for (uint32_t i = 0; i < NR(ranks); i++)
			if (set & 1u << i)
				ranks[nr++] = i;
		text = cr_ranks_print(ranks, nr);
		assert_int_equal(cr_ranks_scan(text, NR(ranks), &again,
					       &nr_again),
				 0);
		assert_int_equal(nr_again, nr);
		assert_memory_equal(again, ranks, nr * sizeof(*ranks));
		free(again);
		free(text);
	}
}

static void what_is_no_set_of_ranks_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"x",
		" 1",
		"-1",
		"1-",
		"1-0",
		"1-1",
		"0,0",
		"1,0",
		"0-2,2",
		"0,",
		",0",
		"0,,1",
		"0 1",
		"10",
		"0-10",
		"99999999999999999999",
		"0-4294967295",
	};
	uint32_t *ranks;
	size_t nr;

	(void)state;
	for (size_t i = 0; i < NR(bad); i++)
		if (cr_ranks_scan(bad[i], 10, &ranks, &nr) != -EBADMSG)
			fail_msg("\"%s\" is taken", bad[i]);
}

/* Images of nodes, by their ranks; where ranks 0.. are now. */
struct layout_case {
	const char *images[4];
	const char *now; /* a digit a rank */
	uint32_t node;
	int rc;
	const char *groups; /* images of @node, a digit each */
};

static struct cr_manifest_image *fill(const struct layout_case *c,
				      size_t *nr_images)
{
	struct cr_manifest_image *images = calloc(4, sizeof(*images));

	for (*nr_images = 0; *nr_images < 4 && c->images[*nr_images];
	     ++*nr_images) {
		images[*nr_images].node = (uint32_t)*nr_images;
		images[*nr_images].ranks = strdup(c->images[*nr_images]);
	}
	return images;
}

static void check_groups(const struct layout_case *c, int rc,
			 const struct cr_group *groups, size_t nr)
{
	char text[8] = "";

	assert_int_equal(rc, c->rc);
	if (rc)
		return;
	for (size_t i = 0; i < nr; i++) {
		text[i] = (char)('0' + groups[i].node);
		for (size_t j = 0; j < groups[i].nr_ranks; j++)
			assert_int_equal(c->now[groups[i].ranks[j]],
					 '0' + c->node);
	}
	assert_string_equal(text, c->groups);
}

static void groups_are_found_where_their_ranks_are(void **state)
{
	static const struct layout_case cases[] = {
		{ { "0-1", "2-3" }, "0000", 0, 0, "01" },
		{ { "0-1", "2-3" }, "1100", 0, 0, "1" },
		{ { "0-1", "2-3" }, "1100", 1, 0, "0" },
		{ { "0,2", "1,3" }, "0000", 0, 0, "01" },
		{ { "0-1", "2", "3" }, "0011", 1, 0, "12" },
		{ { "0-1", "2", "3" }, "0010", 0, 0, "02" },
		{ { "0-1", "2-3" }, "0000", 1, 0, "" },
		/* split, here or elsewhere */
		{ { "0-3" }, "0011", 0, -ESTALE, NULL },
		{ { "0-1", "2-3" }, "0001", 0, -ESTALE, NULL },
		{ { "0-1", "2-3" }, "0101", 1, -ESTALE, NULL },
		/* not each rank once */
		{ { "0-1", "1-3" }, "0000", 0, -EBADMSG, NULL },
		{ { "0-1", "3" }, "0000", 0, -EBADMSG, NULL },
		{ { "0-1", "2-4" }, "0000", 0, -EBADMSG, NULL },
		{ { "0-1", "" }, "0000", 0, -EBADMSG, NULL },
	};

	(void)state;
	for (size_t i = 0; i < NR(cases); i++) {
		struct cr_manifest manifest = { .nr_ranks = 4 };
		struct cr_group *groups = NULL;
		uint32_t node_of[4];
		size_t nr = 0;
		int rc;

		for (size_t j = 0; j < 4; j++)
			node_of[j] = (uint32_t)(cases[i].now[j] - '0');
		manifest.images = fill(&cases[i], &manifest.nr_images);
		rc = cr_layout_groups(&manifest, node_of, cases[i].node,
				      &groups, &nr, NULL);
		check_groups(&cases[i], rc, groups, nr);
		cr_groups_free(groups, nr);
		cr_manifest_free(&manifest);
	}
}

static void a_manifest_without_ranks_is_refused(void **state)
{
	struct cr_manifest_image image = { 0 };
	const struct cr_manifest manifest = { .nr_ranks = 1,
					      .images = &image,
					      .nr_images = 1 };
	const uint32_t node_of[1] = { 0 };
	struct cr_group *groups;
	size_t nr;

	(void)state;
	assert_int_equal(cr_layout_groups(&manifest, node_of, 0, &groups, &nr,
					  NULL),
			 -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranks_are_printed_as_ranges),
		cmocka_unit_test(what_is_printed_is_scanned),
		cmocka_unit_test(what_is_no_set_of_ranks_is_refused),
		cmocka_unit_test(groups_are_found_where_their_ranks_are),
		cmocka_unit_test(a_manifest_without_ranks_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
