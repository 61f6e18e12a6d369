/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_fifo.c - a FIFO with a name, data in it, and its two ends in two
 * processes; one that has been removed, with another in its place; and one that
 * has another name now
 */
#include "program.h"

static void writer(void *arg)
{
	int fd = NEED(open("fifo", O_WRONLY));

	(void)arg;
	NEED(write(fd, "before ", 7));
	program_mark("written");
	program_await("check");
	CHECK(write(fd, "after", 5) == 5, "%s", strerror(errno));
}

static int removed, present, renamed;

static void make_others(void)
{
	NEED(mkfifo("removed", 0640));
	removed = NEED(open("removed", O_RDWR));
	NEED(unlink("removed"));
	NEED(mkfifo("removed", 0600));
	present = NEED(open("removed", O_RDWR));
	NEED(mkfifo("name", 0600));
	renamed = NEED(open("name", O_RDWR));
	NEED(link("name", "other"));
	NEED(unlink("name"));
	NEED(write(removed, "gone", 4));
	NEED(write(present, "here", 4));
	NEED(write(renamed, "name", 4));
}

static void check_one(int fd, const char *wanted, nlink_t nr_links, mode_t mode)
{
	char got[8] = "";
	struct stat st;

	CHECK(read(fd, got, 7) == 4 && !strcmp(got, wanted), "read `%s'", got);
	NEED(fstat(fd, &st));
	CHECK(S_ISFIFO(st.st_mode) && (st.st_mode & 07777) == mode,
	      "%s: mode %o", wanted, st.st_mode);
	CHECK(st.st_nlink == nr_links, "%s: %d names", wanted,
	      (int)st.st_nlink);
}

int main(int argc, char **argv)
{
	char got[32] = "";
	ssize_t nr, length = 0;
	pid_t pid;
	int fd;

	program_start(argc, argv);
	NEED(mkfifo("fifo", 0600));
	pid = program_child(writer, NULL);
	fd = NEED(open("fifo", O_RDONLY));
	program_await("written");
	make_others();

	program_ready();

	program_join(pid);
	while ((nr = read(fd, got + length, 31 - (size_t)length)) > 0)
		length += nr;
	check_one(removed, "gone", 0, 0640);
	check_one(present, "here", 1, 0600);
	check_one(renamed, "name", 1, 0600);
	CHECK(nr == 0 && strcmp(got, "before after") == 0, "read `%s'", got);
	return program_result();
}
