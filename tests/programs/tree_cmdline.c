/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree_cmdline.c - /proc/self/{cmdline,environ,exe,comm} and the addresses in
 * /proc/self/stat show what they showed; also after the argument area was
 * overwritten, as programs do to set their title
 */
#include "program.h"

struct shown {
	char cmdline[4096], environ[16384], exe[4096], comm[32];
	size_t cmdline_length, environ_length;
	unsigned long at[7]; /* fields 26, 27, 28, 45.. of stat */
};

static void get_addresses(struct shown *now)
{
	char text[1024], *field;
	int i, nr = 0;

	program_read("/proc/self/stat", text, sizeof(text));
	field = strrchr(text, ')');
	for (i = 2; field && i < 52; i++) {
		if (i == 26 || i == 27 || i == 28 || (i >= 48 && i <= 51))
			now->at[nr++] = strtoul(field, NULL, 10);
		field = strchr(field + 1, ' ');
		if (field)
			field++;
	}
}

static void get(struct shown *now)
{
	memset(now, 0, sizeof(*now));
	now->cmdline_length = program_read("/proc/self/cmdline", now->cmdline,
					   sizeof(now->cmdline));
	now->environ_length = program_read("/proc/self/environ", now->environ,
					   sizeof(now->environ));
	program_read("/proc/self/comm", now->comm, sizeof(now->comm));
	NEED(readlink("/proc/self/exe", now->exe, sizeof(now->exe) - 1));
	get_addresses(now);
}

int main(int argc, char **argv)
{
	static struct shown before, after;
	size_t i;

	program_start(argc, argv);
	memset(argv[0], 'T', 5);
	get(&before);

	program_ready();

	get(&after);
	CHECK(before.cmdline_length == after.cmdline_length &&
		      memcmp(before.cmdline, after.cmdline,
			     after.cmdline_length) == 0,
	      "cmdline %s was %s", after.cmdline, before.cmdline);
	CHECK(before.environ_length == after.environ_length &&
		      memcmp(before.environ, after.environ,
			     after.environ_length) == 0,
	      "environ, %zu bytes, were %zu", after.environ_length,
	      before.environ_length);
	CHECK(strcmp(before.exe, after.exe) == 0, "exe %s was %s", after.exe,
	      before.exe);
	CHECK(strcmp(before.comm, after.comm) == 0, "comm %s", after.comm);
	for (i = 0; i < 7; i++)
		CHECK(before.at[i] == after.at[i], "address %zu: %#lx was %#lx",
		      i, after.at[i], before.at[i]);
	return program_result();
}
