/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * scale_ring.c - the ranks of tests/bench/scale: a ring of TCP connections
 *
 *	scale_ring NODES NODE STOP-FILE
 *
 * Node I is at 10.77.(I / 200).(I % 200 + 1).  Each sends numbers to the next
 * one, and knows which has to come from the one before.  A line "count NUMBER
 * TOKEN HOST" for each; see tests/slurm/count.c.  Ends with 0 when the file is
 * there.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PORT 7777
#define PERIOD_MS 100

static const char *stop;

static void pause_for(long milliseconds)
{
	struct timespec time = { milliseconds / 1000,
				 milliseconds % 1000 * 1000000 };

	while (nanosleep(&time, &time))
		;
}

static void __attribute__((noreturn)) end(const char *what)
{
	if (access(stop, F_OK) == 0)
		exit(0);
	printf("WRONG: %s: %s\n", what, strerror(errno));
	fflush(stdout);
	exit(3);
}

static int listen_here(void)
{
	const struct sockaddr_in address = { .sin_family = AF_INET,
					     .sin_port = htons(PORT) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, (const struct sockaddr *)&address, sizeof(address)) ||
	    listen(fd, 5))
		end("listen");
	return fd;
}

static int connect_to(unsigned int node)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(PORT),
		.sin_addr.s_addr =
			htonl(0x0a4d0001u + (node / 200 << 8) + node % 200),
	};
	int fd;

	for (;;) {
		fd = socket(AF_INET, SOCK_STREAM, 0);
		if (fd < 0)
			end("socket");
		if (!connect(fd, (const struct sockaddr *)&address,
			     sizeof(address)))
			return fd;
		close(fd);
		if (access(stop, F_OK) == 0)
			exit(0);
		pause_for(PERIOD_MS);
	}
}

int main(int argc, char **argv)
{
	char host[64] = "";
	int listener, to, from;
	uint64_t token;
	uint32_t got;

	if (argc != 4)
		return 2;
	stop = argv[3];
	if (getrandom(&token, sizeof(token), 0) != sizeof(token))
		return 3;
	listener = listen_here();
	to = connect_to((unsigned int)((atoi(argv[2]) + 1) % atoi(argv[1])));
	from = accept(listener, NULL, NULL);
	for (uint32_t i = 1; access(stop, F_OK) != 0; i++) {
		if (send(to, &i, sizeof(i), MSG_NOSIGNAL) != sizeof(i))
			end("send");
		if (recv(from, &got, sizeof(got), MSG_WAITALL) != sizeof(got))
			end("receive");
		errno = 0;
		if (got != i)
			end("another number");
		gethostname(host, sizeof(host) - 1);
		printf("count %u %016llx %s\n", i, (unsigned long long)token,
		       host);
		fflush(stdout);
		pause_for(PERIOD_MS);
	}
	return 0;
}
