/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ports.h - the ports at which we listen
 *
 * Not of those that the kernel gives unasked (ip_local_port_range, 32768 to
 * 60999 if nobody has changed it): a program to be restarted may have listened
 * at any of them, and must find it free.
 */
#ifndef PORTS_H
#define PORTS_H

#include <sys/socket.h>

#define CR_PORT_FIRST 61000u
#define CR_NR_PORTS 4500u

/*
 * Bind socket @fd to @address, of IPv4 or IPv6, at one of these ports, chosen
 * at random; at one of the kernel's choice if many are taken.  Returns the port
 * or a negative errno.
 */
int cr_ports_bind(int fd, struct sockaddr *address, socklen_t length);

#endif /* PORTS_H */
