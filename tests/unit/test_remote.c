/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_remote.c - stopping threads and making system calls in them
 *
 * A child is stopped in different places, made to do calls, and must then
 * find everything as it was: that is told by its exit status.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "procfs.h"
#include "remote.h"
#include "remote_code.h"
#include "syscall_resume.h"

#define STOP_MS 5000

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Until @pid waits in the system call @nr. */
static void wait_for_call(pid_t pid, long nr)
{
	struct cr_proc_syscall call = { .nr = -1 };
	double end = seconds() + STOP_MS / 1000.0;
	char *text;

	while (call.nr != nr && seconds() < end) {
		usleep(1000);
		assert_int_equal(cr_proc_read(pid, "syscall", &text, NULL,
					      NULL),
				 0);
		assert_int_equal(cr_proc_parse_syscall(text, &call), 0);
		free(text);
	}
	assert_int_equal(call.nr, nr);
}

static pid_t start_running(int (*body)(void))
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		setpgid(0, 0); /* see test_remote_killed.c: it may be stopped */
		_exit(body());
	}
	return pid;
}

/*
 * A child that runs @body and has come to wait in the system call @nr; the
 * result of @body is its exit status.
 */
static pid_t start(int (*body)(void), long nr)
{
	pid_t pid = start_running(body);

	wait_for_call(pid, nr);
	return pid;
}

