/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * socket_options.c - socket options that sockets of all families have
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "socket_options.h"

int cr_socket_set_int(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ?
		       -errno :
		       0;
}

uint64_t cr_socket_get_timeout(int fd, int option)
{
	struct timeval time = { 0 };
	socklen_t length = sizeof(time);

	if (getsockopt(fd, SOL_SOCKET, option, &time, &length) < 0)
		return 0;
	return (uint64_t)time.tv_sec * 1000000u + (uint64_t)time.tv_usec;
}

void cr_socket_set_timeout(int fd, int option, uint64_t time_us)
{
	struct timeval time = { .tv_sec = (time_t)(time_us / 1000000),
				.tv_usec = (suseconds_t)(time_us % 1000000) };

	if (time_us)
		setsockopt(fd, SOL_SOCKET, option, &time, sizeof(time));
}

/* The kernel doubles what it is given (sock_setsockopt(), socket(7)). */
static void set_buffer(int fd, int forced, int option, uint32_t size)
{
	const int half = (int)(size / 2);

	if (cr_socket_set_int(fd, SOL_SOCKET, forced, half) < 0)
		cr_socket_set_int(fd, SOL_SOCKET, option, half);
}

void cr_socket_set_buffers(int fd, uint32_t send_size, uint32_t receive_size)
{
	set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, send_size);
	set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, receive_size);
}
