/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree_mixed.c - a little of everything in one small tree; the programs of
 * each part go deeper.  tests/fault and tests/images use it.
 */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>

#include "program.h"

#define NR_THREADS 3

static struct {
	int pipe[2], datagram[2], stream[2], event, timer, epoll, signals;
	int notify, memfd, text, unlinked, folder, master, null;
	uint64_t *shared, *private;
	pid_t zombie;
	pthread_t threads[NR_THREADS];
} a;

static char slave_name[64];

static void *thread(void *arg)
{
	char byte;

	(void)arg;
	/* an interrupted call each */
	while (read(a.pipe[0], &byte, 0) < 0 || access("check", F_OK) < 0)
		program_nap(50);
	return arg;
}

static void session(void *arg)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	pthread_t second;
	pid_t group;
	int slave;

	(void)arg;
	NEED(setsid());
	slave = NEED(open(slave_name, O_RDWR | O_NOCTTY));
	NEED(ioctl(slave, TIOCSCTTY, 0));
	NEED(sigaction(SIGTTOU, &ignore, NULL));
	NEED_ZERO(pthread_create(&second, NULL, thread, NULL));
	group = NEED(fork());
	if (group == 0) {
		NEED(setpgid(0, 0));
		program_mark("group");
		program_await("check");
		_exit(tcgetpgrp(slave) == getpid() ? 0 : 1);
	}
	program_await("group");
	NEED(ioctl(slave, TIOCSPGRP, &group));
	program_mark("session");
	program_await("check");
	a.shared[1] = a.shared[0] + 1;
	program_join(group);
	NEED_ZERO(pthread_join(second, NULL));
}

static void open_files(void)
{
	a.folder = NEED(open(".", O_RDONLY | O_DIRECTORY));
	a.null = NEED(open("/dev/null", O_WRONLY));
	a.text = NEED(open("text", O_RDWR | O_CREAT | O_APPEND, 0640));
	NEED(write(a.text, "some text\n", 10));
	NEED(lseek(a.text, 5, SEEK_SET));
	NEED(fcntl(a.text, F_SETLK,
		   &(struct flock){ .l_type = F_WRLCK, .l_len = 3 }));
	a.unlinked = NEED(open("gone", O_RDWR | O_CREAT, 0600));
	NEED(write(a.unlinked, "nameless", 8));
	NEED(unlink("gone"));
	a.memfd = NEED(memfd_create("mixed", MFD_ALLOW_SEALING));
	NEED(write(a.memfd, "in memory", 9));
	NEED(pipe(a.pipe));
	NEED(write(a.pipe[1], "piped", 5));
	NEED(socketpair(AF_UNIX, SOCK_DGRAM, 0, a.datagram));
	NEED(send(a.datagram[0], "", 0, 0));
	NEED(send(a.datagram[0], "datagram", 8, 0));
	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, a.stream));
	NEED(write(a.stream[0], "stream", 6));
}

static void open_events(void)
{
	struct itimerspec later = { .it_value = { 1000, 0 } };
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 7 };
	sigset_t set;

	a.event = NEED(eventfd(5, 0));
	a.timer = NEED(timerfd_create(CLOCK_MONOTONIC, 0));
	NEED(timerfd_settime(a.timer, 0, &later, NULL));
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	NEED(sigprocmask(SIG_BLOCK, &set, NULL));
	a.signals = NEED(signalfd(-1, &set, 0));
	a.notify = NEED(inotify_init1(0));
	NEED(inotify_add_watch(a.notify, ".", IN_DELETE));
	a.epoll = NEED(epoll_create1(0));
	NEED(epoll_ctl(a.epoll, EPOLL_CTL_ADD, a.event, &event));
	a.master = NEED(posix_openpt(O_RDWR | O_NOCTTY));
	NEED(unlockpt(a.master));
	NEED_ZERO(ptsname_r(a.master, slave_name, sizeof(slave_name)));
	NEED(write(a.master, "typed\n", 6));
}

static void set_up_memory(void)
{
	const int anonymous = MAP_ANONYMOUS | MAP_SHARED;

	a.shared = NEED(mmap(NULL, PROGRAM_PAGE, PROT_READ | PROT_WRITE,
			     anonymous, -1, 0));
	a.shared[0] = 41;
	a.private = NEED(mmap(NULL, 4 * PROGRAM_PAGE, PROT_READ | PROT_WRITE,
			      MAP_ANONYMOUS | MAP_PRIVATE, -1, 0));
	program_fill(a.private, PROGRAM_PAGE, 3);
	NEED(madvise(a.private, PROGRAM_PAGE, MADV_DONTFORK));
	NEED(mprotect(a.private + 3 * 512, PROGRAM_PAGE, PROT_NONE));
}

static void set_up_process(void)
{
	struct itimerval slow = { .it_value = { 2000, 0 } };
	struct sigevent none = { .sigev_notify = SIGEV_NONE };
	struct itimerspec later = { .it_value = { 3000, 0 } };
	timer_t timer;

	NEED(setitimer(ITIMER_REAL, &slow, NULL));
	NEED(timer_create(CLOCK_MONOTONIC, &none, &timer));
	NEED(timer_settime(timer, 0, &later, NULL));
	NEED(setpriority(PRIO_PROCESS, 0, 1));
	NEED(sigqueue(getpid(), SIGUSR2, (union sigval){ .sival_int = 9 }));
	a.zombie = NEED(fork());
	if (a.zombie == 0)
		_exit(17);
	NEED(waitid(P_PID, (id_t)a.zombie, &(siginfo_t){ 0 },
		    WEXITED | WNOWAIT));
}

static void check_files(void)
{
	struct signalfd_siginfo info = { 0 };
	struct epoll_event event = { 0 };
	char got[64] = "";

	CHECK(lseek(a.text, 0, SEEK_CUR) == 5, "offset");
	CHECK(pread(a.unlinked, got, 8, 0) == 8 && !memcmp(got, "nameless", 8),
	      "unlinked file");
	CHECK(pread(a.memfd, got, 9, 0) == 9 && !memcmp(got, "in memory", 9),
	      "memfd");
	CHECK(read(a.pipe[0], got, 64) == 5, "pipe");
	CHECK(recv(a.datagram[1], got, 64, 0) == 0, "empty datagram");
	CHECK(recv(a.datagram[1], got, 64, 0) == 8, "datagram");
	CHECK(read(a.stream[1], got, 64) == 6, "stream");
	CHECK(epoll_wait(a.epoll, &event, 1, 0) == 1 && event.data.u64 == 7,
	      "epoll");
	CHECK(read(a.signals, &info, sizeof(info)) == sizeof(info) &&
		      info.ssi_int == 9,
	      "signal");
	CHECK(read(a.master, got, 64) > 0, "echo of the terminal");
}

int main(int argc, char **argv)
{
	int status = 0;
	pid_t pid;

	program_start(argc, argv);
	set_up_memory();
	open_files();
	open_events();
	set_up_process();
	pid = program_child(session, NULL);
	program_await("session");
	for (size_t i = 0; i < NR_THREADS; i++)
		NEED_ZERO(pthread_create(&a.threads[i], NULL, thread, &a));

	program_ready();

	for (size_t i = 0; i < NR_THREADS; i++)
		NEED_ZERO(pthread_join(a.threads[i], NULL));
	program_join(pid);
	CHECK(waitpid(a.zombie, &status, 0) == a.zombie && status == 17 << 8,
	      "zombie");
	CHECK(a.shared[1] == 42, "shared memory");
	CHECK(program_filled(a.private, PROGRAM_PAGE, 3), "private memory");
	check_files();
	return program_result();
}
