/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * scale_limit.c - what a barrier of many agents costs at least on this machine
 *
 *	scale_limit NODES [TIMES]
 *
 * As many processes, each of which seals a message with munge, sends it over
 * TCP to one that sends it back, and opens it.  Prints the milliseconds from
 * when they may begin until the last is done, the median of TIMES; then the
 * microseconds that one munge_encode() and one munge_decode() take here.
 */
#include <arpa/inet.h>
#include <munge.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TIMES_MAX 99
#define CALLS 200
#define NODES_MAX 4096

static const char payload[112]; /* as long as a message between agents */

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void __attribute__((noreturn)) die(const char *what)
{
	perror(what);
	exit(1);
}

static char *seal(void)
{
	char *text;

	if (munge_encode(&text, NULL, payload, sizeof(payload)))
		die("munge_encode");
	return text;
}

static void unseal(const char *text)
{
	void *bytes = NULL;

	if (munge_decode(text, NULL, &bytes, NULL, NULL, NULL))
		die("munge_decode");
	free(bytes);
}

static int connect_to(const struct sockaddr_in *address)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 ||
	    connect(fd, (const struct sockaddr *)address, sizeof(*address)))
		die("connect");
	return fd;
}

static void __attribute__((noreturn)) be_node(int fd, int go)
{
	char back[1024] = "", byte;
	char *text;
	size_t length;

	if (read(go, &byte, 1) != 0) /* its end is the signal */
		_exit(1);
	text = seal();
	length = strlen(text);
	if (write(fd, text, length) != (ssize_t)length ||
	    recv(fd, back, length, MSG_WAITALL) != (ssize_t)length)
		die("round trip");
	unseal(back);
	_exit(0);
}

static void echo(struct pollfd *pollfds, int nr)
{
	char text[1024];
	int left = nr;
	ssize_t n;

	while (left) {
		poll(pollfds, (nfds_t)nr, -1);
		for (int i = 0; i < nr; i++) {
			if (!pollfds[i].revents)
				continue;
			n = read(pollfds[i].fd, text, sizeof(text));
			if (n <= 0) {
				close(pollfds[i].fd);
				pollfds[i].fd = -1;
				left--;
			} else if (write(pollfds[i].fd, text, (size_t)n) != n) {
				die("write");
			}
		}
	}
}

static double measure(int nr)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof(address);
	static struct pollfd pollfds[NODES_MAX];
	int listener = socket(AF_INET, SOCK_STREAM, 0), go[2], status;
	double begin;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(listener, nr) || pipe(go) ||
	    getsockname(listener, (struct sockaddr *)&address, &length))
		die("listen");
	for (int i = 0; i < nr; i++) {
		int fd = connect_to(&address);

		if (fork() == 0) {
			close(go[1]);
			be_node(fd, go[0]);
		}
		close(fd);
		pollfds[i].fd = accept(listener, NULL, NULL);
		pollfds[i].events = POLLIN;
	}
	begin = now_ms();
	close(go[1]);
	echo(pollfds, nr);
	begin = now_ms() - begin;
	close(go[0]);
	close(listener);
	while (wait(&status) > 0)
		if (status)
			die("a node");
	return begin;
}

static int compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure_munge(void)
{
	char *texts[CALLS];
	double begin = now_ms(), middle;

	for (int i = 0; i < CALLS; i++)
		texts[i] = seal();
	middle = now_ms();
	for (int i = 0; i < CALLS; i++)
		unseal(texts[i]);
	printf("%.0f %.0f\n", (middle - begin) * 1e3 / CALLS,
	       (now_ms() - middle) * 1e3 / CALLS);
}

int main(int argc, char **argv)
{
	const int nr = argc > 1 ? atoi(argv[1]) : 0;
	const int times = argc > 2 ? atoi(argv[2]) : 5;
	double ms[TIMES_MAX];

	if (nr < 1 || nr > NODES_MAX || times < 1 || times > TIMES_MAX) {
		fprintf(stderr, "usage: scale_limit NODES [TIMES]\n");
		return 2;
	}
	for (int i = 0; i < times; i++)
		ms[i] = measure(nr);
	qsort(ms, (size_t)times, sizeof(*ms), compare);
	printf("%.2f ", ms[times / 2]);
	measure_munge();
	return 0;
}
