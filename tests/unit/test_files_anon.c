/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_files_anon.c - signalfd, timerfd, memfd, pidfd, epoll and /proc
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <linux/memfd.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include "files_scene.h"

static void at(int number, int fd)
{
	CHECK(fd >= 0 && fd != number);
	CHECK(dup2(fd, number) == number);
	close(fd);
}

static void wait_note(int i)
{
	while (!*(volatile uint64_t *)&shared->notes[i] && !shared->failed[0])
		usleep(100);
}

/* ---- signalfd, timerfd ---- */

static void set_timer(int fd, int flags, double value, double interval)
{
	struct itimerspec spec = {
		.it_value = { (time_t)value,
			      (long)((value - (time_t)value) * 1e9) },
		.it_interval = { (time_t)interval,
				 (long)((interval - (time_t)interval) * 1e9) },
	};

	CHECK(timerfd_settime(fd, flags, &spec, NULL) == 0);
}

static void open_timers(int task)
{
	sigset_t set;

	(void)task;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN + 3);
	at(10, signalfd(-1, &set, SFD_NONBLOCK));
	at(11, timerfd_create(CLOCK_MONOTONIC, 0));
	set_timer(11, 0, 100, 7.5);
	at(12, timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
	set_timer(12, 0, 0.001, 0);
	at(13, timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
	set_timer(13, 0, 0.01, 1000);
	at(14, timerfd_create(CLOCK_REALTIME, 0));
	set_timer(14, TFD_TIMER_ABSTIME, (double)time(NULL) + 50, 0);
	at(15, timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK));
	at(16, timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK));
	set_timer(16, TFD_TIMER_ABSTIME, (double)time(NULL) + 2, 0);
	usleep(30000);
}

static void sleep_a_little(void)
{
	usleep(2100000);
}

static void check_timers(int task)
{
	struct signalfd_siginfo info;
	struct itimerspec spec;
	uint64_t ticks = 0;
	sigset_t set;

	(void)task;
	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	CHECK(read(10, &info, sizeof(info)) < 0 && errno == EAGAIN);
	raise(SIGUSR2);
	CHECK(read(10, &info, sizeof(info)) < 0 && errno == EAGAIN);
	raise(SIGRTMIN + 3);
	CHECK(read(10, &info, sizeof(info)) == sizeof(info));
	CHECK((int)info.ssi_signo == SIGRTMIN + 3);
	/* What remained, not what would remain had it run on. */
	CHECK(timerfd_gettime(11, &spec) == 0);
	CHECK(spec.it_value.tv_sec == 99 && spec.it_interval.tv_sec == 7);
	CHECK(spec.it_interval.tv_nsec == 500000000);
	CHECK(read(12, &ticks, 8) == 8 && ticks == 1);
	CHECK(read(12, &ticks, 8) < 0 && errno == EAGAIN);
	CHECK(read(13, &ticks, 8) == 8 && ticks == 1);
	CHECK(timerfd_gettime(13, &spec) == 0);
	CHECK(spec.it_value.tv_sec == 999);
	/* A time of day does not wait. */
	CHECK(timerfd_gettime(14, &spec) == 0);
	CHECK(spec.it_value.tv_sec >= 46 && spec.it_value.tv_sec <= 47);
	CHECK(timerfd_gettime(15, &spec) == 0 && spec.it_value.tv_sec == 0);
	CHECK(read(15, &ticks, 8) < 0 && errno == EAGAIN);
	CHECK(read(16, &ticks, 8) == 8 && ticks == 1);
}

static void signals_and_timers_go_on(void **state)
{
	struct scene scene = { .open_all = open_timers,
			       .between = sleep_a_little,
			       .check = check_timers };

	(void)state;
	assert_scene(&scene);
}

/* ---- memfd ---- */

