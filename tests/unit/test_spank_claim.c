/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_spank_claim.c - sruns that got other step numbers find their images
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "claim.h"
#include "generation.h"
#include "manifest.h"

#define A "aaaaaaaaaaaaaaaa-1111111111111111"
#define A2 "aaaaaaaaaaaaaaaa-2222222222222222" /* other environment */
#define B "bbbbbbbbbbbbbbbb-1111111111111111"
#define C "cccccccccccccccc-1111111111111111"

struct fixture {
	char path[64];
	int dirfd;
	int locks[8], nr_locks;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	strcpy(f->path, "/tmp/test_claim.XXXXXX");
	assert_non_null(mkdtemp(f->path));
	f->dirfd = open(f->path, O_RDONLY | O_DIRECTORY);
	*state = f;
	return 0;
}

static int remove_entry(const char *path, const struct stat *st, int flag,
			struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < f->nr_locks; i++)
		close(f->locks[i]);
	nftw(f->path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	close(f->dirfd);
	free(f);
	return 0;
}

static struct cr_step make_step(uint32_t number, const char *identity)
{
	struct cr_step step = { .job = 7, .step = number };

	strcpy(step.identity, identity);
	return step;
}

/* Step @number of srun @identity has left an image. */
static void leave_image(struct fixture *f, uint32_t number,
			const char *identity)
{
	struct cr_step step = make_step(number, identity);
	struct cr_manifest_image image = { .name = "node_0.img" };
	struct cr_manifest manifest = { .job = 7,
					.step = number,
					.nr_nodes = 1,
					.images = &image,
					.nr_images = 1 };
	int fd = cr_generation_open_step(f->dirfd, &step, 1, NULL), gen;

	strcpy(manifest.identity, identity);
	gen = cr_generation_create(fd, &manifest.generation, NULL);
	assert_int_equal(cr_manifest_write(gen, &manifest, NULL, NULL), 0);
	close(gen);
	close(fd);
}

/* Whose image step @number finds when srun @identity has that number now:
 * the number of the step that left it, or -1. */
static int claim(struct fixture *f, uint32_t number, const char *identity)
{
	struct cr_step step = make_step(number, identity);
	struct cr_manifest manifest;
	uint32_t *numbers = NULL;
	int fd, gen, left = -1;
	size_t nr = 0;

	fd = cr_claim_step(f->dirfd, &step, &f->locks[f->nr_locks], NULL);
	assert_true(fd >= 0);
	assert_true(f->locks[f->nr_locks++] >= 0);
	assert_int_equal(cr_generation_list(fd, &numbers, &nr, NULL), 0);
	if (nr) {
		gen = cr_generation_open(fd, numbers[0], NULL);
		assert_int_equal(cr_manifest_read(gen, &manifest, NULL, NULL),
				 0);
		left = (int)manifest.step;
		cr_manifest_free(&manifest);
		close(gen);
	}
	free(numbers);
	close(fd);
	return left;
}

static void the_own_number_is_first(void **state)
{
	leave_image(*state, 0, A);
	leave_image(*state, 1, A);
	assert_int_equal(claim(*state, 1, A), 1);
	assert_int_equal(claim(*state, 0, A), 0);
}

static void two_that_changed_places_both_find_theirs(void **state)
{
	leave_image(*state, 0, A);
	leave_image(*state, 1, B);
	assert_int_equal(claim(*state, 0, B), 1);
	assert_int_equal(claim(*state, 1, A), 0);
}

static void three_in_a_ring_all_find_theirs(void **state)
{
	leave_image(*state, 0, A);
	leave_image(*state, 1, B);
	leave_image(*state, 2, C);
	assert_int_equal(claim(*state, 2, A), 0);
	assert_int_equal(claim(*state, 0, B), 1);
	assert_int_equal(claim(*state, 1, C), 2);
}

static void one_whose_neighbour_had_ended_finds_its_own(void **state)
{
	leave_image(*state, 1, B);
	assert_int_equal(claim(*state, 0, B), 1);
	assert_int_equal(claim(*state, 1, A), -1);
}

