/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * message.c - send and receive messages with descriptors; see message.h
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "message.h"

#define SEND_TIMEOUT_MS 1000

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(CR_MESSAGE_FDS_MAX * sizeof(int))];
};

int cr_message_pair(int fds[2])
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	return 0;
}

static int wait_for(int socket, short events, int timeout_ms)
{
	struct pollfd pollfd = { .fd = socket, .events = events };
	int n;

	do {
		n = poll(&pollfd, 1, timeout_ms);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n ? 0 : -ETIMEDOUT;
}

static int send_packet(int socket, struct msghdr *header)
{
	ssize_t n;
	int rc;

	for (;;) {
		n = sendmsg(socket, header, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0)
			return 0;
		if (errno == ECONNRESET)
			return -EPIPE;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		rc = wait_for(socket, POLLOUT, SEND_TIMEOUT_MS);
		if (rc)
			return rc;
	}
}

int cr_message_send(int socket, const struct cr_message *message,
		    const int *fds, size_t nr_fds)
{
	struct iovec iov = { (void *)message, sizeof(*message) };
	struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control;
	struct cmsghdr *cmsg;

	if (nr_fds) {
		memset(&control, 0, sizeof(control));
		header.msg_control = control.bytes;
		header.msg_controllen = CMSG_SPACE(nr_fds * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&header);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(nr_fds * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, nr_fds * sizeof(int));
	}
	return send_packet(socket, &header);
}

int cr_message_tell(int socket, enum cr_message_type type, int value)
{
	struct cr_message message = { .type = type, .value = value };

	return cr_message_send(socket, &message, NULL, 0);
}

void cr_message_no_fds(int fds[CR_MESSAGE_FDS_MAX])
{
	for (int i = 0; i < CR_MESSAGE_FDS_MAX; i++)
		fds[i] = -1;
}

void cr_message_close_fds(int fds[CR_MESSAGE_FDS_MAX])
{
	for (int i = 0; i < CR_MESSAGE_FDS_MAX; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}

static void take_fds(struct msghdr *header, int fds[CR_MESSAGE_FDS_MAX])
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(header);
	size_t length;

	if (!cmsg || cmsg->cmsg_level != SOL_SOCKET ||
	    cmsg->cmsg_type != SCM_RIGHTS)
		return;
	length = cmsg->cmsg_len - CMSG_LEN(0);
	if (length > CR_MESSAGE_FDS_MAX * sizeof(int))
		length = CR_MESSAGE_FDS_MAX * sizeof(int);
	memcpy(fds, CMSG_DATA(cmsg), length);
}

static int receive_packet(int socket, void *data, size_t size, int *fds,
			  int timeout_ms)
{
	struct iovec iov = { data, size };
	union control control;
	/* not all of it: with its padding there would be room for one more */
	struct msghdr header = { .msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = CMSG_LEN(CR_MESSAGE_FDS_MAX *
							    sizeof(int)) };
	ssize_t n;
	int rc;

	do {
		rc = wait_for(socket, POLLIN, timeout_ms);
		if (rc)
			return rc;
		n = recvmsg(socket, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
		/* a reset, told once: the other side ended with something of
		 * ours unread.  What it had said before is there all the same
		 */
	} while (n < 0 &&
		 (errno == EINTR || errno == EAGAIN || errno == ECONNRESET));
	if (n == 0)
		return -EPIPE;
	if (n < 0)
		return -errno;
	take_fds(&header, fds);
	if ((size_t)n != size || (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return -EBADMSG;
	return 0;
}

int cr_message_receive(int socket, struct cr_message *message, int *fds,
		       int timeout_ms)
{
	int taken[CR_MESSAGE_FDS_MAX];
	int rc;

	cr_message_no_fds(taken);
	rc = receive_packet(socket, message, sizeof(*message), taken,
			    timeout_ms);
	if (!rc && (message->type == 0 || message->type >= CR_NR_MESSAGES))
		rc = -EBADMSG;
	if (!rc)
		message->text[sizeof(message->text) - 1] = '\0';
	if (rc || !fds)
		cr_message_close_fds(taken);
	if (fds)
		memcpy(fds, taken, sizeof(taken));
	return rc;
}

int cr_message_hear(int socket, struct cr_message *message, int *fds)
{
	int rc = cr_message_receive(socket, message, fds, 0);

	if (rc == -ETIMEDOUT || rc == -EBADMSG)
		return 0;
	return rc ? rc : 1;
}

int cr_setup_send(int socket, const struct cr_setup *setup)
{
	struct iovec iov = { (void *)setup, sizeof(*setup) };
	struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };

	return send_packet(socket, &header);
}

int cr_setup_receive(int socket, struct cr_setup *setup, int timeout_ms)
{
	int fds[CR_MESSAGE_FDS_MAX];
	int rc;

	cr_message_no_fds(fds);
	rc = receive_packet(socket, setup, sizeof(*setup), fds, timeout_ms);
	cr_message_close_fds(fds);
	if (rc)
		return rc;
	return setup->size == sizeof(*setup) ? 0 : -EBADMSG;
}
