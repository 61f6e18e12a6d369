/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * talk.c - ranks of two nodes talk by TCP until a file is there
 *
 *	talk FOLDER STOP-FILE [6 | PORT]
 *
 * Rank r of the first half listens and is called by rank r + half, over four
 * connections, of IPv6 with the third argument:
 *	0  both send all the time, more than is read: queues are always full
 *	1  the same from the server only; the client has shut its side down
 *	2  the client has sent something and closed; it is read at the end
 *	3  is not accepted before the end; of odd servers it is not even
 *	   complete, since nothing is said on it (TCP_DEFER_ACCEPT)
 * With PORT each rank also listens at PORT + r (of its half), from where nobody
 * calls it; at the end it must still be there.  Every byte is checked.  When
 *STOP-FILE is there all shut down, read to the end, and say how much it was.
 *Progress is told as count.c does.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TICK_MS 10
#define TICKS_PER_LINE 10
#define READ_MAX 49152
#define CLOSED_BYTES 10000
#define LATE_BYTES 1000
#define DEFER_S 200 /* seconds: longer than any test */
#define PERIOD 65521 /* a prime: no buffer fits it */

struct talk {
	int fd;
	uint64_t sent, received;
	int is_shut, is_over; /* our side; the other's */
};

static int rank, half, family = AF_INET;
static const char *folder, *stop_file;
static uint8_t sequence[2 * PERIOD];
static struct talk talks[4] = {
	{ .fd = -1 }, { .fd = -1 }, { .fd = -1 }, { .fd = -1 }
};
static int listener = -1, spare = -1;

static void __attribute__((noreturn, format(printf, 1, 2)))
die(const char *format, ...)
{
	va_list args;

	printf("WRONG: rank %d: ", rank);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	exit(1);
}

static void nap(void)
{
	const struct timespec time = { 0, TICK_MS * 1000000L };

	nanosleep(&time, NULL);
}

static int is_stopped(void)
{
	return access(stop_file, F_OK) == 0;
}

static void tell_count(unsigned int number)
{
	static uint32_t token;
	char host[64] = "";

	while (!token)
		if (getrandom(&token, sizeof(token), 0) < 0)
			die("getrandom");
	gethostname(host, sizeof(host) - 1);
	printf("count %u %08x %s\n", number, token, host);
}

/* --- the connections --- */

/* With port 0. */
static socklen_t find_own(struct sockaddr_storage *address)
{
	const struct addrinfo hints = { .ai_family = family };
	socklen_t length;
	struct addrinfo *found;
	char host[64] = "";

	gethostname(host, sizeof(host) - 1);
	if (getaddrinfo(host, NULL, &hints, &found))
		die("no address of %s", host);
	length = found->ai_addrlen;
	memcpy(address, found->ai_addr, length);
	freeaddrinfo(found);
	return length;
}

static void path_of(int server, char *path, size_t size)
{
	snprintf(path, size, "%s/address.%d", folder, server);
}

static void publish(const struct sockaddr_storage *address)
{
	char path[512], temporary[520];
	FILE *file;

	path_of(rank, path, sizeof(path));
	snprintf(temporary, sizeof(temporary), "%s.tmp", path);
	file = fopen(temporary, "w");
	if (!file || fwrite(address, sizeof(*address), 1, file) != 1 ||
	    fclose(file) || rename(temporary, path))
		die("%s: %s", path, strerror(errno));
}

static void look_up(struct sockaddr_storage *address)
{
	char path[512];
	FILE *file;

	path_of(rank - half, path, sizeof(path));
	while (!(file = fopen(path, "r")))
		nap();
	if (fread(address, sizeof(*address), 1, file) != 1)
		die("%s is too short", path);
	fclose(file);
}

/* Connections may come in another order than they were made in: the first byte
 * of one is its number. */
static void take_call(void)
{
	int fd = accept(listener, NULL, NULL);
	uint8_t number = 0;

	if (fd < 0 || recv(fd, &number, 1, MSG_WAITALL) != 1)
		die("accept: %s", strerror(errno));
	if (number > 2 || talks[number].fd >= 0)
		die("a connection with number %d", number);
	talks[number].fd = fd;
}

static void serve(void)
{
	struct sockaddr_storage address = { 0 };
	socklen_t length = find_own(&address);
	const int defer = DEFER_S;

	listener = socket(family, SOCK_STREAM, 0);
	if (rank % 2)
		setsockopt(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer,
			   sizeof(defer));
	if (bind(listener, (struct sockaddr *)&address, length) ||
	    listen(listener, 8) ||
	    getsockname(listener, (struct sockaddr *)&address, &length))
		die("listen: %s", strerror(errno));
	publish(&address);
	for (int i = 0; i < 3; i++)
		take_call();
	if (send(talks[0].fd, "", 1, 0) != 1)
		die("send: %s", strerror(errno));
}

/* Another address family, type or option is not the point here. */
static void listen_at(int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons((uint16_t)port) };
	const int yes = 1;

	spare = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(spare, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(spare, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(spare, 8))
		die("listen at %d: %s", port, strerror(errno));
}

