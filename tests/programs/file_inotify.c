/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_inotify.c - inotify watches keep their numbers and tell what happens
 * after restart
 */
#include <sys/inotify.h>

#include "program.h"

int main(int argc, char **argv)
{
	char buffer[4096] __attribute__((aligned(8)));
	const struct inotify_event *event = (const void *)buffer;
	int fd, first, second;
	ssize_t nr;

	program_start(argc, argv);
	NEED(mkdir("one", 0755));
	NEED(mkdir("two", 0755));
	fd = NEED(inotify_init1(IN_NONBLOCK));
	first = NEED(inotify_add_watch(fd, "one", IN_CREATE));
	NEED(inotify_rm_watch(fd, first));
	NEED(read(fd, buffer, sizeof(buffer)));
	second = NEED(inotify_add_watch(fd, "two", IN_CREATE));

	program_ready();

	program_mark("one/file");
	program_mark("two/file");
	nr = read(fd, buffer, sizeof(buffer));
	CHECK(nr >= (ssize_t)sizeof(*event), "%zd, %s", nr, strerror(errno));
	CHECK(event->wd == second && event->mask == IN_CREATE &&
		      strcmp(event->name, "file") == 0,
	      "watch %d mask %#x", event->wd, event->mask);
	return program_result();
}
