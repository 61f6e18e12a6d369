/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_remote_killed.c - a tracer that dies harms nobody
 *
 * A program waits or works.  A tracer stops it, makes calls in it, and is
 * killed: before or behind each of its system calls that the program could
 * notice, one after the other, and at random moments.  The program must go on
 * as if nothing had been: its exit status tells.
 *
 * One that SIGSTOP has stopped stays where the tracer's death finds it, until
 * SIGCONT.  There the next tracer must be able to make calls in it, too.
 *
 * CR_ROUNDS=N: so many random moments for each program instead of 30.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "remote.h"

#define STOP_MS 5000
#define PARALLEL 24
#define THREADS_MAX 4
#define STEPS_MAX 1000
#define NEVER 100000
#define TOO_LATE 96 /* exit code of a tracer whose program has ended */
#define PATIENCE_S 20 /* until a program counts as lost */

struct scene;

/* What is tried. */
struct program {
	const char *name;
	int (*body)(struct scene *scene);
	int nr_threads;
	int send_in_stop; /* a signal while it is stopped, or 0 */
	int has_sigstop; /* it is stopped by that all the time */
};

/* What a program, its tracer and the test have in common. */
struct scene {
	int (*body)(struct scene *scene);
	int send_in_stop; /* a signal while it is stopped, or 0 */
	int nr_threads;
	int has_sigstop; /* it is stopped by that all the time */
	volatile pid_t tids[THREADS_MAX];
	volatile uint32_t go; /* the program may end */
	volatile int is_sent; /* that signal */
	volatile int has_woken; /* pause(2) has ended */
	int pipe[2], socket[2];
};

/* --- the tracer's system calls, counted --- */

static long nr_ticks, die_at = NEVER;

static void tick(void)
{
	if (++nr_ticks >= die_at)
		kill(getpid(), SIGKILL);
}

long __real_ptrace(enum __ptrace_request request, ...);
long __wrap_ptrace(enum __ptrace_request request, ...);
ssize_t __real_pwrite(int fd, const void *data, size_t length, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *data, size_t length, off_t offset);
pid_t __real_waitpid(pid_t pid, int *status, int options);
pid_t __wrap_waitpid(pid_t pid, int *status, int options);

long __wrap_ptrace(enum __ptrace_request request, ...)
{
	void *address, *data;
	va_list args;
	pid_t pid;
	long rc;

	va_start(args, request);
	pid = va_arg(args, pid_t);
	address = va_arg(args, void *);
	data = va_arg(args, void *);
	va_end(args);
	tick();
	rc = __real_ptrace(request, pid, address, data);
	tick();
	return rc;
}

ssize_t __wrap_pwrite(int fd, const void *data, size_t length, off_t offset)
{
	ssize_t n = __real_pwrite(fd, data, length, offset);

	tick();
	return n;
}

/* Polled: not each time is a moment of its own. */
pid_t __wrap_waitpid(pid_t pid, int *status, int options)
{
	pid_t got = __real_waitpid(pid, status, options);

	if (got > 0)
		tick();
	return got;
}

/* --- programs: 0 if all was as it should be --- */

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void is_ready(struct scene *scene, int index)
{
	scene->tids[index] = (pid_t)syscall(SYS_gettid);
}

/* Nothing blocked or pending that was not. */
static int has_clean_signals(void)
{
	sigset_t set;

	sigprocmask(SIG_BLOCK, NULL, &set);
	if (!sigisemptyset(&set))
		return 0;
	sigpending(&set);
	return sigisemptyset(&set);
}

static int computes(struct scene *scene)
{
	volatile uint64_t sum = 0;
	double x = 1;
	uint64_t n;

	is_ready(scene, 0);
	for (n = 0; !scene->go; n++) {
		sum += n & 3;
		x = x * 1.5 + 0.25 - (x * 1.5 + 0.25 - 1);
		if (x != 1)
			return 1;
	}
	n -= n & 3;
	return sum >= n / 4 * 6 && sum <= n / 4 * 6 + 6 ? 0 : 2;
}