static void open_memfds(int task)
{
	char *map;

	if (task) {
		close(10);
		return;
	}
	at(10, memfd_create("plain", 0));
	CHECK(write(10, "content", 7) == 7);
	at(11, open("/proc/self/fd/10", O_RDONLY));
	at(12, memfd_create("sealed", MFD_ALLOW_SEALING));
	CHECK(ftruncate(12, 1 << 30) == 0);
	CHECK(pwrite(12, "end", 3, (1 << 30) - 3) == 3);
	CHECK(fcntl(12, F_ADD_SEALS,
		    F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0);
	at(13, memfd_create("mapped only", 0));
	CHECK(ftruncate(13, 8192) == 0);
	map = mmap((void *)0x10000000, 8192, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_FIXED, 13, 0);
	CHECK(map == (void *)0x10000000);
	strcpy(map + 4096, "via map");
	close(13);
}

static void check_memfds(int task)
{
	char text[16] = "", link[64] = "";
	struct stat st, other;

	if (task) {
		wait_note(0);
		CHECK(pread(11, text, 7, 0) == 7 && !strcmp(text, "CONtent"));
		return;
	}
	CHECK(fstat(10, &st) == 0 && fstat(11, &other) == 0);
	CHECK(st.st_ino == other.st_ino);
	CHECK(lseek(10, 0, SEEK_CUR) == 7 && lseek(11, 0, SEEK_CUR) == 0);
	CHECK(readlink("/proc/self/fd/10", link, 63) > 0);
	CHECK(!strcmp(link, "/memfd:plain (deleted)"));
	CHECK(pread(11, text, 7, 0) == 7 && !strcmp(text, "content"));
	CHECK(fcntl(10, F_GET_SEALS) == F_SEAL_SEAL);
	CHECK(fcntl(12, F_GET_SEALS) ==
	      (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE));
	CHECK(fstat(12, &st) == 0 && st.st_size == 1 << 30);
	CHECK(st.st_blocks < 1024);
	CHECK(pread(12, text, 3, (1 << 30) - 3) == 3);
	CHECK(!memcmp(text, "end", 3));
	CHECK(pwrite(10, "CON", 3, 0) == 3);
	shared->notes[0] = 1;
}

static void memfds_keep_content_seals_and_sharing(void **state)
{
	struct scene scene = { .nr_tasks = 2,
			       .open_all = open_memfds,
			       .check = check_memfds };

	(void)state;
	assert_scene(&scene);
}

static void check_mapped(int task)
{
	char text[16] = "";

	(void)task;
	CHECK(pread(20, text, 8, 4096) == 8 && !strcmp(text, "via map"));
	CHECK(pwrite(20, "x", 1, 0) == 1);
	CHECK(pread(21, text, 1, 0) == 1 && text[0] == 'x');
}

static void a_memfd_that_is_only_mapped_is_opened(void **state)
{
	struct scene scene = { .open_all = open_memfds,
			       .check = check_mapped,
			       .mapped = { { 0x10000000, 0x10002000 } } };

	(void)state;
	assert_scene(&scene);
}

/* ---- pidfd, /proc ---- */

static void open_processes(int task)
{
	char name[64];

	if (task == 0) {
		at(10, (int)syscall(SYS_pidfd_open, getpid(), 0));
		snprintf(name, sizeof(name), "/proc/%d/stat", getpid());
		at(11, open(name, O_RDONLY));
		at(12, open("/proc/meminfo", O_RDONLY));
		at(13, open("/proc/self/maps", O_RDONLY));
		at(14, open("/proc/self/fd", O_RDONLY | O_DIRECTORY));
		CHECK(lseek(11, 2, SEEK_SET) == 2);
	} else {
		at(15, (int)syscall(SYS_pidfd_open, getpid(), O_NONBLOCK));
	}
}

static void check_processes(int task)
{
	char text[64] = "", want[64];
	int rc;

	CHECK(syscall(SYS_pidfd_send_signal, 10, 0, NULL, 0) == 0);
	rc = (int)syscall(SYS_pidfd_getfd, 10, 10, 0);
	CHECK(rc >= 0);
	CHECK(pread(12, text, 9, 0) == 9 && !strcmp(text, "MemTotal:"));
	if (task) {
		CHECK(fcntl(15, F_GETFL) & O_NONBLOCK);
		shared->notes[0] = 1;
		wait_note(1);
		return;
	}
	wait_note(0);
	snprintf(want, sizeof(want), "%d (", getpid());
	CHECK(lseek(11, 0, SEEK_CUR) == 2);
	CHECK(pread(11, text, strlen(want), 0) == (ssize_t)strlen(want));
	CHECK(!strncmp(text, want, strlen(want)));
	CHECK(read(13, text, sizeof(text)) > 0);
	CHECK(openat(14, "14", O_PATH) >= 0);
	shared->notes[1] = 1;
}

static void pidfds_and_proc_files_lead_to_the_new_tasks(void **state)
{
	struct scene scene = { .nr_tasks = 2,
			       .open_all = open_processes,
			       .check = check_processes };

	(void)state;
	assert_scene(&scene);
}

static void open_foreign_pidfd(int task)
{
	(void)task;
	at(10, (int)syscall(SYS_pidfd_open, getppid(), 0));
}

static void a_pidfd_out_of_the_tree_is_refused(void **state)
{
	struct scene scene = { .open_all = open_foreign_pidfd };

	(void)state;
	assert_scene_fails(&scene, -EOPNOTSUPP, "fd 10: a pidfd of process");
}

static void open_foreign_proc(int task)
{
	char name[64];

	(void)task;
	snprintf(name, sizeof(name), "/proc/%d/stat", getppid());
	at(10, open(name, O_RDONLY));
}

static void a_proc_file_of_another_process_is_refused(void **state)
{
	struct scene scene = { .open_all = open_foreign_proc };

	(void)state;
	assert_scene_fails(&scene, -EOPNOTSUPP, "not of the tree");
}

/* ---- epoll ---- */

static void add(int set, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = { .events = events, .data.u64 = data };

	CHECK(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0);
}

static void open_epoll(int task)
{
	if (task) {
		/* The numbers mean something else here. */
		close(11);
		at(11, open("/dev/null", O_RDONLY));
		close(12);
		return;
	}
	at(10, epoll_create1(0));
	at(11, eventfd(1, 0));
	at(12, eventfd(0, 0));
	at(13, eventfd(1, 0));
	add(10, 11, EPOLLIN, 0x1111222233334444);
	add(10, 12, EPOLLIN | EPOLLONESHOT, 12);
	add(10, 13, EPOLLIN | EPOLLET, 13);
	/* Added under a number that it no longer has. */
	CHECK(dup2(13, 14) == 14);
	close(13);
	/* A set in a set. */
	at(15, epoll_create1(0));
	add(15, 10, EPOLLIN, 15);
	/* The same number twice. */
	at(16, eventfd(1, 0));
	add(10, 16, EPOLLIN, 16);
	CHECK(dup2(16, 17) == 17);
	at(16, eventfd(0, 0));
	add(10, 16, EPOLLIN, 1616);
}

static int ready(int set, uint64_t data)
{
	struct epoll_event events[16];
	int i, n = epoll_wait(set, events, 16, 0);

	for (i = 0; i < n; i++)
		if (events[i].data.u64 == data)
			return 1;
	return 0;
}

static void check_epoll(int task)
{
	uint64_t one = 1;
	struct stat st;

	if (task) {
		wait_note(0);
		CHECK(fstat(11, &st) == 0 && S_ISCHR(st.st_mode));
		CHECK(fcntl(12, F_GETFD) < 0);
		CHECK(ready(10, 0x1111222233334444));
		shared->notes[1] = 1;
		return;
	}
	CHECK(fcntl(13, F_GETFD) < 0);
	CHECK(ready(15, 15));
	CHECK(ready(10, 13));
	CHECK(!ready(10, 13)); /* edge */
	CHECK(ready(10, 0x1111222233334444));
	CHECK(ready(10, 16) && !ready(10, 1616));
	CHECK(write(16, &one, 8) == 8);
	CHECK(ready(10, 1616));
	CHECK(!ready(10, 12));
	CHECK(write(12, &one, 8) == 8);
	CHECK(ready(10, 12));
	CHECK(!ready(10, 12)); /* once */
	CHECK(epoll_ctl(10, EPOLL_CTL_DEL, 12, NULL) == 0);
	shared->notes[0] = 1;
	wait_note(1);
}

static void epoll_sets_keep_their_entries(void **state)
{
	struct scene scene = { .nr_tasks = 2,
			       .open_all = open_epoll,
			       .check = check_epoll };

	(void)state;
	assert_scene(&scene);
}

/* The task that has the set first is not the one that has the target. */
static void open_epoll_apart(int task)
{
	if (task == 0) {
		at(10, epoll_create1(0));
		return;
	}
	at(11, eventfd(3, 0));
	add(10, 11, EPOLLIN, 7);
}

static void check_epoll_apart(int task)
{
	if (task == 0) {
		CHECK(ready(10, 7));
		CHECK(fcntl(11, F_GETFD) < 0);
		shared->notes[0] = 1;
	} else {
		wait_note(0);
		CHECK(epoll_ctl(10, EPOLL_CTL_DEL, 11, NULL) == 0);
	}
}

static void an_epoll_target_may_be_another_tasks(void **state)
{
	struct scene scene = { .nr_tasks = 2,
			       .open_all = open_epoll_apart,
			       .check = check_epoll_apart };

	(void)state;
	assert_scene(&scene);
}

/* ---- inotify ---- */

#define WATCHED "/tmp/cr-test-files.dir"

static void open_inotify(int task)
{
	int i, watch = 0;

	(void)task;
	mkdir(WATCHED, 0755);
	mkdir(WATCHED "/in side", 0755);
	at(10, inotify_init1(IN_NONBLOCK));
	for (i = 0; i < 5; i++) {
		char events[256];

		watch = inotify_add_watch(10, "/tmp", IN_CREATE);
		CHECK(inotify_rm_watch(10, watch) == 0);
		CHECK(read(10, events, sizeof(events)) > 0);
	}
	CHECK(inotify_add_watch(10, WATCHED "/in side", IN_DELETE) == 6);
	CHECK(inotify_add_watch(10, WATCHED, IN_CREATE | IN_ONLYDIR) == 7);
	CHECK(inotify_add_watch(10, "/dev/shm", IN_CREATE) == 8);
	CHECK(inotify_rm_watch(10, 8) == 0);
	CHECK(read(10, &(char[256]){ 0 }, 256) > 0);
}

static void check_inotify(int task)
{
	_Alignas(struct inotify_event) char bytes[512];
	const struct inotify_event *event = (const void *)bytes;

	(void)task;
	CHECK(read(10, bytes, sizeof(bytes)) < 0 && errno == EAGAIN);
	close(open(WATCHED "/new", O_CREAT | O_RDWR, 0600));
	close(open(WATCHED "/in side/new", O_CREAT | O_RDWR, 0600));
	CHECK(read(10, bytes, sizeof(bytes)) == sizeof(*event) + 16);
	CHECK(event->wd == 7 && event->mask == IN_CREATE);
	CHECK(!strcmp(event->name, "new"));
	CHECK(unlink(WATCHED "/in side/new") == 0);
	CHECK(read(10, bytes, sizeof(bytes)) == sizeof(*event) + 16);
	CHECK(event->wd == 6 && event->mask == IN_DELETE);
}

static void inotify_watches_keep_their_numbers(void **state)
{
	struct scene scene = { .open_all = open_inotify,
			       .check = check_inotify };

	(void)state;
	assert_scene(&scene);
	unlink(WATCHED "/new");
	rmdir(WATCHED "/in side");
	rmdir(WATCHED);
}

static void open_inotify_unread(int task)
{
	(void)task;
	at(10, inotify_init1(IN_NONBLOCK));
	CHECK(inotify_add_watch(10, "/tmp", IN_CREATE) == 1);
	CHECK(inotify_rm_watch(10, 1) == 0);
}

static void inotify_events_not_read_are_refused(void **state)
{
	struct scene scene = { .open_all = open_inotify_unread };

	(void)state;
	assert_scene_fails(&scene, -EOPNOTSUPP, "events not read yet");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signals_and_timers_go_on),
		cmocka_unit_test(memfds_keep_content_seals_and_sharing),
		cmocka_unit_test(a_memfd_that_is_only_mapped_is_opened),
		cmocka_unit_test(pidfds_and_proc_files_lead_to_the_new_tasks),
		cmocka_unit_test(a_pidfd_out_of_the_tree_is_refused),
		cmocka_unit_test(a_proc_file_of_another_process_is_refused),
		cmocka_unit_test(epoll_sets_keep_their_entries),
		cmocka_unit_test(an_epoll_target_may_be_another_tasks),
		cmocka_unit_test(inotify_watches_keep_their_numbers),
		cmocka_unit_test(inotify_events_not_read_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
