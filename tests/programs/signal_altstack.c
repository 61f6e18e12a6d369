/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * signal_altstack.c - the alternate signal stack of two threads; one is on it,
 * inside a handler, when it is saved
 */
#include "program.h"

static pthread_barrier_t prepared;
static char *stacks[2];

static int is_on(const void *address, const char *stack)
{
	const char *at = address;

	return at >= stack && at < stack + SIGSTKSZ;
}

static void handler(int signal)
{
	int n = signal == SIGUSR1 ? 0 : 1;
	char here;

	CHECK(is_on(&here, stacks[n]), "handler of %d is elsewhere", signal);
	if (signal == SIGUSR2) {
		pthread_barrier_wait(&prepared);
		program_await("check");
	}
}

static void set_stack(int n)
{
	stack_t stack = { .ss_sp = stacks[n], .ss_size = (size_t)SIGSTKSZ };

	NEED(sigaltstack(&stack, NULL));
}

static void check_stack(int n)
{
	stack_t stack = { 0 };

	CHECK(sigaltstack(NULL, &stack) == 0, "%s", strerror(errno));
	CHECK(stack.ss_sp == stacks[n] && stack.ss_size == (size_t)SIGSTKSZ &&
		      stack.ss_flags == 0,
	      "stack %p flags %d", stack.ss_sp, stack.ss_flags);
}

static void *thread(void *arg)
{
	double sum = 0.5;

	set_stack(1);
	__asm__ volatile("" : "+x"(sum));
	raise(SIGUSR2);
	__asm__ volatile("" : "+x"(sum));
	CHECK(sum == 0.5, "register after the handler: %g", sum);
	check_stack(1);
	return arg;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = handler,
				    .sa_flags = SA_ONSTACK };
	pthread_t other;

	program_start(argc, argv);
	stacks[0] = NEED(malloc((size_t)SIGSTKSZ));
	stacks[1] = NEED(malloc((size_t)SIGSTKSZ));
	NEED(sigaction(SIGUSR1, &action, NULL));
	NEED(sigaction(SIGUSR2, &action, NULL));
	NEED_ZERO(pthread_barrier_init(&prepared, NULL, 2));
	set_stack(0);
	NEED_ZERO(pthread_create(&other, NULL, thread, NULL));
	pthread_barrier_wait(&prepared);

	program_ready();

	check_stack(0);
	raise(SIGUSR1);
	CHECK(pthread_join(other, NULL) == 0, "join");
	return program_result();
}
