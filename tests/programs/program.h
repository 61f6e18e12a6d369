/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * program.h - what the one-feature programs of this folder share
 *
 * A program is started as `PROGRAM DIR`.  It prepares some state in the fresh
 * folder DIR, makes the file DIR/ready, waits for the file DIR/check, and then
 * compares its state with what it prepared.  Between the two files the runner
 * (tests/engine/run) checkpoints, ends and restarts it.  Exit codes: 0 all as
 * it was, 1 something differs (said on stderr), 2 could not prepare,
 * 77 this machine lacks what the program is about.
 *
 * More files for the runner: DIR/gap (seconds to stay dead), DIR/refused
 * (checkpoint must refuse, and its message must contain the file's words).
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROGRAM_PAGE 4096ul
#define PROGRAM_PATIENCE_MS 100000 /* then nobody is there to check us */
#define PROGRAM_LACKS 77 /* exit code: the machine lacks the feature */

static int program_failures;

/* Report a difference; goes on. */
#define CHECK(condition, ...)                                        \
	program_check(!!(condition), __FILE__, __LINE__, #condition, \
		      __VA_ARGS__)

/* Value of a call that must not return -1 (or MAP_FAILED) in preparation. */
#define NEED(call)                                                     \
	({                                                             \
		__typeof__(call) need_ = (call);                       \
		if ((long)need_ == -1)                                 \
			program_die(__FILE__, __LINE__, #call, errno); \
		need_;                                                 \
	})

/* The same for calls that return 0 or an errno: pthread_*(3). */
#define NEED_ZERO(call)                                                   \
	do {                                                              \
		int need_rc_ = (call);                                    \
		if (need_rc_)                                             \
			program_die(__FILE__, __LINE__, #call, need_rc_); \
	} while (0)

static inline void program_die(const char *file, int line, const char *what,
			       int code)
{
	dprintf(2, "%s:%d: cannot prepare: %s: %s\n", file, line, what,
		strerror(code));
	_exit(2);
}

__attribute__((format(printf, 5, 6))) static inline void
program_check(int ok, const char *file, int line, const char *what,
	      const char *fmt, ...)
{
	char text[512];
	va_list args;

	if (ok)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	dprintf(2, "%s:%d: pid %d: not %s: %s\n", file, line, (int)getpid(),
		what, text);
	__atomic_add_fetch(&program_failures, 1, __ATOMIC_SEQ_CST);
}

static inline int program_result(void)
{
	return __atomic_load_n(&program_failures, __ATOMIC_SEQ_CST) ? 1 : 0;
}

/* This machine cannot show the feature: say so, and be counted as skipped. */
static inline void program_lacks(const char *what)
{
	dprintf(2, "skipped: this machine has no %s\n", what);
	_exit(PROGRAM_LACKS);
}

/* Enter the folder that the runner made for this run. */
static inline void program_start(int argc, char **argv)
{
	if (argc != 2 || chdir(argv[1]) < 0) {
		dprintf(2, "usage: %s DIR\n", argv[0]);
		_exit(2);
	}
	umask(022);
}

static inline uint64_t program_now(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline void program_nap(unsigned int ms)
{
	struct timespec rest = { ms / 1000, (long)(ms % 1000) * 1000000 };

	while (nanosleep(&rest, &rest) < 0 && errno == EINTR)
		;
}

static inline void program_write(const char *name, const char *text)
{
	int fd = NEED(open(name, O_WRONLY | O_CREAT | O_TRUNC, 0666));

	NEED(write(fd, text, strlen(text)));
	close(fd);
}

/* Make the (empty) file @name, which somebody waits for. */
static inline void program_mark(const char *name)
{
	int fd = NEED(open(name, O_WRONLY | O_CREAT, 0666));

	close(fd);
}

/* Wait until the file @name is there. */
static inline void program_await(const char *name)
{
	unsigned int waited;

	for (waited = 0; access(name, F_OK) < 0; waited += 5) {
		if (waited > PROGRAM_PATIENCE_MS)
			program_die(__FILE__, __LINE__, name, ETIMEDOUT);
		program_nap(5);
	}
}

/* May one of our threads still be in pthread_create(3)?  It blocks all signals
 * there, those of glibc's own too, as nobody else does for long. */
static inline int program_has_new_thread(void)
{
	char path[64], line[128];
	struct dirent *entry;
	int is_new = 0;
	FILE *status;
	DIR *dir = opendir("/proc/self/task");

	while (dir && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/self/task/%.20s/status",
			 entry->d_name);
		status = entry->d_name[0] == '.' ? NULL : fopen(path, "r");
		while (status && fgets(line, sizeof(line), status))
			is_new |= !strcmp(line, "SigBlk:\tfffffffffffbfeff\n");
		if (status)
			fclose(status);
	}
	if (dir)
		closedir(dir);
	return is_new;
}

/* All is prepared: let the runner do its work, and come back to check. */
static inline void program_ready(void)
{
	struct stat task;

	/* alone it has 2 for "." and "..", and 1 for the thread */
	if (stat("/proc/self/task", &task) == 0 && task.st_nlink > 3)
		for (int i = 0; i < 200 && program_has_new_thread(); i++)
			program_nap(5);
	program_mark("ready");
	program_await("check");
}

/* Fork; the child does work(arg) and exits with program_result(). */
static inline pid_t program_child(void (*work)(void *), void *arg)
{
	pid_t pid = NEED(fork());

	if (pid == 0) {
		program_failures = 0;
		work(arg);
		_exit(program_result());
	}
	return pid;
}

/* Child @pid must have found nothing. */
static inline void program_join(pid_t pid)
{
	int status = -1;
	pid_t got;

	do {
		got = waitpid(pid, &status, 0);
	} while (got < 0 && errno == EINTR);
	CHECK(got == pid, "waitpid(%d): %d, %s", (int)pid, (int)got,
	      strerror(errno));
	CHECK(status == 0, "child %d ended with status %#x", (int)pid, status);
}

/* Fill @length bytes with something that depends on @seed and position. */
static inline void program_fill(void *memory, size_t length, uint64_t seed)
{
	uint64_t *word = memory;
	size_t i;

	for (i = 0; i < length / 8; i++)
		word[i] = (seed + i) * 0x9e3779b97f4a7c15u;
}

static inline int program_filled(const void *memory, size_t length,
				 uint64_t seed)
{
	const uint64_t *word = memory;
	size_t i;

	for (i = 0; i < length / 8; i++)
		if (word[i] != (seed + i) * 0x9e3779b97f4a7c15u)
			return 0;
	return 1;
}

/* A whole small file as a string; "" if it cannot be read. */
static inline size_t program_read(const char *path, char *text, size_t size)
{
	size_t length = 0;
	ssize_t got;
	int fd;

	text[0] = '\0';
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	while ((got = read(fd, text + length, size - 1 - length)) > 0)
		length += (size_t)got;
	text[length] = '\0';
	close(fd);
	return length;
}

/* The line of @path that starts with @key, "" if there is none. */
static inline void program_line(const char *path, const char *key, char *line,
				size_t size)
{
	FILE *file = fopen(path, "re");

	line[0] = '\0';
	if (!file)
		return;
	while (fgets(line, (int)size, file)) {
		if (strncmp(line, key, strlen(key)) == 0) {
			fclose(file);
			return;
		}
	}
	line[0] = '\0';
	fclose(file);
}

/* The line @key of smaps for the mapping at @address; the mapping's own line
 * for key NULL.  "" if there is none. */
static inline void program_smaps(const void *address, const char *key,
				 char *line, size_t size)
{
	unsigned long start, end, at = (unsigned long)address;
	FILE *file = NEED(fopen("/proc/self/smaps", "re"));
	int inside = 0;

	while (fgets(line, (int)size, file)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2) {
			inside = start <= at && at < end;
			if (inside && !key)
				goto out;
		} else if (inside && key &&
			   strncmp(line, key, strlen(key)) == 0) {
			goto out;
		}
	}
	line[0] = '\0';
out:
	fclose(file);
}

/* Physical page behind @address of process @pid (0: none); needs root. */
static inline uint64_t program_frame(pid_t pid, const void *address)
{
	uint64_t entry = 0;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)pid);
	fd = NEED(open(path, O_RDONLY | O_CLOEXEC));
	NEED(pread(fd, &entry, sizeof(entry),
		   (off_t)((uintptr_t)address / PROGRAM_PAGE * 8)));
	close(fd);
	return entry >> 63 ? entry & ((1ull << 55) - 1) : 0;
}

