/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mpirun_order.c - what one node of an mpirun's step tells another to do
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <munge.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mpirun.h"
#include "ports.h"

#define PORT_STEP 277u /* prime: the ports of a step are far apart */

uint16_t mpirun_port(const char *step, unsigned int i)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (; *step; step++)
		hash = (hash ^ (unsigned char)*step) * 16777619u;
	return (uint16_t)(CR_PORT_FIRST + (hash + i * PORT_STEP) % CR_NR_PORTS);
}

size_t mpirun_order_write(const struct mpirun_order *order, void *bytes,
			  size_t size)
{
	const size_t step = strlen(order->step) + 1;
	const size_t command = strlen(order->command) + 1;
	char *at = bytes;

	if (1 + step + command > size)
		return 0;
	*at++ = (char)order->kind;
	memcpy(at, order->step, step);
	memcpy(at + step, order->command, command);
	return 1 + step + command;
}

int mpirun_order_read(const void *bytes, size_t length,
		      struct mpirun_order *order)
{
	const char *at = bytes, *end = at + length, *step_end;

	if (length < 3 || end[-1] != '\0' ||
	    (*at != MPIRUN_HOLD && *at != MPIRUN_RUN))
		return -EBADMSG;
	order->kind = (enum mpirun_order_kind) * at++;
	step_end = at + strlen(at);
	/* the last 0 is the command's */
	if (step_end + 1 >= end ||
	    (size_t)(step_end - at) >= sizeof(order->step))
		return -EBADMSG;
	memcpy(order->step, at, (size_t)(step_end - at) + 1);
	order->command = step_end + 1;
	return order->command + strlen(order->command) + 1 == end ? 0 :
								    -EBADMSG;
}

int mpirun_order_seal(const struct mpirun_order *order, char **textp,
		      struct cr_error *err)
{
	munge_ctx_t ctx = munge_ctx_create();
	char *bytes = malloc(MPIRUN_COMMAND_MAX);
	size_t length = 0;
	int rc = 0;

	if (bytes)
		length = mpirun_order_write(order, bytes, MPIRUN_COMMAND_MAX);
	if (!ctx || !bytes)
		rc = cr_error_set(err, -ENOMEM, "no memory");
	else if (!length)
		rc = cr_error_set(err, -E2BIG, "the command is too long");
	else if (munge_ctx_set(ctx, MUNGE_OPT_UID_RESTRICTION, geteuid()) ||
		 munge_encode(textp, ctx, bytes, (int)length))
		rc = cr_error_set(err, -EIO, "munge: %s",
				  munge_ctx_strerror(ctx));
	free(bytes);
	if (ctx)
		munge_ctx_destroy(ctx);
	return rc;
}

int mpirun_order_open(const char *text, struct mpirun_order *order,
		      void **bytesp, struct cr_error *err)
{
	uid_t made_by = (uid_t)-1;
	void *bytes = NULL;
	int length = 0, rc;
	munge_err_t why;

	why = munge_decode(text, NULL, &bytes, &length, &made_by, NULL);
	if (why)
		rc = cr_error_set(err, why == EMUNGE_SOCKET ? -EIO : -EBADMSG,
				  "munge: %s", munge_strerror(why));
	else if (made_by != geteuid())
		rc = cr_error_set(err, -EPERM, "an order of uid %u", made_by);
	else if (mpirun_order_read(bytes, (size_t)length, order))
		rc = cr_error_set(err, -EBADMSG, "this is no order");
	else
		rc = 0;
	if (rc)
		free(bytes);
	else
		*bytesp = bytes;
	return rc;
}

/* --- giving one --- */

int mpirun_read_word(int fd, uint32_t *word)
{
	char *at = (char *)word;
	size_t left = sizeof(*word);
	ssize_t n;

	while (left) {
		n = read(fd, at, left);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ECONNRESET;
		at += n;
		left -= (size_t)n;
	}
	*word = le32toh(*word);
	return 0;
}

static int write_all(int fd, const void *data, size_t length)
{
	const char *at = data;
	ssize_t n;

	while (length) {
		n = send(fd, at, length, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		length -= (size_t)n;
	}
	return 0;
}

static int find_host(const char *host, struct sockaddr_in *address,
		     struct cr_error *err)
{
	const struct addrinfo hints = { .ai_family = AF_INET,
					.ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	int rc = getaddrinfo(host, NULL, &hints, &found);

	if (rc)
		return cr_error_set(err, -EHOSTUNREACH, "%s: %s", host,
				    gai_strerror(rc));
	memcpy(address, found->ai_addr, sizeof(*address));
	freeaddrinfo(found);
	return 0;
}

/* 0: a node of ours has taken it; anything else: nobody of ours is there. */
static int try_port(int fd, const struct sockaddr_in *address, const char *text)
{
	const uint32_t length = htole32((uint32_t)strlen(text));
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	uint32_t word = 0;
	int rc;

	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		return -errno;
	rc = write_all(fd, &length, sizeof(length));
	if (!rc)
		rc = write_all(fd, text, strlen(text));
	if (!rc && poll(&pollfd, 1, MPIRUN_CONNECT_MS) <= 0)
		rc = -ETIMEDOUT;
	if (!rc)
		rc = mpirun_read_word(fd, &word);
	return !rc && word != MPIRUN_ACCEPTED ? -EPROTO : rc;
}

int mpirun_order_give(const char *host, const struct mpirun_order *order,
		      struct cr_error *err)
{
	struct sockaddr_in address;
	int rc = find_host(host, &address, err), fd;
	char *text = NULL;

	for (unsigned int i = 0; !rc && i < MPIRUN_NR_PORTS; i++) {
		/* each one only once: munge takes the second for an attack */
		rc = mpirun_order_seal(order, &text, err);
		if (rc)
			break;
		address.sin_port = htons(mpirun_port(order->step, i));
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0)
			rc = cr_error_errno(err, "socket");
		else if (!try_port(fd, &address, text)) {
			free(text);
			return fd;
		}
		if (fd >= 0)
			close(fd);
		free(text);
	}
	return rc ? rc :
		    cr_error_set(err, -ECONNREFUSED,
				 "%s: no node of step %s answers there", host,
				 order->step);
}
