/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_eventfd.c - event counters keep their value, their kind and their flags,
 * and are shared with a child
 */
#include <sys/eventfd.h>

#include "program.h"

static int counter;

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
	pid = program_child(child, NULL);

	program_ready();

	program_join(pid);
	CHECK(eventfd_read(counter, &value) == 0 && value == 12445,
	      "value %llu", (unsigned long long)value);
	CHECK(eventfd_read(counter, &value) < 0 && errno == EAGAIN, "again");
	CHECK(eventfd_read(semaphore, &value) == 0 && value == 1, "first");
	CHECK(eventfd_read(semaphore, &value) == 0 && value == 1, "second");
	CHECK(eventfd_read(semaphore, &value) < 0 && errno == EAGAIN, "third");
	return program_result();
}
