/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * thread_robust.c - the robust futex list of a process is still registered: the
 * next owner of its mutex learns that it died
 */
#include "program.h"

static pthread_mutex_t *mutex;

static void owner(void *arg)
{
	(void)arg;
	NEED_ZERO(pthread_mutex_lock(mutex));
	program_mark("locked");
	program_await("die");
	_exit(program_result());
}

int main(int argc, char **argv)
{
	pthread_mutexattr_t attributes;
	pid_t pid;
	int rc;

	program_start(argc, argv);
	mutex = NEED(mmap(NULL, PROGRAM_PAGE, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	NEED_ZERO(pthread_mutexattr_init(&attributes));
	NEED_ZERO(pthread_mutexattr_setpshared(&attributes,
					       PTHREAD_PROCESS_SHARED));
	NEED_ZERO(
		pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST));
	NEED_ZERO(pthread_mutex_init(mutex, &attributes));
	pid = program_child(owner, NULL);
	program_await("locked");

	program_ready();

	CHECK(pthread_mutex_trylock(mutex) == EBUSY, "not locked any more");
	program_mark("die");
	program_join(pid);
	rc = pthread_mutex_trylock(mutex);
	CHECK(rc == EOWNERDEAD, "%s", strerror(rc));
	return program_result();
}
