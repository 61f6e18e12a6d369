/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * time_timerfd.c - timer descriptors: expirations that were not read yet, an
 * interval, an absolute time, a disarmed one
 */
#include <sys/timerfd.h>

#include "program.h"

static void check_far(int fd, uint64_t start)
{
	long passed =
		(long)((program_now(CLOCK_MONOTONIC) - start) / 1000000000);
	struct itimerspec now;

	CHECK(timerfd_gettime(fd, &now) == 0, "%s", strerror(errno));
	CHECK(now.it_value.tv_sec >= 4997 - passed &&
		      now.it_value.tv_sec <= 5000,
	      "%ld s left after %ld", (long)now.it_value.tv_sec, passed);
	CHECK(now.it_interval.tv_sec == 7, "interval");
}

int main(int argc, char **argv)
{
	struct itimerspec ticks = { { 0, 20000000 }, { 0, 20000000 } };
	struct itimerspec far = { { 7, 0 }, { 5000, 0 } }, now;
	struct itimerspec soon = { { 0, 0 }, { 1, 500000000 } };
	int ticking, is_far, once, disarmed, until;
	uint64_t nr = 0, start;

	program_start(argc, argv);
	program_write("gap", "2");
	ticking = NEED(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
	is_far = NEED(timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC));
	once = NEED(timerfd_create(CLOCK_MONOTONIC, 0));
	disarmed = NEED(timerfd_create(CLOCK_BOOTTIME, 0));
	until = NEED(timerfd_create(CLOCK_MONOTONIC, 0));
	start = program_now(CLOCK_MONOTONIC);
	NEED(timerfd_settime(ticking, 0, &ticks, NULL));
	NEED(timerfd_settime(is_far, 0, &far, NULL));
	NEED(timerfd_settime(once, 0, &soon, NULL));
	NEED(clock_gettime(CLOCK_MONOTONIC, &far.it_value));
	far.it_value.tv_sec += 5000;
	NEED(timerfd_settime(until, TFD_TIMER_ABSTIME, &far, NULL));
	program_nap(100);

	program_ready();

	CHECK(read(ticking, &nr, sizeof(nr)) == sizeof(nr) && nr >= 5,
	      "%llu ticks", (unsigned long long)nr);
	check_far(is_far, start);
	check_far(until, start);
	nr = 0;
	CHECK(read(once, &nr, sizeof(nr)) == sizeof(nr) && nr == 1,
	      "went off %llu times", (unsigned long long)nr);
	start = (program_now(CLOCK_MONOTONIC) - start) / 1000000;
	CHECK(start >= 1490 && start < 1500 + program_late_ms(),
	      "after %llu ms", (unsigned long long)start);
	CHECK(timerfd_gettime(disarmed, &now) == 0 && now.it_value.tv_sec == 0,
	      "disarmed one");
	CHECK(fcntl(is_far, F_GETFD) == FD_CLOEXEC, "close on exec");
	CHECK(fcntl(ticking, F_GETFL) & O_NONBLOCK, "O_NONBLOCK");
	return program_result();
}
