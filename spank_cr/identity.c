/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * identity.c - a text that tells one srun from another; see identity.h
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "identity.h"

/* FNV-1a: no secret, no enemy, just distinct */
#define HASH_BEGIN 14695981039346656037ull
#define HASH_PRIME 1099511628211ull

static uint64_t hash(uint64_t so_far, const void *data, size_t length)
{
	const unsigned char *byte = data;

	while (length--)
		so_far = (so_far ^ *byte++) * HASH_PRIME;
	return so_far;
}

static uint64_t hash_command_line(uint64_t so_far)
{
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	char buffer[4096];
	ssize_t n;

	if (fd < 0)
		return so_far;
	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		so_far = hash(so_far, buffer, (size_t)n);
	close(fd);
	return so_far;
}

static uint64_t hash_link(uint64_t so_far, const char *path)
{
	char target[4096];
	ssize_t n = readlink(path, target, sizeof(target));

	return n > 0 ? hash(so_far, target, (size_t)n) : so_far;
}

static uint64_t hash_stream(uint64_t so_far, int fd)
{
	char path[32], kind = '-';
	struct stat st;

	if (fstat(fd, &st) < 0)
		return hash(so_far, &kind, 1);
	kind = (char)((st.st_mode & S_IFMT) >> 12);
	so_far = hash(so_far, &kind, 1);
	/* a here-document's file has no name that comes again */
	if (!S_ISREG(st.st_mode) || st.st_nlink == 0)
		return so_far;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return hash_link(so_far, path);
}

/* Differs from run to run, or by node, without meaning anything. */
static int is_volatile(const char *variable)
{
	static const char *const prefixes[] = {
		"SLURM",   "SPANK_", "HOSTNAME=", "HOST=",
		"TMPDIR=", "_=",     "SHLVL=",	  "ENVIRONMENT="
	};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
		if (!strncmp(variable, prefixes[i], strlen(prefixes[i])))
			return 1;
	return 0;
}

/* Whatever the order. */
static uint64_t hash_environment(void)
{
	uint64_t sum = 0;

	for (char **variable = environ; *variable; variable++)
		if (!is_volatile(*variable))
			sum += hash(HASH_BEGIN, *variable, strlen(*variable));
	return sum;
}

void cr_identity_make(char text[CR_IDENTITY_SIZE])
{
	uint64_t place = hash_command_line(HASH_BEGIN);

	place = hash_link(place, "/proc/self/cwd");
	for (int fd = 0; fd < 3; fd++)
		place = hash_stream(place, fd);
	snprintf(text, CR_IDENTITY_SIZE, "%016llx-%016llx",
		 (unsigned long long)place,
		 (unsigned long long)hash_environment());
}

int cr_identity_is_valid(const char *text)
{
	size_t length = 2 * CR_IDENTITY_PLACE + 1;

	return strlen(text) == length &&
	       strspn(text, "0123456789abcdef") == CR_IDENTITY_PLACE &&
	       text[CR_IDENTITY_PLACE] == '-' &&
	       strspn(text + CR_IDENTITY_PLACE + 1, "0123456789abcdef") ==
		       CR_IDENTITY_PLACE;
}

int cr_identity_same_place(const char *a, const char *b)
{
	return *a && *b && !strncmp(a, b, CR_IDENTITY_PLACE);
}
