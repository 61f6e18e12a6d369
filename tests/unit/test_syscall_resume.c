/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_syscall_resume.c - how interrupted system calls go on
 *
 * A small memory stands for the thread's: addresses are offsets in it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <time.h>
#include <linux/futex.h>
#include <sys/syscall.h>

#include "syscall_resume.h"

#define MEMORY 8192
#define CODE 64 /* address behind the system call instruction */
#define TIMEOUT 256 /* address of a timespec */
#define REMAINING 512
#define STACK 4096
#define MS 1000000ull

static unsigned char memory[MEMORY];

static int read_memory(void *arg, uint64_t address, void *data, size_t length)
{
	(void)arg;
	if (address > MEMORY || length > MEMORY - address)
		return -EFAULT;
	memcpy(data, memory + address, length);
	return 0;
}

static int write_memory(void *arg, uint64_t address, const void *data,
			size_t length)
{
	(void)arg;
	if (address > MEMORY || length > MEMORY - address)
		return -EFAULT;
	memcpy(memory + address, data, length);
	return 0;
}

static void put_time(uint64_t address, uint64_t ns)
{
	struct timespec ts = { (time_t)(ns / 1000000000),
			       (long)(ns % 1000000000) };

	memcpy(memory + address, &ts, sizeof(ts));
}

static uint64_t get_time(uint64_t address)
{
	struct timespec ts;

	memcpy(&ts, memory + address, sizeof(ts));
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static int setup(void **state)
{
	(void)state;
	memset(memory, 0, sizeof(memory));
	memory[CODE - 2] = 0x0f;
	memory[CODE - 1] = 0x05;
	return 0;
}

static struct cr_wire_regs stopped_in(long nr, int64_t result)
{
	struct cr_wire_regs regs = { 0 };

	regs.orig_ax = (uint64_t)nr;
	regs.ax = (uint64_t)result;
	regs.ip = CODE;
	regs.sp = STACK;
	return regs;
}

static int decide(long nr, uint64_t elapsed_ns, int has_signal,
		  struct cr_wire_regs *regs, struct cr_wire_resume *resume)
{
	const struct cr_resume_stop stop = {
		.nr = nr,
		.elapsed_ns = elapsed_ns,
		.has_signal = has_signal,
		.read = read_memory,
		.write = write_memory,
	};

	return cr_resume_decide(&stop, regs, resume);
}

/* Restart codes act when the thread leaves the kernel: nothing to change. */
static void calls_that_the_kernel_restarts_stay_as_they_are(void **state)
{
	static const int64_t codes[] = {
		-CR_ERESTARTSYS, -CR_ERESTARTNOINTR, -CR_ERESTARTNOHAND, 0, 7,
		-EINTR
	};
	struct cr_wire_resume resume;

	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		struct cr_wire_regs regs = stopped_in(SYS_wait4, codes[i]);
		struct cr_wire_regs before = regs;

		assert_int_equal(decide(SYS_wait4, 0, 0, &regs, &resume), 0);
		assert_memory_equal(&regs, &before, sizeof(regs));
		assert_int_equal(resume.kind, CR_RESUME_REGS);
	}
}

static void running_threads_stay_as_they_are(void **state)
{
	struct cr_wire_regs regs = stopped_in(-1, -EINTR), before = regs;
	struct cr_wire_resume resume;

	(void)state;
	assert_int_equal(decide(-1, 0, 0, &regs, &resume), 0);
	assert_memory_equal(&regs, &before, sizeof(regs));
	assert_int_equal(resume.kind, CR_RESUME_REGS);
}

static void sleep_takes_what_the_kernel_says_remains(void **state)
{
	struct cr_wire_regs regs =
		stopped_in(SYS_nanosleep, -CR_ERESTART_RESTARTBLOCK);
	struct cr_wire_resume resume;

	(void)state;
	put_time(TIMEOUT, 5000 * MS);
	put_time(REMAINING, 1234 * MS);
	regs.di = TIMEOUT;
	regs.si = REMAINING;
	assert_int_equal(decide(SYS_nanosleep, 999 * MS, 0, &regs, &resume), 0);
	assert_int_equal(resume.kind, CR_RESUME_BLOCK);
	assert_int_equal(resume.nr, SYS_nanosleep);
	assert_int_equal(resume.remaining_ns, 1234 * MS);
	assert_int_equal(resume.args[1], REMAINING);
}

