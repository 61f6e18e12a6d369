/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_tcp_mirror.c - the other end of a TCP socket, for a moment
 *
 * That a connection has been shut down or reset can only be heard from the
 * other end.  Where nobody has that any more, it is made here in repair mode,
 * says so, and vanishes in repair mode.  Its packets stay on this node: they
 * are sent to an address of ours.
 */
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "file_tcp.h"

#define WINDOW 65535u
#define PATIENCE_MS 2000

/* At an address that may be none of this node's. */
static int new_mirror(const struct cr_tcp_address *address, uint32_t *familyp)
{
	const int one = 1;
	int fd, rc;

	*familyp = cr_tcp_is_mapped(address) ? AF_INET : AF_INET6;
	fd = socket((int)*familyp, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (*familyp == AF_INET)
		setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &one, sizeof(one));
	else
		setsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &one,
			   sizeof(one));
	rc = cr_tcp_repair(fd, 1, NULL);
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

/* The end that @of is connected to; next to be received is what it has not
 * sent. */
static void reflect(const struct cr_tcp_shape *of, uint32_t receive_end,
		    struct cr_tcp_shape *mirror)
{
	*mirror = *of;
	mirror->local = of->remote;
	mirror->remote = of->local;
	mirror->send_first = receive_end;
	mirror->receive_first = of->send_first;
	mirror->send_scale = of->receive_scale;
	mirror->receive_scale = of->send_scale;
}

static int await(int fd, short what)
{
	struct pollfd poll_fd = { .fd = fd, .events = what };

	return poll(&poll_fd, 1, PATIENCE_MS) > 0 ? 0 : -ETIMEDOUT;
}

static uint32_t state_of(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t length = sizeof(info);

	getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length);
	return info.tcpi_state;
}

/* Until the FIN of @fd has been acknowledged. */
static int await_fin(int fd)
{
	int waited_ms;
	uint32_t state;

	for (waited_ms = 0; waited_ms < PATIENCE_MS; waited_ms++) {
		state = state_of(fd);
		if (state != CR_TCP_FIN_WAIT1 && state != CR_TCP_LAST_ACK &&
		    state != CR_TCP_CLOSING)
			return 0;
		usleep(1000);
	}
	return -ETIMEDOUT;
}

/* Now, not in some milliseconds to somebody who has vanished.  (An even number
 * leaves the socket as it was.) */
static int acknowledge(int fd, int mirror)
{
	const int once = 2;

	setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &once, sizeof(once));
	return await_fin(mirror);
}

static int exchange(const struct cr_wire_tcp *head, int fd, int mirror)
{
	int rc = 0;

	if (head->flags & CR_TCP_F_FIN_RECEIVED) {
		rc = cr_tcp_repair(mirror, CR_TCP_REPAIR_OFF, NULL);
		if (rc == 0 && shutdown(mirror, SHUT_WR) < 0)
			rc = -errno;
		if (rc == 0)
			rc = await(fd, POLLRDHUP);
		if (rc == 0)
			rc = acknowledge(fd, mirror);
	}
	if (rc == 0 && head->flags & CR_TCP_F_FIN_SENT) {
		rc = cr_tcp_repair(fd, CR_TCP_REPAIR_OFF, head);
		if (rc == 0 && shutdown(fd, SHUT_WR) < 0)
			rc = -errno;
		if (rc == 0)
			rc = await_fin(fd);
	}
	return rc;
}

int cr_tcp_mirror_fins(const struct cr_tcp_making *making, int fd,
		       struct cr_error *err)
{
	const struct cr_wire_tcp *head = making->tcp.head;
	struct cr_tcp_shape shape, mirror_shape;
	int mirror, rc;

	cr_tcp_shape(making, &shape);
	reflect(&shape, head->receive_end, &mirror_shape);
	mirror = new_mirror(&mirror_shape.local, &mirror_shape.family);
	if (mirror < 0)
		return cr_error_set(err, mirror, "socket: %s",
				    strerror(-mirror));
	rc = cr_tcp_connect(&mirror_shape, mirror, err);
	if (rc < 0)
		goto out;
	rc = cr_tcp_set_window(mirror, WINDOW, WINDOW,
			       mirror_shape.receive_first, WINDOW);
	if (rc == 0)
		rc = cr_tcp_set_window(fd, WINDOW, WINDOW, head->receive_end,
				       WINDOW);
	if (rc == 0)
		rc = exchange(head, fd, mirror);
	if (rc == 0 && !(head->flags & CR_TCP_F_FIN_SENT))
		rc = cr_tcp_set_window(fd, head->send_window,
				       head->send_window_max,
				       head->window_begin, head->window);
	if (rc < 0)
		cr_error_set(err, rc, "end of a TCP connection: %s",
			     strerror(-rc));
out:
	cr_tcp_repair(mirror, 1, NULL);
	close(mirror);
	return rc;
}

