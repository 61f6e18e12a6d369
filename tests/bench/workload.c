/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * workload.c - what the benchmark saves and restarts, and the machine's limits
 *
 *	workload memory MIB FILE	one process with so much private memory
 *	workload tree N FILE		N small processes: one parent, with
 *pipes workload areas N FILE		the same, each with 150 mappings more,
 *					where no other process has them
 *	workload tcp N FILE		two processes with N connections on
 *					loopback, data under way on each
 *	workload limits FOLDER MIB	GiB/s of memcpy and of write(2) to a new
 *					file in FOLDER, forks per second
 *
 * FILE is made when all is prepared; then the process waits to be killed.
 *
 *	workload peak FILE COMMAND...	run it; FILE: its largest resident set,
 *					KiB, not that of whoever started this
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB (1ul << 20)
#define NR_FORKS 500
#define NR_AREAS 150
#define AREAS_AT 0x100000000000ul

static __attribute__((noreturn)) void die(const char *what)
{
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Private memory without a zero page or two equal ones. */
static char *fill(size_t length)
{
	uint64_t *memory = mmap(NULL, length, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t i;

	if (memory == MAP_FAILED)
		die("mmap");
	for (i = 0; i < length / 8; i++)
		memory[i] = i * 0x9e3779b97f4a7c15u;
	return (char *)memory;
}

static void mark(const char *path)
{
	if (open(path, O_WRONLY | O_CREAT, 0644) < 0)
		die(path);
}

/* Every second page has another protection. */
static void make_areas(long nr)
{
	const size_t length = NR_AREAS * 4096;
	char *areas =
		mmap((char *)AREAS_AT + nr * 2 * (long)length, length,
		     PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (areas == MAP_FAILED)
		die("mmap");
	for (size_t at = 0; at < length; at += 2 * 4096)
		if (mprotect(areas + at, 4096, PROT_READ) < 0)
			die("mprotect");
}

static void make_tree(long nr, int with_areas)
{
	int ends[2];
	char byte;

	/* a child is ready when it has said so and waits for the parent */
	while (--nr > 0) {
		if (pipe(ends) < 0)
			die("pipe");
		switch (fork()) {
		case -1:
			die("fork");
		case 0:
			if (with_areas)
				make_areas(nr);
			if (write(ends[1], "r", 1) == 1)
				for (;;)
					pause();
			_exit(1);
		default:
			if (read(ends[0], &byte, 1) != 1)
				die("read");
			close(ends[0]);
			close(ends[1]);
		}
	}
}

static void make_connections(long nr)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd = -1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(listener, (void *)&address, sizeof(address)) < 0 ||
	    getsockname(listener, (void *)&address, &length) < 0 ||
	    listen(listener, (int)nr) < 0)
		die("listen");
	if (fork() == 0) {
		for (long i = 0; i < nr; i++) {
			fd = socket(AF_INET, SOCK_STREAM, 0);
			if (connect(fd, (void *)&address, length) < 0 ||
			    write(fd, "client", 6) != 6)
				die("connect");
		}
		for (;;)
			pause();
	}
	for (long i = 0; i < nr; i++) {
		fd = accept(listener, NULL, NULL);
		if (fd < 0 || write(fd, "server", 6) != 6)
			die("accept");
	}
	/* the last client has not been read: wait for what it wrote */
	while (recv(fd, &address, sizeof(address), MSG_PEEK) != 6)
		;
}

static double copy_rate(const char *from, char *to, size_t length)
{
	double begin;

	memset(to, 1, length);
	begin = now();
	memcpy(to, from, length);
	__asm__ volatile("" : : "r"(to) : "memory");
	return (double)length / (now() - begin) / 1e9 / 1.073741824;
}

static double write_rate(const char *folder, const char *from, size_t length)
{
	size_t done = 0;
	double begin;
	char path[4096];
	ssize_t nr;
	int fd;

	snprintf(path, sizeof(path), "%s/limit.%d", folder, (int)getpid());
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		die(path);
	unlink(path);
	begin = now();
	while (done < length) {
		nr = write(fd, from + done,
			   length - done > 4 * MIB ? 4 * MIB : length - done);
		if (nr <= 0)
			die("write");
		done += (size_t)nr;
	}
	begin = now() - begin;
	close(fd);
	return (double)length / begin / 1e9 / 1.073741824;
}

static double fork_rate(void)
{
	double begin = now();
	int i;

	for (i = 0; i < NR_FORKS; i++) {
		if (fork() == 0)
			_exit(0);
		wait(NULL);
	}
	return NR_FORKS / (now() - begin);
}

static void limits(const char *folder, size_t length)
{
	double forks = fork_rate();
	char *from = fill(length), *to = fill(length);

	printf("%.3f %.3f %.0f\n", copy_rate(from, to, length),
	       write_rate(folder, from, length), forks);
}

/* A program's peak begins with that of the program that it was executed from,
 * which here is small. */
static int peak(const char *path, char **command)
{
	struct rusage usage;
	FILE *file;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execvp(command[0], command);
		die(command[0]);
	}
	if (pid < 0 || wait4(pid, &status, 0, &usage) < 0)
		die("fork");
	file = fopen(path, "we");
	if (!file || fprintf(file, "%ld\n", usage.ru_maxrss) < 0 ||
	    fclose(file) < 0)
		die(path);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	if (argc >= 4 && !strcmp(argv[1], "peak"))
		return peak(argv[2], argv + 3);
	if (argc != 4) {
		fprintf(stderr, "usage: see workload.c\n");
		return 2;
	}
	if (!strcmp(argv[1], "limits")) {
		limits(argv[2], strtoul(argv[3], NULL, 10) * MIB);
		return 0;
	}
	if (!strcmp(argv[1], "memory"))
		fill(strtoul(argv[2], NULL, 10) * MIB);
	else if (!strcmp(argv[1], "tcp"))
		make_connections(strtol(argv[2], NULL, 10));
	else
		make_tree(strtol(argv[2], NULL, 10), !strcmp(argv[1], "areas"));
	mark(argv[3]);
	for (;;)
		pause();
}
