/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp_half.c - connections with one or both directions ended: by shutdown(2)
 * with the FIN on top of unread data, by close(2) of the other end, by both
 */
#include "tcp.h"

static int half[2], full[2], reader[2], lone, done, finished;

static void prepare(const struct tcp_server *server)
{
	int pair[2];

	/* data, then a FIN, not read; and the other direction in use */
	tcp_pair(server, half);
	NEED(write(half[0], "rest", 4));
	NEED(shutdown(half[0], SHUT_WR));
	tcp_await_state(half[1], TCP_CLOSE_WAIT);
	NEED(write(half[1], "back", 4));
	/* both directions; data unread on one side */
	tcp_pair(server, full);
	NEED(write(full[0], "last", 4));
	NEED(shutdown(full[0], SHUT_WR));
	tcp_await_state(full[1], TCP_CLOSE_WAIT);
	NEED(shutdown(full[1], SHUT_WR));
	tcp_await_state(full[1], TCP_CLOSE);
	/* who reads no more, but may be written to */
	tcp_pair(server, reader);
	NEED(shutdown(reader[0], SHUT_RD));
	/* closed by the other end */
	tcp_pair(server, pair);
	lone = pair[0];
	NEED(write(pair[1], "bye", 3));
	close(pair[1]);
	tcp_await_state(lone, TCP_CLOSE_WAIT);
	/* the same, after a FIN of ours */
	tcp_pair(server, pair);
	done = pair[0];
	NEED(write(pair[1], "end", 3));
	NEED(shutdown(done, SHUT_WR));
	close(pair[1]);
	tcp_await_state(done, TCP_CLOSE);
	/* we have closed our direction, the other end all */
	tcp_pair(server, pair);
	finished = pair[0];
	NEED(shutdown(finished, SHUT_WR));
	tcp_await_state(finished, TCP_FIN_WAIT2);
	close(pair[1]);
	tcp_await_state(finished, TCP_CLOSE);
}

static short events(int fd)
{
	struct pollfd poll_fd = { .fd = fd,
				  .events = POLLIN | POLLOUT | POLLRDHUP };

	poll(&poll_fd, 1, 0);
	return poll_fd.revents;
}

static void check_ended(int fd, const char *text)
{
	size_t length = strlen(text);
	char got[16] = "";

	CHECK(tcp_state(fd) == TCP_CLOSE, "state %d", tcp_state(fd));
	CHECK(events(fd) & POLLHUP, "events %#x", events(fd));
	CHECK(!(events(fd) & POLLERR), "events %#x", events(fd));
	CHECK(tcp_read_all(fd, got, length) == (ssize_t)length &&
		      !strcmp(got, text),
	      "read `%s'", got);
	CHECK(read(fd, got, 1) == 0, "%s", strerror(errno));
	CHECK(send(fd, "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE, "%s",
	      strerror(errno));
}

int main(int argc, char **argv)
{
	struct tcp_server server;
	char got[32] = "";

	program_start(argc, argv);
	server = tcp_listen(AF_INET, "127.0.0.1", 5);
	prepare(&server);

	program_ready();

	CHECK(tcp_state(half[1]) == TCP_CLOSE_WAIT, "%d", tcp_state(half[1]));
	CHECK(events(half[1]) & POLLRDHUP, "%#x", events(half[1]));
	CHECK(read(half[1], got, 32) == 4 && read(half[1], got, 32) == 0,
	      "half shut down");
	CHECK(read(half[0], got, 32) == 4 && !strcmp(got, "back"), "%s", got);
	CHECK(write(half[1], "x", 1) == 1 && read(half[0], got, 32) == 1,
	      "the other half");
	CHECK(send(half[0], "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE,
	      "written after shutdown");
	check_ended(full[0], "");
	check_ended(full[1], "last");
	CHECK(read(reader[0], got, 1) == 0, "read after shutdown");
	CHECK(write(reader[0], "y", 1) == 1 && read(reader[1], got, 2) == 1,
	      "write by who does not read");
	CHECK(tcp_state(lone) == TCP_CLOSE_WAIT, "%d", tcp_state(lone));
	CHECK(events(lone) == (POLLIN | POLLOUT | POLLRDHUP), "%#x",
	      events(lone));
	CHECK(read(lone, got, 32) == 3 && read(lone, got, 32) == 0, "lone");
	check_ended(done, "end");
	check_ended(finished, "");
	return program_result();
}
