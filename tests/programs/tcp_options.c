/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp_options.c - what was set with setsockopt(2), on a listener, a connection
 * and a socket without one; and what the two ends agreed upon
 */
#include "tcp.h"

#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK 72
#endif

static const struct {
	int level, name, value;
	const char *text;
} options[] = {
#define ROW(level, name, value)           \
	{                                 \
		level, name, value, #name \
	}
	ROW(SOL_SOCKET, SO_REUSEADDR, 1),
	ROW(SOL_SOCKET, SO_KEEPALIVE, 1),
	ROW(SOL_SOCKET, SO_OOBINLINE, 1),
	ROW(IPPROTO_IP, IP_TOS, 0x10),
	ROW(SOL_SOCKET, SO_PRIORITY, 5),
	ROW(SOL_SOCKET, SO_RCVLOWAT, 7),
	ROW(SOL_SOCKET, SO_SNDBUF, 40000),
	ROW(SOL_SOCKET, SO_RCVBUF, 50000),
	ROW(IPPROTO_TCP, TCP_NODELAY, 1),
	ROW(IPPROTO_TCP, TCP_CORK, 0),
	ROW(IPPROTO_TCP, TCP_KEEPIDLE, 77),
	ROW(IPPROTO_TCP, TCP_KEEPINTVL, 78),
	ROW(IPPROTO_TCP, TCP_KEEPCNT, 9),
	ROW(IPPROTO_TCP, TCP_SYNCNT, 3),
	ROW(IPPROTO_TCP, TCP_USER_TIMEOUT, 4321),
	ROW(IPPROTO_TCP, TCP_NOTSENT_LOWAT, 65536),
	ROW(IPPROTO_IP, IP_TTL, 33),
};

#define NR (sizeof(options) / sizeof(options[0]))

static int get(int fd, int level, int name)
{
	int value = -1;
	socklen_t length = sizeof(value);

	if (getsockopt(fd, level, name, &value, &length) < 0)
		return -errno;
	return value;
}

static void set_all(int fd)
{
	const struct timeval timeout[2] = { { 100, 5000 }, { 50, 250000 } };
	const struct linger linger = { 1, 12 };
	size_t i;

	for (i = 0; i < NR; i++)
		NEED(setsockopt(fd, options[i].level, options[i].name,
				&options[i].value, sizeof(int)));
	NEED(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout[0],
			sizeof(timeout[0])));
	NEED(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout[1],
			sizeof(timeout[1])));
	NEED(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
}

struct seen {
	int values[NR];
	int locks, mss;
	struct timeval timeout[2];
	struct linger linger;
	char congestion[16];
	uint8_t options, scales;
};

static void look(int fd, struct seen *seen)
{
	struct tcp_info info = { 0 };
	socklen_t length = sizeof(info);
	size_t i;

	memset(seen, 0, sizeof(*seen));
	for (i = 0; i < NR; i++)
		seen->values[i] = get(fd, options[i].level, options[i].name);
	seen->locks = get(fd, SOL_SOCKET, SO_BUF_LOCK);
	getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length);
	seen->options = info.tcpi_options;
	seen->scales =
		(uint8_t)(info.tcpi_snd_wscale << 4 | info.tcpi_rcv_wscale);
	if (info.tcpi_state == TCP_ESTABLISHED)
		seen->mss = (int)info.tcpi_snd_mss;
	length = sizeof(seen->timeout[0]);
	getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &seen->timeout[0], &length);
	getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &seen->timeout[1], &length);
	length = sizeof(seen->linger);
	getsockopt(fd, SOL_SOCKET, SO_LINGER, &seen->linger, &length);
	length = sizeof(seen->congestion) - 1;
	getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, seen->congestion, &length);
}

static void compare(int fd, const struct seen *before)
{
	struct seen now;
	size_t i;

	look(fd, &now);
	for (i = 0; i < NR; i++)
		CHECK(now.values[i] == before->values[i],
		      "fd %d: %s is %d, was %d", fd, options[i].text,
		      now.values[i], before->values[i]);
	CHECK(now.locks == before->locks, "locks %d, were %d", now.locks,
	      before->locks);
	CHECK(now.options == before->options, "agreed %#x, was %#x",
	      now.options, before->options);
	CHECK(now.scales == before->scales, "scales %#x, were %#x", now.scales,
	      before->scales);
	CHECK(now.mss == before->mss, "mss %d, was %d", now.mss, before->mss);
	CHECK(!memcmp(&now.timeout, &before->timeout, sizeof(now.timeout)),
	      "timeouts");
	CHECK(!memcmp(&now.linger, &before->linger, sizeof(now.linger)),
	      "linger");
	CHECK(!strcmp(now.congestion, before->congestion), "%s, was %s",
	      now.congestion, before->congestion);
}

int main(int argc, char **argv)
{
	int pair[2], plain[2], bare, linger_off = 0, i;
	struct seen seen[6];
	struct tcp_server server;

	program_start(argc, argv);
	server = tcp_listen(AF_INET, "127.0.0.1", 5);
	tcp_pair(&server, plain);
	tcp_pair(&server, pair);
	set_all(pair[0]);
	set_all(server.fd);
	bare = NEED(socket(AF_INET, SOCK_STREAM, 0));
	set_all(bare);
	{
		int fds[] = { pair[0],	pair[1],   plain[0],
			      plain[1], server.fd, bare };

		for (i = 0; i < 6; i++)
			look(fds[i], &seen[i]);

		program_ready();

		for (i = 0; i < 6; i++)
			compare(fds[i], &seen[i]);
	}
	/* it works with them */
	setsockopt(pair[0], SOL_SOCKET, SO_RCVLOWAT, &linger_off,
		   sizeof(linger_off));
	tcp_check_talk(pair[0], pair[1]);
	return program_result();
}