static int slept(double began)
{
	double took = seconds() - began;

	/* no upper bound: the machine may be busy */
	return took >= 0.299 && has_clean_signals() ? 0 : 2;
}

static int sleeps(struct scene *scene)
{
	struct timespec wanted = { 0, 300000000 };
	double began = seconds();

	is_ready(scene, 0);
	return nanosleep(&wanted, NULL) < 0 ? 1 : slept(began);
}

static int polls(struct scene *scene)
{
	double began = seconds();

	is_ready(scene, 0);
	return poll(NULL, 0, 300) < 0 ? 1 : slept(began);
}

static int selects(struct scene *scene)
{
	struct timeval wanted = { 0, 300000 };
	double began = seconds();

	is_ready(scene, 0);
	return select(0, NULL, NULL, NULL, &wanted) < 0 ? 1 : slept(began);
}

static int waits_in_futex(struct scene *scene)
{
	uint32_t word = 0;
	struct timespec wanted = { 0, 300000000 };
	double began = seconds();

	is_ready(scene, 0);
	if (syscall(SYS_futex, &word, FUTEX_WAIT, 0, &wanted, NULL, 0) != -1 ||
	    errno != ETIMEDOUT)
		return 1;
	return slept(began);
}

static int waits_as(struct scene *scene, int index)
{
	is_ready(scene, index);
	while (!scene->go)
		if (syscall(SYS_futex, &scene->go, FUTEX_WAIT, 0, NULL, NULL,
			    0) < 0 &&
		    errno != EAGAIN)
			return 1;
	return has_clean_signals() ? 0 : 2;
}

static int waits_to_be_woken(struct scene *scene)
{
	return waits_as(scene, 0);
}

static int reads(struct scene *scene)
{
	char byte;

	is_ready(scene, 0);
	if (read(scene->pipe[0], &byte, 1) != 1)
		return 1;
	return has_clean_signals() ? 0 : 2;
}

static int receives(struct scene *scene)
{
	char byte;

	is_ready(scene, 0);
	if (recv(scene->socket[0], &byte, 1, 0) != 1)
		return 1;
	return has_clean_signals() ? 0 : 2;
}

static volatile sig_atomic_t nr_usr1, nr_mild;

static void on_usr1(int signal)
{
	(void)signal;
	nr_usr1++;
}

static void on_mild(int signal)
{
	(void)signal;
	nr_mild++;
}

static int suspends(struct scene *scene)
{
	sigset_t usr1, none;

	sigemptyset(&none);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	signal(SIGUSR1, on_usr1);
	is_ready(scene, 0);
	if (sigsuspend(&none) != -1 || errno != EINTR || nr_usr1 != 1)
		return 1;
	sigprocmask(SIG_SETMASK, NULL, &none);
	if (!sigismember(&none, SIGUSR1))
		return 2;
	sigprocmask(SIG_UNBLOCK, &usr1, NULL);
	return has_clean_signals() ? 0 : 3;
}

/*
 * A signal that comes while it is stopped ends the call for sure.  One that
 * comes afterwards, before it is in the call again, may not: then it is sent
 * more than once.
 */
static int pauses(struct scene *scene)
{
	signal(SIGUSR1, on_usr1);
	is_ready(scene, 0);
	if (pause() != -1 || errno != EINTR || !nr_usr1)
		return 1;
	scene->has_woken = 1;
	while (!scene->go)
		usleep(1000);
	return has_clean_signals() ? 0 : 2;
}

/* No signal is discarded; then one of these handlers may be called. */
static int reads_and_catches(struct scene *scene)
{
	signal(SIGURG, on_mild);
	signal(SIGWINCH, on_mild);
	signal(SIGCHLD, on_mild);
	return reads(scene) ? 1 : nr_mild > 1 ? 3 : 0;
}

