/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_unlinked.c - open files without a name: one that was unlinked, one made
 * with O_TMPFILE, one whose name has gone to another file; with holes
 */
#include "program.h"

#define LENGTH (100 * PROGRAM_PAGE)

static int is_right(int fd, const char *what)
{
	static char got[LENGTH];
	struct stat st = { 0 };

	CHECK(fstat(fd, &st) == 0 && st.st_size == LENGTH, "%s: size %lld",
	      what, (long long)st.st_size);
	CHECK(st.st_nlink == 0, "%s: has %lu names", what,
	      (unsigned long)st.st_nlink);
	CHECK((st.st_mode & 07777) == 0640, "%s: mode %o", what, st.st_mode);
	CHECK(lseek(fd, 0, SEEK_CUR) == 77, "%s: position", what);
	return pread(fd, got, LENGTH, 0) == LENGTH &&
	       program_filled(got, PROGRAM_PAGE, 3) &&
	       got[50 * PROGRAM_PAGE] == 0 && got[LENGTH - 1] == 'e';
}

static void fill(int fd)
{
	static char page[PROGRAM_PAGE];

	program_fill(page, sizeof(page), 3);
	NEED(fchmod(fd, 0640));
	NEED(pwrite(fd, page, sizeof(page), 0));
	NEED(pwrite(fd, "e", 1, LENGTH - 1));
	NEED(lseek(fd, 77, SEEK_SET));
}

int main(int argc, char **argv)
{
	int unlinked, nameless, replaced;
	char text[16];

	program_start(argc, argv);
	unlinked = NEED(open("unlinked", O_RDWR | O_CREAT, 0640));
	fill(unlinked);
	NEED(unlink("unlinked"));
	nameless = NEED(open(".", O_RDWR | O_TMPFILE, 0640));
	fill(nameless);
	replaced = NEED(open("replaced", O_RDWR | O_CREAT, 0640));
	fill(replaced);
	program_write("new", "new");
	NEED(rename("new", "replaced"));

	program_ready();

	CHECK(is_right(unlinked, "unlinked"), "contents");
	CHECK(is_right(nameless, "O_TMPFILE"), "contents");
	CHECK(is_right(replaced, "replaced"), "contents");
	program_read("replaced", text, sizeof(text));
	CHECK(strcmp(text, "new") == 0, "the new file has `%s'", text);
	CHECK(access("unlinked", F_OK) < 0, "the name is back");
	CHECK(write(unlinked, "w", 1) == 1, "%s", strerror(errno));
	return program_result();
}