static void sleep_without_that_is_estimated(void **state)
{
	struct cr_wire_regs regs =
		stopped_in(SYS_clock_nanosleep, -CR_ERESTART_RESTARTBLOCK);
	struct cr_wire_resume resume;

	(void)state;
	put_time(TIMEOUT, 5000 * MS);
	regs.dx = TIMEOUT;
	assert_int_equal(decide(SYS_clock_nanosleep, 999 * MS, 0, &regs,
				&resume),
			 0);
	assert_int_equal(resume.remaining_ns, 4001 * MS);
	assert_int_equal(decide(SYS_clock_nanosleep, 9999 * MS, 0, &regs,
				&resume),
			 0);
	assert_int_equal(resume.remaining_ns, 0);
}

static void poll_without_end_has_no_remaining_time(void **state)
{
	struct cr_wire_regs regs =
		stopped_in(SYS_poll, -CR_ERESTART_RESTARTBLOCK);
	struct cr_wire_resume resume;

	(void)state;
	regs.dx = (uint32_t)-1;
	assert_int_equal(decide(SYS_poll, 5 * MS, 0, &regs, &resume), 0);
	assert_int_equal(resume.kind, CR_RESUME_BLOCK);
	assert_int_equal(resume.remaining_ns, -1);
	regs.dx = 50;
	assert_int_equal(decide(SYS_poll, 5 * MS, 0, &regs, &resume), 0);
	assert_int_equal(resume.remaining_ns, 45 * MS);
}

static void futex_with_an_end_in_time_is_called_again(void **state)
{
	struct cr_wire_regs regs =
		stopped_in(SYS_restart_syscall, -CR_ERESTART_RESTARTBLOCK);
	struct cr_wire_resume resume;

	(void)state;
	put_time(TIMEOUT, 77777 * MS);
	regs.si = FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG;
	regs.r10 = TIMEOUT;
	assert_int_equal(decide(SYS_futex, 5 * MS, 0, &regs, &resume), 0);
	assert_int_equal(resume.kind, CR_RESUME_REGS);
	assert_int_equal((int64_t)regs.ax, -CR_ERESTARTNOHAND);
	assert_int_equal(regs.orig_ax, SYS_futex);

	regs = stopped_in(SYS_futex, -CR_ERESTART_RESTARTBLOCK);
	regs.si = FUTEX_WAIT | FUTEX_PRIVATE_FLAG;
	regs.r10 = TIMEOUT;
	assert_int_equal(decide(SYS_futex, 7 * MS, 0, &regs, &resume), 0);
	assert_int_equal(resume.kind, CR_RESUME_BLOCK);
	assert_int_equal(resume.remaining_ns, 77770 * MS);
}

static void epoll_wait_is_made_again_with_less_time(void **state)
{
	struct cr_wire_regs regs = stopped_in(SYS_epoll_wait, -EINTR);
	struct cr_wire_resume resume;

	(void)state;
	regs.r10 = 100;
	assert_int_equal(decide(SYS_epoll_wait, 30 * MS, 0, &regs, &resume), 1);
	assert_int_equal(regs.ip, CODE - 2);
	assert_int_equal(regs.ax, SYS_epoll_wait);
	assert_int_equal((int64_t)regs.orig_ax, -1);
	assert_int_equal(regs.r10, 70);

	regs = stopped_in(SYS_epoll_wait, -EINTR);
	regs.r10 = (uint64_t)-1;
	assert_int_equal(decide(SYS_epoll_wait, 30 * MS, 0, &regs, &resume), 1);
	assert_int_equal((int64_t)regs.r10, -1);
}

static void time_in_memory_is_shortened_below_the_stack(void **state)
{
	struct cr_wire_regs regs = stopped_in(SYS_rt_sigtimedwait, -EINTR);
	struct cr_wire_resume resume;

	(void)state;
	put_time(TIMEOUT, 3000 * MS);
	regs.dx = TIMEOUT;
	assert_int_equal(decide(SYS_rt_sigtimedwait, 1000 * MS, 0, &regs,
				&resume),
			 1);
	assert_true(regs.dx < STACK - 128 && regs.dx != TIMEOUT);
	assert_int_equal(get_time(regs.dx), 2000 * MS);
	assert_int_equal(get_time(TIMEOUT), 3000 * MS);

	/* the stack ends there: as it was, rather than wrong */
	regs = stopped_in(SYS_rt_sigtimedwait, -EINTR);
	regs.dx = TIMEOUT;
	regs.sp = MEMORY + STACK;
	assert_int_equal(decide(SYS_rt_sigtimedwait, 1000 * MS, 0, &regs,
				&resume),
			 1);
	assert_int_equal(regs.dx, TIMEOUT);
}

static void a_signal_that_comes_ends_the_call(void **state)
{
	struct cr_wire_regs regs = stopped_in(SYS_epoll_wait, -EINTR);
	struct cr_wire_regs before = regs;
	struct cr_wire_resume resume;

	(void)state;
	assert_int_equal(decide(SYS_epoll_wait, 0, 1, &regs, &resume), 0);
	assert_memory_equal(&regs, &before, sizeof(regs));
}