/* All of them blocked, as for signalfd(2); none may be there. */
static int reads_and_blocks(struct scene *scene)
{
	sigset_t all;
	int rc;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	rc = reads(scene); /* 2, as they are blocked */
	sigemptyset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	return rc == 2 && has_clean_signals() ? 0 : 1;
}

static void *second_thread(void *arg)
{
	return (void *)(intptr_t)waits_as(arg, 1);
}

static void *third_thread(void *arg)
{
	struct scene *scene = arg;
	volatile uint64_t n = 0;

	is_ready(scene, 2);
	while (!scene->go)
		n++;
	return (void *)(intptr_t)(has_clean_signals() ? 0 : 2);
}

static int has_threads(struct scene *scene)
{
	pthread_t second, third;
	void *results[2];
	int rc;

	if (pthread_create(&second, NULL, second_thread, scene) ||
	    pthread_create(&third, NULL, third_thread, scene))
		return 4;
	rc = reads(scene);
	pthread_join(second, &results[0]);
	pthread_join(third, &results[1]);
	return rc || results[0] || results[1] ? 1 : 0;
}

/* --- the tracer --- */

static int make_calls(struct scene *scene, int nr_calls)
{
	struct cr_remote_call calls[200];
	struct cr_remote *remote;
	int rc;

	rc = cr_remote_open(scene->tids[0], &remote, NULL);
	if (rc < 0)
		return rc;
	for (int i = 0; i < scene->nr_threads && !rc; i++) {
		memset(calls, 0, sizeof(calls));
		for (int j = 0; j < nr_calls; j++)
			calls[j].nr = SYS_gettid;
		rc = cr_remote_run(remote, scene->tids[i], calls,
				   (size_t)nr_calls, NULL);
		for (int j = 0; j < nr_calls && !rc; j++)
			if (calls[j].nr != SYS_gettid ||
			    calls[j].result != scene->tids[i])
				rc = -EBADMSG;
	}
	cr_remote_close(remote);
	return rc;
}

/* One stop of all threads with calls in them. */
static int trace_once(struct scene *scene, int nr_calls)
{
	int stop_signal, rc = 0;

	for (int i = 0; i < scene->nr_threads && !rc; i++)
		rc = cr_trace_stop(scene->tids[i], STOP_MS, &stop_signal, NULL);
	for (int i = 0; i < scene->nr_threads && rc >= 0; i++)
		rc = cr_remote_rescue(scene->tids[0], scene->tids[i], NULL);
	rc = rc > 0 ? 0 : rc;
	if (!rc && scene->send_in_stop && !scene->is_sent) {
		kill(scene->tids[0], scene->send_in_stop);
		scene->is_sent = 1;
	}
	if (!rc)
		rc = make_calls(scene, nr_calls);
	for (int i = 0; i < scene->nr_threads; i++)
		if (cr_trace_release(scene->tids[i]) < 0)
			rc = rc ? rc : -ESRCH;
	return rc;
}

/* --- one round --- */

static struct scene *make_scene(const struct program *program)
{
	struct scene *scene = mmap(NULL, sizeof(*scene), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (scene == MAP_FAILED || pipe(scene->pipe) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, scene->socket) < 0)
		_exit(90);
	scene->body = program->body;
	scene->nr_threads = program->nr_threads;
	scene->send_in_stop = program->send_in_stop;
	scene->has_sigstop = program->has_sigstop;
	return scene;
}

static char state_of(pid_t pid)
{
	char path[64], line[256] = "";
	const char *state;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return '?';
	if (!fgets(line, sizeof(line), file))
		line[0] = '\0';
	fclose(file);
	state = strrchr(line, ')');
	return state && state[1] ? state[2] : 'R';
}

/* A signal before it is in its call would not end that. */
static int is_asleep(pid_t pid)
{
	return state_of(pid) != 'R';
}

