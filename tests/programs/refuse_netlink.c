/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * refuse_netlink.c - a netlink socket in a child is refused, with the child's
 * number
 */
#include <linux/netlink.h>
#include <sys/socket.h>

#include "program.h"

static void child(void *arg)
{
	int fd = NEED(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
	struct sockaddr_nl address = { .nl_family = AF_NETLINK };

	NEED(bind(fd, (void *)&address, sizeof(address)));
	program_expect_refusal(fd);
	program_mark(arg);
	program_await("check");
	CHECK(fcntl(fd, F_GETFD) == 0, "%s", strerror(errno));
}

int main(int argc, char **argv)
{
	pid_t pid;

	program_start(argc, argv);
	pid = program_child(child, "child");
	program_await("child");

	program_ready();

	program_join(pid);
	return program_result();
}
