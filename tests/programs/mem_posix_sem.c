/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_posix_sem.c - named semaphores: sem_open(3) maps a file by a passing name
 * and links it to its own; one keeps that, one is unlinked, a child has found
 * the first by its name
 */
#include "program.h"

#include <semaphore.h>

static char name[64];
static sem_t *named, *unlinked;

static void child(void *arg)
{
	sem_t *found = NEED(sem_open(name, 0));

	(void)arg;
	program_mark("found");
	NEED(sem_wait(found));
	NEED(sem_post(unlinked));
}

static sem_t *make(const char *which)
{
	snprintf(name, sizeof(name), "/cr-test-%s-%lld", which,
		 (long long)program_now(CLOCK_REALTIME));
	return NEED(sem_open(name, O_CREAT | O_EXCL, 0600, 0));
}

/* A file on disk whose first name is gone. */
static int make_linked(void)
{
	int fd = NEED(open("first", O_RDWR | O_CREAT | O_EXCL, 0600));

	NEED(link("first", "second"));
	NEED(unlink("first"));
	NEED(write(fd, "linked", 6));
	return fd;
}

int main(int argc, char **argv)
{
	char text[16] = "";
	int fd, value = -1;
	sem_t *again;
	pid_t pid;

	program_start(argc, argv);
	unlinked = make("unlinked");
	NEED(sem_unlink(name));
	named = make("named");
	fd = make_linked();
	pid = program_child(child, NULL);
	program_await("found");

	program_ready();

	again = sem_open(name, 0);
	CHECK(again != SEM_FAILED, "the name is gone");
	NEED(sem_post(again));
	NEED(sem_wait(unlinked));
	program_join(pid);
	CHECK(sem_getvalue(named, &value) == 0 && value == 0, "value %d",
	      value);
	sem_unlink(name);
	NEED(write(fd, "!", 1));
	program_read("second", text, sizeof(text));
	CHECK(!strcmp(text, "linked!"), "the linked file has \"%s\"", text);
	CHECK(access("first", F_OK) < 0, "the first name is back");
	return program_result();
}