/* 0: it has ended before. */
static int wait_stopped(pid_t pid)
{
	double end = seconds() + PATIENCE_S;

	while (state_of(pid) != 'T')
		if (state_of(pid) == 'Z')
			return 0;
		else if (seconds() > end || usleep(500) < 0)
			_exit(92);
	return 1;
}

static pid_t start_program(struct scene *scene)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
		_exit(scene->body(scene));
	}
	for (int i = 0; i < scene->nr_threads; i++)
		while (!scene->tids[i])
			usleep(500);
	while (scene->body != computes && !is_asleep(pid))
		usleep(500);
	if (scene->has_sigstop) {
		kill(pid, SIGSTOP);
		scene->has_sigstop = wait_stopped(pid);
	}
	return pid;
}

/* The program may go on now, wherever it waits. */
static void let_end(struct scene *scene, pid_t pid)
{
	double end = seconds() + PATIENCE_S;

	if (scene->body == suspends)
		kill(pid, SIGUSR1);
	while (scene->body == pauses && !scene->has_woken && seconds() < end) {
		if (!scene->is_sent)
			kill(pid, SIGUSR1);
		usleep(5000);
	}
	scene->go = 1;
	syscall(SYS_futex, &scene->go, FUTEX_WAKE, 9, NULL, NULL, 0);
	if (write(scene->pipe[1], "x", 1) != 1 ||
	    send(scene->socket[1], "x", 1, 0) != 1)
		_exit(91);
}

/* Exit status of the program; 128 + signal; 99 if it hangs. */
static int end_of(pid_t pid)
{
	double end = seconds() + PATIENCE_S;
	int status;

	while (__real_waitpid(pid, &status, WNOHANG) == 0) {
		if (seconds() > end) {
			kill(pid, SIGKILL);
			__real_waitpid(pid, &status, 0);
			return 99;
		}
		usleep(1000);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static pid_t start_tracer(struct scene *scene, long tick_to_die, int forever)
{
	pid_t pid = fork();
	int rc = 0;

	if (pid != 0)
		return pid;
	die_at = tick_to_die;
	nr_ticks = 0;
	do
		rc = trace_once(scene, forever ? 200 : 3);
	while (forever && rc == 0);
	if (rc == -ESRCH || rc == -ECANCELED)
		_exit(TOO_LATE);
	_exit(rc == 0 ? 0 : 97);
}

/* Another tracer, which nobody kills, and then SIGCONT. */
static int trace_again(struct scene *scene, pid_t program)
{
	int status, is_fine;
	pid_t tracer;

	is_fine = wait_stopped(program);
	tracer = start_tracer(scene, NEVER, 0);
	__real_waitpid(tracer, &status, 0);
	is_fine = is_fine && !status && wait_stopped(program);
	kill(program, is_fine ? SIGCONT : SIGKILL);
	return is_fine ? 0 : 93;
}

/*
 * Killed at its @at-th tick, or @after_us after its start if @at is NEVER.
 * Exit status of the round: 0 killed, or too late, and all is well; 1 the
 * tracer came to its end, and all is well; else what has gone wrong.
 */
static int round_of(struct scene *scene, long at, unsigned int after_us)
{
	pid_t program, tracer;
	int status, rc;

	program = start_program(scene);
	tracer = start_tracer(scene, at, at == NEVER);
	if (at == NEVER) {
		usleep(after_us);
		kill(tracer, SIGKILL);
	}
	__real_waitpid(tracer, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) != 0 &&
	    WEXITSTATUS(status) != TOO_LATE) {
		kill(program, SIGKILL);
		return WEXITSTATUS(status);
	}
	if (scene->has_sigstop) {
		rc = trace_again(scene, program);
		if (rc)
			return rc;
	}
	let_end(scene, program);
	rc = end_of(program);
	return rc ? rc : status ? 0 : 1;
}

static const struct program programs[] = {
	{ "computes", computes, 1, 0, 0 },
	{ "sleeps", sleeps, 1, 0, 0 },
	{ "polls", polls, 1, 0, 0 },
	{ "selects", selects, 1, 0, 0 },
	{ "waits in futex", waits_in_futex, 1, 0, 0 },
	{ "waits to be woken", waits_to_be_woken, 1, 0, 0 },
	{ "reads", reads, 1, 0, 0 },
	{ "receives", receives, 1, 0, 0 },
	{ "suspends", suspends, 1, 0, 0 },
	{ "suspends, with a signal", suspends, 1, SIGUSR1, 0 },
	{ "pauses", pauses, 1, 0, 0 },
	{ "pauses, with a signal", pauses, 1, SIGUSR1, 0 },
	{ "catches", reads_and_catches, 1, 0, 0 },
	{ "blocks", reads_and_blocks, 1, 0, 0 },
	{ "has threads", has_threads, 3, 0, 0 },
	{ "computes, stopped", computes, 1, 0, 1 },
	{ "sleeps, stopped", sleeps, 1, 0, 1 },
	{ "reads, stopped", reads, 1, 0, 1 },
	{ "suspends, stopped", suspends, 1, 0, 1 },
	{ "suspends, stopped, with a signal", suspends, 1, SIGUSR1, 1 },
	{ "catches, stopped", reads_and_catches, 1, 0, 1 },
	{ "blocks, stopped", reads_and_blocks, 1, 0, 1 },
	{ "has threads, stopped", has_threads, 3, 0, 1 },
};

#define NR_PROGRAMS (sizeof(programs) / sizeof(programs[0]))

static pid_t start_round(const struct program *program, long at,
			 unsigned int after_us)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		/* where somebody is stopped the kernel hangs up on a process
		 * group that it finds orphaned: not on ctest's */
		setpgid(0, 0);
		_exit(round_of(make_scene(program), at, after_us));
	}
	return pid;
}

