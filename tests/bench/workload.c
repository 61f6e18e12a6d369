/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * workload.c - what the benchmark saves and restarts, and the machine's limits
 *
 *	workload memory MIB FILE	one process with so much private memory
 *	workload tree N FILE		N small processes: one parent, with
 *pipes workload tcp N FILE		two processes with N connections on
 *					loopback, data under way on each
 *	workload limits FOLDER MIB	GiB/s of memcpy and of write(2) to a new
 *					file in FOLDER, forks per second
 *
 * FILE is made when all is prepared; then the process waits to be killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB (1ul << 20)
#define NR_FORKS 500

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

static void make_tree(long nr)
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

int main(int argc, char **argv)
{
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
		make_tree(strtol(argv[2], NULL, 10));
	mark(argv[3]);
	for (;;)
		pause();
}
