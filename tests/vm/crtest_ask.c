/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * crtest_ask.c - what the module tells of another process' threads
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crtest.h"

#define STACK_SIZE 65536ul
#define AUTODISARM (1u << 31)

/* What the process of a scene says of itself. */
struct told {
	pid_t thread;
	uint64_t altstack;
	uint64_t brk;
};

struct scene {
	pid_t pid;
	int mem;
	int device;
	struct told *told; /* shared */
};

static void set_altstack(void *at)
{
	stack_t stack = { .ss_sp = at,
			  .ss_size = STACK_SIZE,
			  .ss_flags = (int)AUTODISARM };

	crtest_is(sigaltstack(&stack, NULL), 0);
}

static void *thread_main(void *arg)
{
	struct told *told = arg;

	crtest_is(prctl(PR_SET_TIMERSLACK, 4711, 0, 0, 0), 0);
	told->thread = (pid_t)syscall(SYS_gettid);
	for (;;)
		pause();
}

static void handler(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)info, (void)context;
}

static void set_state(struct told *told)
{
	const struct itimerval real = { { 7, 8 }, { 5000, 0 } };
	struct sigaction action = { .sa_sigaction = handler,
				    .sa_flags = SA_SIGINFO | SA_RESTART };
	pthread_t thread;

	sigemptyset(&action.sa_mask);
	sigaddset(&action.sa_mask, SIGUSR2);
	crtest_is(sigaction(SIGUSR1, &action, NULL), 0);
	signal(SIGHUP, SIG_IGN);
	told->altstack = (uintptr_t)malloc(STACK_SIZE);
	told->brk = (uintptr_t)sbrk(0);
	set_altstack((void *)told->altstack);
	crtest_is(setitimer(ITIMER_REAL, &real, NULL), 0);
	crtest_is(prctl(PR_SET_PDEATHSIG, SIGTERM), 0);
	crtest_is(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	crtest_is(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0);
	crtest_true(personality(ADDR_NO_RANDOMIZE) >= 0);
	crtest_is(prctl(PR_SET_SECUREBITS, 1, 0, 0, 0), 0);
	crtest_is(pthread_create(&thread, NULL, thread_main, told), 0);
	told->brk = (uintptr_t)syscall(SYS_brk, 0);
	crtest_is(syscall(SYS_mlockall, MCL_FUTURE | MCL_ONFAULT), 0);
}

static int open_mem(pid_t pid, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	return open(path, flags);
}

/* A process with a thread, and all of its state set, unless it is @plain. */
static struct scene make_scene(int plain)
{
	struct scene scene = { .device = crtest_device() };

	scene.told = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	scene.pid = fork();
	if (scene.pid == 0) {
		if (!plain)
			set_state(scene.told);
		while (!plain && !*(volatile pid_t *)&scene.told->thread)
			usleep(1000);
		raise(SIGSTOP);
		_exit(0);
	}
	crtest_until(crtest_state(scene.pid) == 'T');
	scene.mem = open_mem(scene.pid, O_RDONLY);
	crtest_true(scene.mem >= 0);
	return scene;
}

static long ask(const struct scene *scene, pid_t tid, struct cr_ioc_ask *call)
{
	*call = (struct cr_ioc_ask){ .mem_fd = scene->mem, .tid = tid };
	return ioctl(scene->device, CR_IOC_ASK, call);
}

/* ---- cases */

static void tells_of_process(void)
{
	struct scene scene = make_scene(0);
	struct cr_ioc_ask call;
	const struct cr_ioc_action *usr1 = &call.action[SIGUSR1 - 1];

	crtest_is(ask(&scene, scene.pid, &call), 0);
	crtest_is(call.unknown, 0);
	crtest_is(call.pdeath_signal, SIGTERM);
	crtest_is(call.child_subreaper, 1);
	crtest_is(call.dumpable, 1);
	crtest_is(call.thp_disabled, 1);
	crtest_is(call.personality, ADDR_NO_RANDOMIZE);
	crtest_is(call.securebits, 1);
	crtest_is(call.locked, MCL_FUTURE | MCL_ONFAULT);
	crtest_true(call.brk == scene.told->brk);
	crtest_true(call.itimer[0].interval_us == 7000008);
	crtest_true(call.itimer[0].value_us > 4000000000 &&
		    call.itimer[0].value_us < 5000000000);
	crtest_true(!call.itimer[1].value_us && !call.itimer[2].value_us);
	crtest_true(usr1->handler == (uintptr_t)handler);
	crtest_true((usr1->flags & (SA_SIGINFO | SA_RESTART)) ==
		    (SA_SIGINFO | SA_RESTART));
	crtest_true(usr1->mask == 1ull << (SIGUSR2 - 1));
	crtest_true(call.action[SIGHUP - 1].handler == (uintptr_t)SIG_IGN);
	crtest_true(call.action[SIGINT - 1].handler == (uintptr_t)SIG_DFL);
}

static void tells_of_threads(void)
{
	struct scene scene = make_scene(0);
	struct cr_ioc_ask leader, thread;

	crtest_is(ask(&scene, scene.pid, &leader), 0);
	crtest_true(leader.altstack_sp == scene.told->altstack);
	crtest_true(leader.altstack_size == STACK_SIZE);
	crtest_true(leader.altstack_flags == AUTODISARM);
	crtest_true(leader.timer_slack_ns != 4711);
	crtest_is(ask(&scene, scene.told->thread, &thread), 0);
	crtest_true(thread.altstack_flags == SS_DISABLE);
	crtest_true(thread.timer_slack_ns == 4711);
	crtest_true(thread.clear_child_tid &&
		    thread.clear_child_tid != leader.clear_child_tid);
	crtest_is(memcmp(thread.action, leader.action, sizeof(leader.action)),
		  0);
}

/* Getitimer(2) knows the CPU time that has been used, the module does not. */
static void tells_what_it_does_not_know(void)
{
	const struct itimerval cpu = { { 0, 0 }, { 1000, 0 } };
	struct scene scene = { .device = crtest_device() };
	struct cr_ioc_ask call;

	scene.mem = open("/proc/self/mem", O_RDONLY);
	crtest_is(ask(&scene, getpid(), &call), 0);
	crtest_is(call.unknown, 0);
	crtest_is(setitimer(ITIMER_PROF, &cpu, NULL), 0);
	crtest_is(ask(&scene, getpid(), &call), 0);
	crtest_is(call.unknown, CR_ASK_F_ITIMER);
}

/* Its signal is blocked: it has an interval and no time left. */
static void tells_of_a_timer_that_is_due(void)
{
	const struct itimerval soon = { { 3, 0 }, { 0, 1000 } };
	struct scene scene = { .device = crtest_device() };
	struct cr_ioc_ask call;
	sigset_t set;

	scene.mem = open("/proc/self/mem", O_RDONLY);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	crtest_is(setitimer(ITIMER_REAL, &soon, NULL), 0);
	crtest_until(sigpending(&set) == 0 && sigismember(&set, SIGALRM));
	crtest_is(ask(&scene, getpid(), &call), 0);
	crtest_true(call.itimer[0].interval_us == 3000000);
	crtest_true(!call.itimer[0].value_us);
}

static void refuses_proofs(void)
{
	struct scene scene = make_scene(1), other = make_scene(1);
	struct cr_ioc_ask call;
	int mem = scene.mem;

	crtest_is(ask(&scene, scene.pid, &call), 0);
	crtest_is(ask(&scene, other.pid, &call), -ESRCH);
	crtest_is(ask(&scene, 0, &call), -ESRCH);
	crtest_is(ask(&scene, -1, &call), -ESRCH);
	scene.mem = open_mem(scene.pid, O_WRONLY);
	crtest_is(ask(&scene, scene.pid, &call), -EBADF);
	scene.mem = -1;
	crtest_is(ask(&scene, scene.pid, &call), -EBADF);
	scene.mem = open("/proc/self/maps", O_RDONLY);
	crtest_is(ask(&scene, scene.pid, &call), -EPERM);
	scene.mem = mem;
	kill(scene.pid, SIGKILL);
	crtest_until(crtest_state(scene.pid) == 'Z');
	crtest_is(ask(&scene, scene.pid, &call), -ESRCH);
	waitpid(scene.pid, NULL, 0);
	crtest_is(ask(&scene, scene.pid, &call), -ESRCH);
}

static void refuses_arguments(void)
{
	struct scene scene = make_scene(1);
	struct cr_ioc_ask call = { .mem_fd = scene.mem,
				   .tid = scene.pid,
				   .flags = 1 };

	crtest_is(ioctl(scene.device, CR_IOC_ASK, &call), -EINVAL);
	call.flags = 0;
	call.reserved = 1;
	crtest_is(ioctl(scene.device, CR_IOC_ASK, &call), -EINVAL);
	crtest_is(ioctl(scene.device, CR_IOC_ASK, 8), -EFAULT);
	crtest_is(ioctl(scene.device, CR_IOC_ASK, NULL), -EFAULT);
}

const struct crtest_case crtest_ask[] = {
	{ "state of a process", tells_of_process },
	{ "state of its threads", tells_of_threads },
	{ "timers of CPU time are unknown", tells_what_it_does_not_know },
	{ "a timer that is due", tells_of_a_timer_that_is_due },
	{ "only its own /proc/PID/mem is a proof", refuses_proofs },
	{ "wrong arguments are refused", refuses_arguments },
	{ 0 },
};