/* Several rounds at once; returns whether a tracer came to its end. */
static int run_rounds(const struct program *program, long first, int nr,
		      unsigned int *seed)
{
	unsigned int after_us[PARALLEL];
	pid_t pids[PARALLEL];
	int is_over = 0, status;

	for (int i = 0; i < nr; i++) {
		after_us[i] = seed ? (unsigned int)rand_r(seed) % 20000 : 0;
		pids[i] = start_round(program, seed ? NEVER : first + i,
				      after_us[i]);
	}
	for (int i = 0; i < nr; i++) {
		assert_int_equal(__real_waitpid(pids[i], &status, 0), pids[i]);
		if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
			fail_msg("a program that %s, tracer killed %s %ld: "
				 "status %#x",
				 program->name, seed ? "after us" : "at tick",
				 seed ? (long)after_us[i] : first + i, status);
		is_over |= WEXITSTATUS(status) == 1;
	}
	return is_over;
}

static void killed_at_each_step(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_PROGRAMS; i++) {
		long at = 1;

		while (!run_rounds(&programs[i], at, PARALLEL, NULL) &&
		       at < STEPS_MAX)
			at += PARALLEL;
		/* it has more steps than one, and an end */
		assert_in_range(at, PARALLEL, STEPS_MAX - 1);
	}
}

static void killed_at_random_moments(void **state)
{
	const char *text = getenv("CR_ROUNDS");
	int nr_rounds = text ? atoi(text) : 30;
	unsigned int seed = (unsigned int)getpid();

	(void)state;
	print_message("seed %u\n", seed);
	for (size_t i = 0; i < NR_PROGRAMS; i++)
		for (int done = 0; done < nr_rounds; done += PARALLEL)
			run_rounds(&programs[i], 0,
				   nr_rounds - done < PARALLEL ?
					   nr_rounds - done :
					   PARALLEL,
				   &seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed_at_each_step),
		cmocka_unit_test(killed_at_random_moments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