/* A port that is free at the address of @shape becomes its other end. */
static int find_remote(struct cr_tcp_shape *shape, struct cr_error *err)
{
	struct sockaddr_storage storage;
	socklen_t length;
	struct cr_tcp_address any = shape->local;
	int fd, rc = 0;

	any.port = 0;
	length = cr_tcp_to_sockaddr(&any, shape->family, &storage);
	fd = socket((int)shape->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || !length ||
	    bind(fd, (struct sockaddr *)&storage, length) < 0)
		rc = cr_error_errno(err, "looking for a free TCP port");
	length = sizeof(storage);
	if (rc == 0 &&
	    getsockname(fd, (struct sockaddr *)&storage, &length) < 0)
		rc = cr_error_errno(err, "getsockname");
	if (fd >= 0)
		close(fd);
	if (rc == 0)
		cr_tcp_from_sockaddr(&storage, &shape->remote);
	return rc;
}

int cr_tcp_come_home(struct cr_tcp_making *making, struct cr_error *err)
{
	struct cr_tcp_shape shape;
	int rc;

	if (cr_tcp_is_own(&making->remote))
		return 0;
	cr_tcp_shape(making, &shape);
	rc = find_remote(&shape, err);
	if (rc == 0)
		making->remote = shape.remote;
	return rc;
}

static void set_loopback(struct cr_tcp_address *address)
{
	const int is_mapped = cr_tcp_is_mapped(address);

	memset(address->ip, 0, sizeof(address->ip));
	address->ip[15] = 1;
	if (is_mapped) {
		memset(address->ip + 10, 0xff, 2);
		address->ip[12] = 127;
	}
}

static int reset(const struct cr_tcp_shape *shape, int fd, uint32_t receive_end,
		 struct cr_error *err)
{
	const struct linger now = { 1, 0 };
	struct cr_tcp_shape mirror_shape;
	uint32_t family;
	int mirror, rc;

	reflect(shape, receive_end, &mirror_shape);
	mirror = new_mirror(&mirror_shape.local, &family);
	if (mirror < 0)
		return cr_error_set(err, mirror, "socket: %s",
				    strerror(-mirror));
	mirror_shape.family = family;
	rc = cr_tcp_connect(&mirror_shape, mirror, err);
	if (rc == 0 &&
	    (cr_tcp_repair(mirror, CR_TCP_REPAIR_OFF, NULL) < 0 ||
	     setsockopt(mirror, SOL_SOCKET, SO_LINGER, &now, sizeof(now)) < 0))
		rc = cr_error_errno(err, "SO_LINGER");
	close(mirror); /* this resets the connection */
	if (rc < 0)
		return rc;
	rc = await(fd, POLLERR);
	return rc < 0 ? cr_error_set(err, rc, "reset of a TCP connection: %s",
				     strerror(-rc)) :
			0;
}

int cr_tcp_mirror_reset(const struct cr_tcp_making *making, int fd,
			struct cr_error *err)
{
	const struct cr_wire_tcp *head = making->tcp.head;
	struct cr_tcp_shape shape;
	socklen_t length = sizeof(int);
	int error, rc;

	cr_tcp_shape(making, &shape);
	if (cr_tcp_is_any(&shape.local) || !cr_tcp_is_own(&shape.local))
		set_loopback(&shape.local);
	rc = find_remote(&shape, err);
	if (rc == 0)
		rc = cr_tcp_connect(&shape, fd, err);
	if (rc == 0)
		rc = cr_tcp_fill(making, fd, err);
	if (rc == 0)
		rc = reset(&shape, fd, head->receive_end, err);
	if (rc == 0 && cr_tcp_repair(fd, CR_TCP_REPAIR_OFF, head) < 0)
		rc = cr_error_errno(err, "leaving repair mode");
	if (rc == 0 && !making->error)
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
	return rc;
}