static void check_spare(void)
{
	struct sockaddr_in address;
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (spare < 0)
		return;
	if (getsockname(spare, (struct sockaddr *)&address, &length) ||
	    connect(fd, (struct sockaddr *)&address, length) ||
	    accept(spare, NULL, NULL) < 0)
		die("the port that nobody calls: %s", strerror(errno));
	printf("listens at %d\n", ntohs(address.sin_port));
}

static void send_all(struct talk *talk, size_t length)
{
	while (length) {
		ssize_t n = send(talk->fd, sequence + talk->sent % PERIOD,
				 length < PERIOD ? length : PERIOD, 0);

		if (n <= 0)
			die("send: %s", strerror(errno));
		talk->sent += (uint64_t)n;
		length -= (size_t)n;
	}
}

static void say(int number)
{
	const struct talk *talk = &talks[number];

	printf("talk %d of %d: sent %llu received %llu\n", number, rank % half,
	       (unsigned long long)talk->sent,
	       (unsigned long long)talk->received);
}

static void connect_to(const struct sockaddr_storage *address, int number)
{
	talks[number].fd = socket(family, SOCK_STREAM, 0);
	if (connect(talks[number].fd, (const struct sockaddr *)address,
		    sizeof(*address)))
		die("connect: %s", strerror(errno));
}

static void call(void)
{
	struct sockaddr_storage address;
	uint8_t number;

	look_up(&address);
	for (number = 0; number < 3; number++) {
		connect_to(&address, number);
		if (send(talks[number].fd, &number, 1, 0) != 1)
			die("send: %s", strerror(errno));
	}
	if (recv(talks[0].fd, &number, 1, MSG_WAITALL) != 1)
		die("receive: %s", strerror(errno));
	connect_to(&address, 3); /* which nobody accepts now */
	send_all(&talks[1], CLOSED_BYTES);
	shutdown(talks[1].fd, SHUT_WR);
	talks[1].is_shut = 1;
	send_all(&talks[2], CLOSED_BYTES);
	close(talks[2].fd);
	say(2);
	talks[2].fd = -1;
}

/* --- talking --- */

static void push(struct talk *talk)
{
	while (!talk->is_shut) {
		ssize_t n = send(talk->fd, sequence + talk->sent % PERIOD,
				 PERIOD, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0)
			die("send after %llu bytes: %s",
			    (unsigned long long)talk->sent, strerror(errno));
		talk->sent += (uint64_t)n;
	}
}

static void pull(struct talk *talk, int flags)
{
	static uint8_t buffer[READ_MAX];
	ssize_t n;

	if (talk->is_over)
		return;
	n = recv(talk->fd, buffer, sizeof(buffer), flags);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0)
		die("receive after %llu bytes: %s",
		    (unsigned long long)talk->received, strerror(errno));
	if (n == 0)
		talk->is_over = 1;
	if (memcmp(buffer, sequence + talk->received % PERIOD, (size_t)n) != 0)
		die("other bytes after %llu",
		    (unsigned long long)talk->received);
	talk->received += (uint64_t)n;
}

static void talk_until_stopped(void)
{
	unsigned int tick, line = 0;

	for (tick = 1; !is_stopped(); tick++) {
		for (int i = 0; i < 2; i++) {
			push(&talks[i]);
			pull(&talks[i], MSG_DONTWAIT);
			if (talks[i].is_over && (i == 0 || rank >= half) &&
			    !is_stopped())
				die("talk %d has ended by itself", i);
		}
		if (tick % TICKS_PER_LINE == 0)
			tell_count(++line);
		nap();
	}
}

static void finish(struct talk *talk)
{
	if (!talk->is_shut)
		shutdown(talk->fd, SHUT_WR);
	talk->is_shut = 1;
}

static void end(void)
{
	if (rank < half)
		talks[3].fd = accept(listener, NULL, NULL);
	else
		send_all(&talks[3], LATE_BYTES);
	for (int i = 0; i < 4; i++)
		if (talks[i].fd >= 0)
			finish(&talks[i]);
	for (int i = 0; i < 4; i++) {
		if (talks[i].fd < 0)
			continue;
		while (!talks[i].is_over)
			pull(&talks[i], 0);
		say(i);
	}
}

static int number_of(const char *name)
{
	const char *value = getenv(name);

	return value ? atoi(value) : -1;
}

int main(int argc, char **argv)
{
	rank = number_of("SLURM_PROCID");
	half = number_of("SLURM_NTASKS") / 2;
	if (argc < 3 || argc > 4 || rank < 0 || half < 1) {
		fputs("usage: srun talk FOLDER STOP-FILE [6 | PORT]\n", stderr);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 4 && atoi(argv[3]) != 6)
		listen_at(atoi(argv[3]) + rank % half);
	else if (argc == 4)
		family = AF_INET6;
	folder = argv[1];
	stop_file = argv[2];
	for (size_t i = 0; i < sizeof(sequence); i++)
		sequence[i] = (uint8_t)((i % PERIOD) * 31 + i % PERIOD / 251);
	if (rank < half)
		serve();
	else
		call();
	talk_until_stopped();
	check_spare();
	end();
	return 0;
}
