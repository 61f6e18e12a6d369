/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_eventfd.c - event counters keep their value, their kind and their flags,
 * and are shared with a child
 */
#include <sys/eventfd.h>

#include "program.h"

static int counter;

/* Event counters of both kinds that hold 0, 1 and 2. */
static int small[2][3];

static void make_small(void)
{
	for (unsigned int i = 0; i < 3; i++) {
		small[0][i] = NEED(eventfd(i, EFD_NONBLOCK));
		small[1][i] = NEED(eventfd(i, EFD_NONBLOCK | EFD_SEMAPHORE));
	}
}

/* After two more have been added: all at once, or one at a time. */
static void check_small(void)
{
	eventfd_t value = 0;

	for (unsigned int i = 0; i < 3; i++) {
		eventfd_write(small[0][i], 2);
		CHECK(eventfd_read(small[0][i], &value) == 0 && value == i + 2,
		      "counter %u: %llu", i, (unsigned long long)value);
		eventfd_write(small[1][i], 2);
		for (unsigned int j = 0; j < i + 2; j++)
			CHECK(eventfd_read(small[1][i], &value) == 0 &&
				      value == 1,
			      "semaphore %u: %llu", i,
			      (unsigned long long)value);
		CHECK(eventfd_read(small[1][i], &value) < 0 && errno == EAGAIN,
		      "semaphore %u: more", i);
	}
}

static void child(void *arg)
{
	(void)arg;
	program_await("check");
	CHECK(eventfd_write(counter, 100) == 0, "%s", strerror(errno));
}

int main(int argc, char **argv)
{
	eventfd_t value = 0;
	int semaphore;
	pid_t pid;

	program_start(argc, argv);
	counter = NEED(eventfd(12345, EFD_NONBLOCK));
	semaphore = NEED(eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK));
	make_small();
	pid = program_child(child, NULL);

	program_ready();

	program_join(pid);
	CHECK(eventfd_read(counter, &value) == 0 && value == 12445,
	      "value %llu", (unsigned long long)value);
	CHECK(eventfd_read(counter, &value) < 0 && errno == EAGAIN, "again");
	CHECK(eventfd_read(semaphore, &value) == 0 && value == 1, "first");
	CHECK(eventfd_read(semaphore, &value) == 0 && value == 1, "second");
	CHECK(eventfd_read(semaphore, &value) < 0 && errno == EAGAIN, "third");
	check_small();
	return program_result();
}
