/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * crtest_regs.c - registers by the module are those of ptrace(2)
 */
#include <elf.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crtest.h"

static uint8_t xstate[CR_XSTATE_MAX], other_xstate[CR_XSTATE_MAX];

static long regs(int device, pid_t tid, struct cr_ioc_regs *call)
{
	memset(xstate, 0, sizeof(xstate));
	*call = (struct cr_ioc_regs){ .tid = tid,
				      .xstate = (uintptr_t)xstate,
				      .xstate_length = sizeof(xstate) };
	return ioctl(device, CR_IOC_REGS, call);
}

/* A child with numbers of its own in its registers, that runs and runs. */
static pid_t make_runner(void)
{
	pid_t pid = fork();

	if (pid == 0)
		__asm__ volatile("movq $0x1234567890, %%r15\n"
				 "movq %%r15, %%xmm7\n"
				 "1: jmp 1b\n" ::
					 : "r15", "xmm7");
	return pid;
}

static pid_t make_sleeper(void)
{
	pid_t pid = fork();
	sigset_t set;

	if (pid == 0) {
		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		sigprocmask(SIG_BLOCK, &set, NULL);
		sigfillset(&set);
		for (;;)
			sigsuspend(&set);
	}
	crtest_until(crtest_state(pid) == 'S');
	return pid;
}

static void stop(pid_t pid)
{
	int status;

	crtest_is(ptrace(PTRACE_SEIZE, pid, 0, 0), 0);
	crtest_is(ptrace(PTRACE_INTERRUPT, pid, 0, 0), 0);
	crtest_is(waitpid(pid, &status, __WALL), pid);
	crtest_true(WIFSTOPPED(status));
}

static void compare(int device, pid_t pid)
{
	uint64_t general[27], mask;
	struct iovec first = { general, sizeof(general) };
	struct iovec second = { other_xstate, sizeof(other_xstate) };
	struct cr_ioc_regs call;

	crtest_is(regs(device, pid, &call), 0);
	crtest_is(ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &first), 0);
	crtest_is(ptrace(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &second), 0);
	crtest_is(ptrace(PTRACE_GETSIGMASK, pid, sizeof(mask), &mask), 0);
	crtest_is(first.iov_len, sizeof(call.regs));
	crtest_is(memcmp(general, call.regs, sizeof(general)), 0);
	crtest_is(second.iov_len, call.xstate_length);
	crtest_is(memcmp(xstate, other_xstate, call.xstate_length), 0);
	crtest_true(call.signal_mask == mask);
}

/* ---- cases */

static void are_those_of_ptrace(void)
{
	int device = crtest_device();
	pid_t runner = make_runner(), sleeper = make_sleeper();
	struct cr_ioc_regs call;

	usleep(100000);
	stop(runner);
	stop(sleeper);
	compare(device, runner);
	compare(device, sleeper);
	crtest_is(regs(device, runner, &call), 0);
	crtest_true(call.regs[0] == 0x1234567890); /* r15 */
	crtest_is(regs(device, sleeper, &call), 0);
	crtest_true(call.signal_mask == 1ull << (SIGUSR1 - 1));
}

static void refuses_who_runs(void)
{
	int device = crtest_device();
	pid_t runner = make_runner();
	struct cr_ioc_regs call;

	crtest_is(regs(device, runner, &call), -EBUSY);
	crtest_is(ptrace(PTRACE_SEIZE, runner, 0, 0), 0);
	crtest_is(regs(device, runner, &call), -EBUSY);
	crtest_is(regs(device, getpid(), &call), -EBUSY);
	crtest_is(regs(device, 0, &call), -ESRCH);
	crtest_is(regs(device, -1, &call), -ESRCH);
	kill(runner, SIGKILL);
	crtest_until(crtest_state(runner) == 'Z');
	crtest_is(regs(device, runner, &call), -EBUSY); /* a zombie */
	waitpid(runner, NULL, 0);
	crtest_is(regs(device, runner, &call), -ESRCH);
}

/* Stopped by job control, or by another tracer. */
static void refuses_who_is_not_ours(void)
{
	pid_t *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int device = crtest_device();
	pid_t runner = make_runner(), tracer;
	struct cr_ioc_regs call;

	kill(runner, SIGSTOP);
	crtest_until(crtest_state(runner) == 'T');
	crtest_is(regs(device, runner, &call), -EBUSY);
	kill(runner, SIGCONT);
	tracer = fork();
	if (tracer == 0) {
		stop(runner);
		*shared = 1;
		for (;;)
			pause();
	}
	crtest_until(*(volatile pid_t *)shared);
	crtest_is(regs(device, runner, &call), -EBUSY);
}

static void refuses_arguments(void)
{
	int device = crtest_device();
	pid_t sleeper = make_sleeper();
	struct cr_ioc_regs call = { .tid = sleeper,
				    .xstate = (uintptr_t)xstate };

	stop(sleeper);
	crtest_is(ioctl(device, CR_IOC_REGS, &call), -EINVAL);
	call.xstate_length = CR_XSTATE_MAX + 1;
	crtest_is(ioctl(device, CR_IOC_REGS, &call), -EINVAL);
	call.xstate_length = 64;
	crtest_is(ioctl(device, CR_IOC_REGS, &call), -EMSGSIZE);
	call.xstate_length = CR_XSTATE_MAX;
	call.flags = 1;
	crtest_is(ioctl(device, CR_IOC_REGS, &call), -EINVAL);
	call.flags = 0;
	call.xstate = 8;
	crtest_is(ioctl(device, CR_IOC_REGS, &call), -EFAULT);
	crtest_is(ioctl(device, CR_IOC_REGS, NULL), -EFAULT);
}

/* Killed while it is read, again and again. */
static void lives_through_deaths(void)
{
	int device = crtest_device();
	struct cr_ioc_regs call;

	for (int i = 0; i < 100; i++) {
		pid_t runner = make_runner();
		long rc = 0;

		stop(runner);
		if (fork() == 0) {
			usleep(100u * (unsigned int)(i % 10));
			kill(runner, SIGKILL);
			_exit(0);
		}
		while (!rc)
			rc = regs(device, runner, &call);
		crtest_true(errno == EBUSY || errno == ESRCH);
		while (wait(NULL) > 0)
			;
	}
}

const struct crtest_case crtest_regs[] = {
	{ "registers are those of ptrace", are_those_of_ptrace },
	{ "of who runs they are refused", refuses_who_runs },
	{ "and of whom another has stopped", refuses_who_is_not_ours },
	{ "wrong arguments of REGS are refused", refuses_arguments },
	{ "a hundred are killed while they are read", lives_through_deaths },
	{ 0 },
};
