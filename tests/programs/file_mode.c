/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_mode.c - an ordinary user's own files whose mode forbids by now what
 * they are open for: made read-only, as git makes its objects, or without any
 * rights
 */
#include <grp.h>

#include "program.h"

int main(int argc, char **argv)
{
	int object, bare, folder;
	char text[8] = "";

	program_start(argc, argv);
	NEED(setgroups(0, NULL));
	NEED(setresgid(1001, 1001, 1001));
	NEED(setresuid(1001, 1001, 1001));
	object = NEED(open("object", O_RDWR | O_CREAT | O_EXCL, 0444));
	bare = NEED(open("bare", O_RDWR | O_CREAT | O_EXCL, 0600));
	NEED(write(bare, "bare", 4));
	NEED(fchmod(bare, 0));
	NEED(mkdir("folder", 0700));
	folder = NEED(open("folder", O_RDONLY | O_DIRECTORY));
	NEED(fchmod(folder, 0));

	program_ready();

	CHECK(write(object, "x", 1) == 1, "object: %s", strerror(errno));
	CHECK(pread(bare, text, 4, 0) == 4 && !strcmp(text, "bare"), "\"%s\"",
	      text);
	CHECK(open("object", O_RDWR) < 0 && errno == EACCES, "became root");
	CHECK(open("bare", O_RDONLY) < 0 && errno == EACCES, "became root");
	CHECK(fchmod(folder, 0700) == 0, "folder: %s", strerror(errno));
	return program_result();
}
