/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_directory.c - an open directory that was read half way, and O_PATH
 * descriptors
 */
#include <dirent.h>

#include "program.h"

#define NR_ENTRIES 2000

static void add(char *seen, const struct dirent *entry)
{
	int n;

	if (entry && sscanf(entry->d_name, "e%d", &n) == 1)
		seen[n]++;
}

int main(int argc, char **argv)
{
	static char seen[NR_ENTRIES];
	struct dirent *entry;
	int path, i, wrong = 0;
	struct stat st;
	char name[32];
	DIR *dir;

	program_start(argc, argv);
	NEED(mkdir("sub", 0755));
	for (i = 0; i < NR_ENTRIES; i++) {
		snprintf(name, sizeof(name), "sub/e%d", i);
		program_mark(name);
	}
	dir = opendir("sub");
	NEED(dir ? 0 : -1);
	for (i = 0; i < NR_ENTRIES / 2; i++)
		add(seen, readdir(dir));
	path = NEED(open("sub/e7", O_PATH));

	program_ready();

	while ((entry = readdir(dir)))
		add(seen, entry);
	for (i = 0; i < NR_ENTRIES; i++)
		wrong += seen[i] != 1;
	CHECK(wrong == 0, "%d entries were not seen just once", wrong);
	CHECK(fchdir(dirfd(dir)) == 0 && access("e0", F_OK) == 0, "fchdir");
	CHECK(fcntl(path, F_GETFL) & O_PATH, "flags %#x", fcntl(path, F_GETFL));
	CHECK(fstat(path, &st) == 0 && S_ISREG(st.st_mode), "O_PATH");
	return program_result();
}