/* It could not be saved, say. */
static void one_without_an_image_leaves_its_neighbours(void **state)
{
	leave_image(*state, 0, A);
	leave_image(*state, 1, B);
	assert_int_equal(claim(*state, 0, C), -1);
	assert_int_equal(claim(*state, 2, A), 0);
	assert_int_equal(claim(*state, 1, B), 1);
}

static void one_without_an_image_peeks_at_none(void **state)
{
	struct fixture *f = *state;
	const struct cr_step step = make_step(0, C);

	leave_image(f, 0, A);
	assert_int_equal(cr_claim_peek(f->dirfd, &step, NULL), -ENOENT);
	claim(f, 0, C);
	close(cr_claim_peek(f->dirfd, &step, NULL));
}

static void images_that_a_living_agent_holds_are_left_alone(void **state)
{
	leave_image(*state, 0, A);
	assert_int_equal(claim(*state, 0, A), 0);
	assert_int_equal(claim(*state, 1, A), -1);
}

static void a_step_is_held_as_long_as_its_agent_lives(void **state)
{
	struct fixture *f = *state;
	struct cr_step step = make_step(0, A);

	assert_false(cr_claim_is_held(f->dirfd, &step));
	claim(f, 0, A);
	assert_true(cr_claim_is_held(f->dirfd, &step));
	close(f->locks[--f->nr_locks]);
	assert_false(cr_claim_is_held(f->dirfd, &step));
}

/* The agent of the job's last run has not gone yet: the step runs all the same.
 */
static void a_step_that_is_held_can_be_claimed_without_its_lock(void **state)
{
	struct fixture *f = *state;
	struct cr_step step = make_step(0, A);
	int fd, lock = 0;

	claim(f, 0, A);
	fd = cr_claim_step(f->dirfd, &step, &lock, NULL);
	assert_true(fd >= 0);
	assert_int_equal(lock, -EWOULDBLOCK);
	close(fd);
}

/* A loop of the same srun with other variables: not the one that was saved. */
static void another_environment_alone_is_another_srun(void **state)
{
	leave_image(*state, 3, A);
	assert_int_equal(claim(*state, 0, A2), -1);
	assert_int_equal(claim(*state, 3, A2), 3);
}

static void removing_a_claimed_step_removes_its_lock(void **state)
{
	struct fixture *f = *state;
	struct cr_step step = make_step(0, A);

	leave_image(f, 0, A);
	claim(f, 0, A);
	assert_int_equal(cr_generation_remove_step(f->dirfd, &step, NULL), 0);
	assert_int_not_equal(faccessat(f->dirfd, "job_7", F_OK, 0), 0);
}

/* Its own folder was made when it came, and nobody has that number any more. */
static void an_exchange_leaves_no_empty_folder(void **state)
{
	struct fixture *f = *state;
	struct cr_step step = make_step(0, B);

	leave_image(f, 1, B);
	assert_int_equal(claim(f, 0, B), 1);
	assert_int_equal(cr_generation_remove_step(f->dirfd, &step, NULL), 0);
	assert_int_not_equal(faccessat(f->dirfd, "job_7", F_OK, 0), 0);
}

static void nor_one_that_somebody_has_looked_at(void **state)
{
	struct fixture *f = *state;
	const struct cr_step step = make_step(0, B);

	leave_image(f, 1, B);
	close(cr_generation_open_step(f->dirfd, &step, 1, NULL));
	claim(f, 2, C);
	assert_int_equal(claim(f, 0, B), 1);
	assert_int_not_equal(faccessat(f->dirfd, "job_7/step_1", F_OK, 0), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_own_number_is_first),
		TEST(two_that_changed_places_both_find_theirs),
		TEST(three_in_a_ring_all_find_theirs),
		TEST(one_whose_neighbour_had_ended_finds_its_own),
		TEST(one_without_an_image_leaves_its_neighbours),
		TEST(one_without_an_image_peeks_at_none),
		TEST(images_that_a_living_agent_holds_are_left_alone),
		TEST(a_step_is_held_as_long_as_its_agent_lives),
		TEST(a_step_that_is_held_can_be_claimed_without_its_lock),
		TEST(another_environment_alone_is_another_srun),
		TEST(removing_a_claimed_step_removes_its_lock),
		TEST(an_exchange_leaves_no_empty_folder),
		TEST(nor_one_that_somebody_has_looked_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