static void other_instructions_are_not_gone_back_to(void **state)
{
	struct cr_wire_regs regs = stopped_in(SYS_semop, -EINTR), before = regs;
	struct cr_wire_resume resume;

	(void)state;
	memory[CODE - 2] = 0xcd; /* int $0x80 or the like */
	assert_int_equal(decide(SYS_semop, 0, 0, &regs, &resume), 0);
	assert_memory_equal(&regs, &before, sizeof(regs));
}

static void restarted_calls_are_recognized(void **state)
{
	const uint64_t pointer[6] = { 0x7fff12345678 }, clock[6] = { 1 };

	(void)state;
	assert_int_equal(cr_resume_restarted(
				 "poll_schedule_timeout.constprop.0", pointer),
			 SYS_poll);
	assert_int_equal(cr_resume_restarted("futex_do_wait", pointer),
			 SYS_futex);
	assert_int_equal(cr_resume_restarted("hrtimer_nanosleep", pointer),
			 SYS_nanosleep);
	assert_int_equal(cr_resume_restarted("do_signal_stop", pointer), -1);
	assert_int_equal(cr_resume_restarted("hrtimer_nanosleep", clock),
			 SYS_clock_nanosleep);
}

static const struct cr_resume_stop no_wait = { .read = read_memory,
					       .write = write_memory,
					       .now_ns = 1000 * MS };

static void who_is_about_to_restart_is_still_in_the_call(void **state)
{
	struct cr_wire_regs regs = stopped_in(-1, SYS_restart_syscall), before;

	(void)state;
	regs.ip = CODE - 2;
	assert_int_equal(cr_resume_step_back(&no_wait, &regs), 1);
	assert_int_equal(regs.ip, CODE);
	assert_int_equal((int64_t)regs.ax, -CR_ERESTART_RESTARTBLOCK);
	assert_int_equal(regs.orig_ax, SYS_restart_syscall);
	/* where the kernel has not returned yet, it knows the call */
	regs = stopped_in(SYS_poll, SYS_restart_syscall);
	regs.ip = CODE - 2;
	assert_int_equal(cr_resume_step_back(&no_wait, &regs), 1);
	assert_int_equal(regs.orig_ax, SYS_poll);
	/* another call's result, and another call */
	regs = before = stopped_in(SYS_read, SYS_restart_syscall);
	assert_int_equal(cr_resume_step_back(&no_wait, &regs), 0);
	assert_memory_equal(&regs, &before, sizeof(regs));
	regs.ip = CODE - 2;
	regs.ax = SYS_poll;
	assert_int_equal(cr_resume_step_back(&no_wait, &regs), 0);
}

static void unseen_calls_are_found(void **state)
{
	struct cr_wire_regs regs =
		stopped_in(SYS_restart_syscall, -CR_ERESTART_RESTARTBLOCK);
	struct cr_resume_stop stop = no_wait;
	struct cr_wire_resume resume;

	(void)state;
	regs.di = 1;
	assert_int_equal(cr_resume_find(&stop, &regs), SYS_clock_nanosleep);
	regs.di = 0x7fff12345678;
	assert_int_equal(cr_resume_find(&stop, &regs), SYS_nanosleep);
	/* mov $202, %eax; mov ..., %r10; and no call that has a block */
	memory[CODE - 10] = 0xb8;
	memory[CODE - 9] = SYS_futex;
	memory[CODE - 30] = 0xb8;
	memory[CODE - 29] = SYS_read;
	assert_int_equal(cr_resume_find(&stop, &regs), SYS_futex);
	/* the last checkpoint has seen it wait */
	regs.dx = 50;
	stop.nr = SYS_poll;
	assert_int_equal(cr_resume_decide(&stop, &regs, &resume), 0);
	assert_int_equal(cr_resume_find(&stop, &regs), SYS_poll);
	regs.dx = 51;
	assert_int_equal(cr_resume_find(&stop, &regs), SYS_futex);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(calls_that_the_kernel_restarts_stay_as_they_are),
		TEST(running_threads_stay_as_they_are),
		TEST(sleep_takes_what_the_kernel_says_remains),
		TEST(sleep_without_that_is_estimated),
		TEST(poll_without_end_has_no_remaining_time),
		TEST(futex_with_an_end_in_time_is_called_again),
		TEST(who_is_about_to_restart_is_still_in_the_call),
		TEST(unseen_calls_are_found),
		TEST(epoll_wait_is_made_again_with_less_time),
		TEST(time_in_memory_is_shortened_below_the_stack),
		TEST(a_signal_that_comes_ends_the_call),
		TEST(other_instructions_are_not_gone_back_to),
		TEST(restarted_calls_are_recognized),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
