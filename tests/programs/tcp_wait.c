/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp_wait.c - threads blocked in recv, send, accept, poll, and in a connect
 * that a full listener lets wait
 */
#include "tcp.h"

#define NR 5

static struct tcp_server server, full;
static int in[2], out[2], polled[2];
static char block[1 << 20];
static size_t sent;
static int tids[NR];

static void begin(int which)
{
	__atomic_store_n(&tids[which], (int)syscall(SYS_gettid),
			 __ATOMIC_SEQ_CST);
}

static void *do_recv(void *arg)
{
	char got[8] = "";

	begin(0);
	CHECK(recv(in[0], got, sizeof(got), 0) == 4 && !strcmp(got, "recv"),
	      "got `%s' (%s)", got, strerror(errno));
	return arg;
}

static void *do_send(void *arg)
{
	begin(1);
	CHECK(send(out[0], block, 1000, 0) == 1000, "%s", strerror(errno));
	return arg;
}

static void *do_accept(void *arg)
{
	char byte = 0;
	int fd;

	begin(2);
	fd = accept(server.fd, NULL, NULL);
	CHECK(fd >= 0 && read(fd, &byte, 1) == 1 && byte == 'a', "%s",
	      strerror(errno));
	return arg;
}

static void *do_poll(void *arg)
{
	struct pollfd poll_fd = { .fd = polled[0], .events = POLLIN };

	begin(3);
	CHECK(poll(&poll_fd, 1, -1) == 1 && poll_fd.revents == POLLIN, "%#x",
	      poll_fd.revents);
	return arg;
}

static void *do_connect(void *arg)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	begin(4);
	CHECK(connect(fd, &full.address.any, full.length) == 0, "%s",
	      strerror(errno));
	CHECK(write(fd, "late", 4) == 4, "%s", strerror(errno));
	return arg;
}

/* In /proc/PID/task/TID/syscall a number: it is blocked. */
static void await_blocked(int which)
{
	char name[64], text[64];
	int waited, fd;

	for (waited = 0; waited < 5000; waited++) {
		snprintf(name, sizeof(name), "/proc/self/task/%d/syscall",
			 __atomic_load_n(&tids[which], __ATOMIC_SEQ_CST));
		fd = open(name, O_RDONLY);
		memset(text, 0, sizeof(text));
		if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 &&
		    text[0] >= '0' && text[0] <= '9') {
			close(fd);
			return;
		}
		if (fd >= 0)
			close(fd);
		program_nap(1);
	}
	program_die(__FILE__, __LINE__, "blocked", ETIMEDOUT);
}

static void fill_up(void)
{
	ssize_t nr;
	int idle = 0;

	while (idle < 50) {
		nr = send(out[0], block, sizeof(block), MSG_DONTWAIT);
		if (nr > 0) {
			sent += (size_t)nr;
			idle = 0;
		} else {
			idle++;
			program_nap(1);
		}
	}
}

static void wake_all(int early[2])
{
	char late[8] = "";
	size_t left = sent + 1000;
	int fd, i;

	CHECK(write(in[1], "recv", 4) == 4, "%s", strerror(errno));
	CHECK(write(polled[1], "p", 1) == 1, "%s", strerror(errno));
	fd = tcp_connect(&server);
	CHECK(write(fd, "a", 1) == 1, "%s", strerror(errno));
	while (left) {
		ssize_t nr =
			recv(out[1], block,
			     left < sizeof(block) ? left : sizeof(block), 0);

		if (nr <= 0)
			break;
		left -= (size_t)nr;
	}
	CHECK(!left, "%zu bytes are missing", left);
	for (i = 0; i < 2; i++)
		close(early[i]);
	for (i = 0; i < 3; i++) {
		fd = accept(full.fd, NULL, NULL);
		CHECK(fd >= 0, "%s", strerror(errno));
		if (tcp_read_all(fd, late, 4) > 0)
			break;
	}
	CHECK(!strcmp(late, "late"), "accepted `%s'", late);
}

int main(int argc, char **argv)
{
	void *(*const work[NR])(void *) = { do_recv, do_send, do_accept,
					    do_poll, do_connect };
	pthread_t threads[NR];
	int early[2], i;

	program_start(argc, argv);
	server = tcp_listen(AF_INET, "127.0.0.1", 5);
	tcp_pair(&server, in);
	tcp_pair(&server, out);
	tcp_pair(&server, polled);
	fill_up();
	full = tcp_listen(AF_INET, "127.0.0.1", 1);
	for (i = 0; i < 2; i++)
		early[i] = tcp_connect(&full);
	for (i = 0; i < NR; i++)
		NEED_ZERO(pthread_create(&threads[i], NULL, work[i], NULL));
	for (i = 0; i < NR; i++)
		await_blocked(i);

	program_ready();

	wake_all(early);
	for (i = 0; i < NR; i++)
		NEED_ZERO(pthread_join(threads[i], NULL));
	return program_result();
}
