/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * socket_options.h - socket options that sockets of all families have
 *
 * Private to lib/.
 */
#ifndef SOCKET_OPTIONS_H
#define SOCKET_OPTIONS_H

#include <stdint.h>

/* setsockopt(2) of a number.  Returns 0 or its negative errno. */
int cr_socket_set_int(int fd, int level, int option, int value);

/* SO_RCVTIMEO or SO_SNDTIMEO (@option), microseconds; 0: none, and if it
 * cannot be had. */
uint64_t cr_socket_get_timeout(int fd, int option);
void cr_socket_set_timeout(int fd, int option, uint64_t time_us);

/*
 * Give the buffers of @fd the sizes that getsockopt(2) has told, in bytes.
 * Without CAP_NET_ADMIN over the network namespace there is a limit, which the
 * program had, too.
 */
void cr_socket_set_buffers(int fd, uint32_t send_size, uint32_t receive_size);

#endif /* SOCKET_OPTIONS_H */