static int finish(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void stop(pid_t pid)
{
	struct cr_error err = { 0 };
	int stop_signal = -1;

	if (cr_trace_stop(pid, STOP_MS, &stop_signal, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(stop_signal, 0);
}

static void make_calls(pid_t pid)
{
	struct cr_remote_call calls[3] = { { .nr = SYS_getpid },
					   { .nr = SYS_close, .args = { 999 } },
					   { .nr = SYS_getppid } };
	struct cr_error err = { 0 };
	struct cr_remote *remote;

	if (cr_remote_open(pid, &remote, &err) < 0)
		fail_msg("%s", err.text);
	for (int i = 0; i < 3; i++) {
		if (cr_remote_run(remote, pid, calls, 3, &err) < 0)
			fail_msg("%s", err.text);
		assert_int_equal(calls[0].result, pid);
		assert_int_equal(calls[1].result, -EBADF);
		assert_int_equal(calls[2].result, getpid());
	}
	cr_remote_close(remote);
}

/* Half a second, and what a busy machine may add to it. */
static int has_passed_half_since(double began)
{
	double took = seconds() - began;

	return took > 0.49 && took < 2.5;
}

static int sleeps_half_a_second(void)
{
	struct timespec half = { 0, 500000000 };
	double began = seconds();

	if (nanosleep(&half, NULL) < 0)
		return 1;
	return has_passed_half_since(began) ? 0 : 2;
}

static void sleep_goes_on_after_calls(void **state)
{
	pid_t pid = start(sleeps_half_a_second, SYS_clock_nanosleep);

	(void)state;
	stop(pid);
	make_calls(pid);
	assert_int_equal(cr_trace_release(pid), 0);
	assert_int_equal(finish(pid), 0);
}

static int polls_half_a_second(void)
{
	double began = seconds();

	if (poll(NULL, 0, 500) < 0)
		return 1;
	return has_passed_half_since(began) ? 0 : 2;
}

static void poll_goes_on_after_calls(void **state)
{
	pid_t pid = start(polls_half_a_second, SYS_poll);

	(void)state;
	stop(pid);
	make_calls(pid);
	assert_int_equal(cr_trace_release(pid), 0);
	assert_int_equal(finish(pid), 0);
}

/* A sum that no stop may disturb, and no memory that stays behind. */
static int counts(void)
{
	volatile uint64_t sum = 0;

	for (uint64_t i = 0; i < 600000000; i++)
		sum += i & 3;
	return sum == 900000000 ? 0 : 1;
}

static void registers_survive_calls(void **state)
{
	pid_t pid = start_running(counts);

	(void)state;
	for (int i = 0; i < 20; i++) {
		stop(pid);
		make_calls(pid);
		assert_int_equal(cr_trace_release(pid), 0);
	}
	assert_int_equal(finish(pid), 0);
}

static volatile sig_atomic_t got_usr1;

static void on_usr1(int signal)
{
	(void)signal;
	got_usr1++;
}

static int waits_for_usr1(void)
{
	sigset_t usr1, none;

	sigemptyset(&none);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	signal(SIGUSR1, on_usr1);
	signal(SIGTRAP, SIG_IGN);
	if (sigsuspend(&none) != -1 || errno != EINTR || got_usr1 != 1)
		return 1;
	sigprocmask(SIG_SETMASK, NULL, &none);
	if (!sigismember(&none, SIGUSR1))
		return 2;
	return signal(SIGTRAP, SIG_DFL) == SIG_IGN ? 0 : 3;
}

static void sigsuspend_goes_on_with_its_mask(void **state)
{
	pid_t pid = start(waits_for_usr1, SYS_rt_sigsuspend);

	(void)state;
	stop(pid);
	make_calls(pid);
	assert_int_equal(cr_trace_release(pid), 0);
	usleep(50000);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	stop(pid);
	kill(pid, SIGUSR1);
	make_calls(pid);
	assert_int_equal(cr_trace_release(pid), 0);
	assert_int_equal(finish(pid), 0);
}

static int pauses(void)
{
	for (;;)
		pause();
	return 0;
}

static void stopped_task_stays_stopped(void **state)
{
	pid_t pid = start(pauses, SYS_pause);
	struct cr_error err = { 0 };
	int stop_signal, status;

	(void)state;
	kill(pid, SIGSTOP);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(cr_trace_stop(pid, STOP_MS, &stop_signal, &err), 0);
	assert_int_equal(stop_signal, SIGSTOP);
	make_calls(pid);
	assert_int_equal(cr_trace_release(pid), 0);
	usleep(50000);
	kill(pid, SIGCONT);
	assert_int_equal(waitpid(pid, &status, WCONTINUED), pid);
	assert_true(WIFCONTINUED(status));
	kill(pid, SIGKILL);
	assert_int_equal(finish(pid), 128 + SIGKILL);
}

/* The signal that ends batches may not eat one of the program's own. */
static int waits_for_trap(void)
{
	struct timespec second = { 1, 0 };
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	raise(SIGTRAP);
	kill(getpid(), SIGSYS);
	usleep(150000);
	sigemptyset(&all);
	sigaddset(&all, SIGTRAP);
	sigaddset(&all, SIGSYS);
	if (sigtimedwait(&all, NULL, &second) < 0 ||
	    sigtimedwait(&all, NULL, &second) < 0)
		return 1;
	second.tv_sec = 0;
	return sigtimedwait(&all, NULL, &second) < 0 ? 0 : 2;
}

static void pending_signals_survive_calls(void **state)
{
	pid_t pid = start(waits_for_trap, SYS_clock_nanosleep);

	(void)state;
	stop(pid);
	make_calls(pid);
	assert_int_equal(cr_trace_release(pid), 0);
	assert_int_equal(finish(pid), 0);
}

static void interrupted_call_leaves_a_restart_block(void **state)
{
	const uint64_t length = 4096;
	struct timespec *wanted = mmap(NULL, length, PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t args[6] = { (uint64_t)(uintptr_t)wanted, 0 };
	struct cr_wire_regs regs;
	struct cr_error err = { 0 };
	uint64_t instruction;
	int64_t result = 0;
	double began;
	pid_t pid;

	(void)state;
	assert_ptr_not_equal(wanted, MAP_FAILED);
	pid = start(sleeps_half_a_second, SYS_clock_nanosleep);
	stop(pid);
	assert_int_equal(cr_trace_find_syscall(pid, &instruction, &err), 0);
	assert_int_equal(cr_trace_get_regs(pid, &regs, &err), 0);
	assert_int_equal((int64_t)regs.ax, -516);
	wanted->tv_sec = 3;
	if (cr_trace_syscall_interrupted(pid, instruction, SYS_nanosleep, args,
					 &result, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(result, -516);
	assert_int_equal(cr_trace_set_regs(pid, &regs, &err), 0);
	began = seconds();
	assert_int_equal(cr_trace_release(pid), 0);
	assert_int_equal(finish(pid), 2); /* it slept longer than it asked */
	assert_true(seconds() - began > 2.9);
	munmap(wanted, length);
}

static void refuses_what_is_gone(void **state)
{
	pid_t pid = fork();
	struct cr_error err = { 0 };
	int stop_signal;

	(void)state;
	if (pid == 0)
		_exit(7);
	/* had it not ended yet, its tracer would learn of its end, once */
	assert_int_equal(waitid(P_PID, (id_t)pid, NULL, WEXITED | WNOWAIT), 0);
	assert_int_equal(cr_trace_stop(pid, STOP_MS, &stop_signal, &err),
			 -ESRCH);
	assert_string_not_equal(err.text, "");
	assert_int_equal(finish(pid), 7);
	assert_int_equal(cr_trace_stop(pid, STOP_MS, &stop_signal, &err),
			 -ESRCH);
}

static int is_traced(void)
{
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	return pauses();
}

static void refuses_what_another_traces(void **state)
{
	pid_t pid = start(is_traced, SYS_pause);
	struct cr_error err = { 0 };
	int stop_signal;

	(void)state;
	assert_int_equal(cr_trace_stop(pid, STOP_MS, &stop_signal, &err),
			 -EBUSY);
	kill(pid, SIGKILL);
	finish(pid);
}

static void names_a_thread_that_dies(void **state)
{
	pid_t pid = start(pauses, SYS_pause);
	struct cr_remote_call call = { .nr = SYS_exit_group, .args = { 3 } };
	struct cr_error err = { 0 };
	struct cr_remote *remote;

	(void)state;
	stop(pid);
	assert_int_equal(cr_remote_open(pid, &remote, &err), 0);
	assert_int_equal(cr_remote_run(remote, pid, &call, 1, &err),
			 -ECANCELED);
	assert_string_not_equal(err.text, "");
	cr_remote_close(remote);
}

/* What the kernel would do on the way out (arch_do_signal_or_restart). */
static void frame_starts_a_call_again(void **state)
{
	static const struct {
		int64_t ax, expected_ax;
		int ended_by_handler;
	} cases[] = {
		{ -CR_ERESTARTSYS, SYS_read, 0 },
		{ -CR_ERESTARTNOINTR, SYS_read, 0 },
		{ -CR_ERESTARTNOHAND, SYS_read, 1 },
		{ -CR_ERESTART_RESTARTBLOCK, SYS_restart_syscall, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cr_wire_regs regs = { .ax = (uint64_t)cases[i].ax,
					     .orig_ax = SYS_read,
					     .ip = 0x1002 };
		struct cr_remote_frame frame;

		cr_remote_frame_fill(&regs, 5, SIGURG, &frame);
		assert_int_equal(frame.ax, cases[i].expected_ax);
		assert_int_equal(frame.ip, 0x1000);
		assert_int_equal(frame.handler_ip, 0x1002);
		assert_int_equal(frame.is_ended_by_handler,
				 cases[i].ended_by_handler);
		assert_int_equal(frame.mask, 5);
	}
}

/* Not in a call, or in one that has ended, with whatever result. */
static void frame_leaves_other_registers(void **state)
{
	static const int64_t cases[][2] = {
		{ -CR_ERESTARTSYS, -1 },
		{ -EINTR, SYS_read },
		{ 7, SYS_read },
		{ -515, SYS_read },
		{ 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cr_wire_regs regs = { .ax = (uint64_t)cases[i][0],
					     .orig_ax = (uint64_t)cases[i][1],
					     .ip = 0x1002 };
		struct cr_remote_frame frame;

		cr_remote_frame_fill(&regs, 0, SIGURG, &frame);
		assert_int_equal(frame.ax, cases[i][0]);
		assert_int_equal(frame.ip, 0x1002);
		assert_int_equal(frame.is_ended_by_handler, 0);
		cr_remote_enter(&regs, 0x5000, SIGURG, -1, 0, 0);
		assert_int_equal(regs.ip, 0x5000);
	}
}

static void entry_lets_the_kernel_decide(void **state)
{
	struct cr_wire_regs regs = { .ax = (uint64_t)-CR_ERESTARTNOHAND,
				     .orig_ax = SYS_pause,
				     .ip = 0x1002 };

	(void)state;
	cr_remote_enter(&regs, 0x5000, SIGURG, -1, 0x6000, 3);
	assert_int_equal(regs.ip, 0x5002);
	assert_int_equal(regs.orig_ax, SYS_pause);
	assert_int_equal(regs.ax, -CR_ERESTARTNOHAND);
}

static int ignores_sigpwr_and_catches(void)
{
	signal(SIGURG, on_usr1);
	signal(SIGWINCH, on_usr1);
	signal(SIGCHLD, on_usr1);
	signal(SIGPWR, SIG_IGN);
	return pauses();
}

static int catches_the_mild(void)
{
	signal(SIGURG, on_usr1);
	signal(SIGWINCH, on_usr1);
	signal(SIGCHLD, on_usr1);
	return pauses();
}

static int chosen_in(int (*body)(void), uint64_t mask, int *harm)
{
	pid_t pid = start(body, SYS_pause);
	int signal = cr_remote_choose_signal(pid, mask, harm, NULL);

	kill(pid, SIGKILL);
	finish(pid);
	return signal;
}

static void signal_is_one_that_is_discarded(void **state)
{
	const uint64_t urg = 1ull << (SIGURG - 1);
	int harm;

	(void)state;
	assert_int_equal(chosen_in(pauses, 0, &harm), SIGURG);
	assert_int_equal(harm, 0);
	assert_int_equal(chosen_in(pauses, urg, &harm), SIGWINCH);
	assert_int_equal(harm, 0);
	assert_int_equal(chosen_in(pauses, UINT64_MAX, &harm), SIGURG);
	assert_int_equal(harm, 1);
	assert_int_equal(chosen_in(ignores_sigpwr_and_catches, 0, &harm),
			 SIGPWR);
	assert_int_equal(harm, 0);
	assert_int_equal(chosen_in(catches_the_mild, 0, &harm), SIGURG);
	assert_int_equal(harm, 2);
}

/* A tracer that ends without a word: what it had seized. */
static pid_t left_by_tracer(int (*seize)(pid_t tid, struct cr_error *err))
{
	pid_t pid = start(pauses, SYS_pause), tracer = fork();
	int stop_signal;

	if (tracer == 0) {
		if (seize(pid, NULL) < 0 ||
		    cr_trace_wait(pid, STOP_MS, &stop_signal, NULL) < 0)
			_exit(1);
		_exit(0);
	}
	assert_int_equal(finish(tracer), 0);
	return pid;
}

static void dies_with_its_tracer_only_if_told_to(void **state)
{
	pid_t pid = left_by_tracer(cr_trace_seize);

	(void)state;
	usleep(50000);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	kill(pid, SIGKILL);
	assert_int_equal(finish(pid), 128 + SIGKILL);
	pid = left_by_tracer(cr_trace_seize_for_life);
	assert_int_equal(finish(pid), 128 + SIGKILL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sleep_goes_on_after_calls),
		cmocka_unit_test(poll_goes_on_after_calls),
		cmocka_unit_test(registers_survive_calls),
		cmocka_unit_test(sigsuspend_goes_on_with_its_mask),
		cmocka_unit_test(stopped_task_stays_stopped),
		cmocka_unit_test(pending_signals_survive_calls),
		cmocka_unit_test(interrupted_call_leaves_a_restart_block),
		cmocka_unit_test(refuses_what_is_gone),
		cmocka_unit_test(refuses_what_another_traces),
		cmocka_unit_test(names_a_thread_that_dies),
		cmocka_unit_test(dies_with_its_tracer_only_if_told_to),
		cmocka_unit_test(frame_starts_a_call_again),
		cmocka_unit_test(frame_leaves_other_registers),
		cmocka_unit_test(entry_lets_the_kernel_decide),
		cmocka_unit_test(signal_is_one_that_is_discarded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