/* Do two descriptors of two processes mean one open file description? */
static inline int program_same_file(pid_t pid1, int fd1, pid_t pid2, int fd2)
{
	return syscall(SYS_kcmp, pid1, pid2, KCMP_FILE, fd1, fd2) == 0;
}

/* Number of the system call that @pid is blocked in, -1 if it is not. */
static inline long program_blocked_in(pid_t pid)
{
	char path[64], text[256];
	long nr;

	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)pid);
	program_read(path, text, sizeof(text));
	return sscanf(text, "%ld", &nr) == 1 ? nr : -1;
}

/* Wait until @pid is blocked in system call @nr. */
static inline void program_await_blocked(pid_t pid, long nr)
{
	unsigned int waited;

	for (waited = 0; program_blocked_in(pid) != nr; waited++) {
		if (waited > PROGRAM_PATIENCE_MS)
			program_die(__FILE__, __LINE__, "not blocked", EAGAIN);
		program_nap(1);
	}
}

/* The checkpoint must refuse descriptor @fd of this process. */
static inline void program_expect_refusal(int fd)
{
	char text[64];

	snprintf(text, sizeof(text), "vpid %d\\b\nfd %d\\b\n", (int)getpid(),
		 fd);
	program_write("refused", text);
}

/* A timed call takes CALL_MS; the runner is called CALL_READY_MS into it, so
 * that a call that begins again with its whole time is found to be late. */
#define CALL_MS 2400
#define CALL_READY_MS 1400
#define CALL_LATE_MS 900

/*
 * A child that lets the runner come once this process has been blocked in
 * system call @nr for @ms, and then (if @wake) ends the call.  To be joined.
 */
static inline pid_t program_waker(long nr, unsigned int ms,
				  void (*wake)(void *), void *arg)
{
	pid_t parent = getpid(), pid = NEED(fork());

	if (pid == 0) {
		program_failures = 0;
		program_await_blocked(parent, nr);
		program_nap(ms);
		program_ready();
		if (wake)
			wake(arg);
		_exit(program_result());
	}
	return pid;
}

/* How late something may be; the runner may say, for a slow machine. */
static inline uint64_t program_late_ms(void)
{
	const char *told = getenv("CR_CALL_LATE_MS");

	return told ? strtoull(told, NULL, 10) : CALL_LATE_MS;
}

/* It is CALL_MS since @start on CLOCK_MONOTONIC, or a little more. */
static inline void program_check_elapsed(uint64_t start)
{
	uint64_t ms = (program_now(CLOCK_MONOTONIC) - start) / 1000000;

	CHECK(ms + 10 >= CALL_MS && ms < CALL_MS + program_late_ms(),
	      "took %llu ms instead of %d", (unsigned long long)ms, CALL_MS);
}

#endif /* PROGRAM_H */
