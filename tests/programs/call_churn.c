/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call_churn.c - threads in many short timed calls of all kinds: wherever a
 * checkpoint meets them, none comes back before its time or with EINTR
 */
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/sem.h>

#include "program.h"

#define LONGEST_US 4000

static volatile int is_over;
static int semaphore;

/* Each waits for @us; 0, or the error of what ended it before. */

static struct timespec from_us(unsigned int us)
{
	return (struct timespec){ 0, us * 1000L };
}

static int by_poll(unsigned int us)
{
	return poll(NULL, 0, (int)((us + 999) / 1000)) < 0 ? errno : 0;
}

static int by_ppoll(unsigned int us)
{
	const struct timespec time = from_us(us);

	return ppoll(NULL, 0, &time, NULL) < 0 ? errno : 0;
}

static int by_select(unsigned int us)
{
	struct timeval time = { 0, us };

	return select(0, NULL, NULL, NULL, &time) < 0 ? errno : 0;
}

static int by_epoll(unsigned int us)
{
	static __thread int fd;
	struct epoll_event event;

	if (!fd)
		fd = NEED(epoll_create1(0));
	return epoll_wait(fd, &event, 1, (int)((us + 999) / 1000)) < 0 ? errno :
									 0;
}

static int by_nanosleep(unsigned int us)
{
	const struct timespec time = from_us(us);

	return nanosleep(&time, NULL) < 0 ? errno : 0;
}

static int by_nanosleep_raw(unsigned int us)
{
	const struct timespec time = from_us(us);

	return syscall(SYS_nanosleep, &time, NULL) < 0 ? errno : 0;
}

static struct timespec end_of(unsigned int us, clockid_t clock)
{
	struct timespec end;

	clock_gettime(clock, &end);
	end.tv_nsec += us * 1000L;
	end.tv_sec += end.tv_nsec / 1000000000;
	end.tv_nsec %= 1000000000;
	return end;
}

static int by_end(unsigned int us)
{
	const struct timespec end = end_of(us, CLOCK_MONOTONIC);

	return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL);
}

static int by_futex(unsigned int us)
{
	const struct timespec time = from_us(us);
	uint32_t word = 1;

	if (syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 1, &time, NULL, 0) <
		    0 &&
	    errno != ETIMEDOUT)
		return errno;
	return 0;
}

static int by_condition(unsigned int us)
{
	static __thread pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static __thread pthread_cond_t never = PTHREAD_COND_INITIALIZER;
	struct timespec end = end_of(us, CLOCK_MONOTONIC);
	int rc;

	pthread_mutex_lock(&lock);
	rc = pthread_cond_clockwait(&never, &lock, CLOCK_MONOTONIC, &end);
	pthread_mutex_unlock(&lock);
	return rc == ETIMEDOUT ? 0 : rc ? rc : EAGAIN;
}

static int by_sigtimedwait(unsigned int us)
{
	const struct timespec time = from_us(us);
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	return sigtimedwait(&set, NULL, &time) < 0 && errno != EAGAIN ? errno :
									0;
}

static int by_semaphore(unsigned int us)
{
	const struct timespec time = from_us(us);
	struct sembuf take = { 0, -1, 0 };

	return semtimedop(semaphore, &take, 1, &time) < 0 && errno != EAGAIN ?
		       errno :
		       0;
}

static const struct {
	const char *name;
	int (*wait)(unsigned int us);
} calls[] = {
	{ "poll", by_poll },
	{ "ppoll", by_ppoll },
	{ "select", by_select },
	{ "epoll_wait", by_epoll },
	{ "nanosleep(3)", by_nanosleep },
	{ "nanosleep", by_nanosleep_raw },
	{ "clock_nanosleep", by_end },
	{ "futex", by_futex },
	{ "pthread_cond_clockwait", by_condition },
	{ "sigtimedwait", by_sigtimedwait },
	{ "semtimedop", by_semaphore },
};

#define NR (sizeof(calls) / sizeof(calls[0]))

static void *wait_again_and_again(void *arg)
{
	const size_t which = (size_t)arg;
	unsigned int seed = (unsigned int)which;

	while (!is_over) {
		const unsigned int us =
			1 + (unsigned int)rand_r(&seed) % LONGEST_US;
		const uint64_t start = program_now(CLOCK_MONOTONIC);
		const int error = calls[which].wait(us);
		const uint64_t took = program_now(CLOCK_MONOTONIC) - start;

		CHECK(!error, "%s: %s", calls[which].name, strerror(error));
		CHECK(took >= us * 1000ull, "%s: %llu ns instead of %u us",
		      calls[which].name, (unsigned long long)took, us);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[NR];

	program_start(argc, argv);
	semaphore = NEED(semget(IPC_PRIVATE, 1, 0600));
	for (size_t i = 0; i < NR; i++)
		NEED_ZERO(pthread_create(&threads[i], NULL,
					 wait_again_and_again, (void *)i));

	program_ready();

	program_nap(20);
	is_over = 1;
	for (size_t i = 0; i < NR; i++)
		pthread_join(threads[i], NULL);
	semctl(semaphore, 0, IPC_RMID);
	return program_result();
}
