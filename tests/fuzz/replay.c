// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * replay.c - run a fuzz target on every file of a corpus, without a fuzzer
 *
 * What was once found stays found: a crash here is a regression.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *directory, const char *name)
{
	char path[4096];
	uint8_t *data = NULL;
	long size = -1;
	FILE *file;
	int rc = 0;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "rb");
	if (file && !fseek(file, 0, SEEK_END))
		size = ftell(file);
	if (size >= 0)
		data = malloc((size_t)size + 1);
	if (!data || fseek(file, 0, SEEK_SET) ||
	    fread(data, 1, (size_t)size, file) != (size_t)size) {
		perror(path);
		rc = 1;
	} else {
		LLVMFuzzerTestOneInput(data, (size_t)size);
	}
	if (file)
		fclose(file);
	free(data);
	return rc;
}

int main(int argc, char **argv)
{
	struct dirent *entry;
	int nr = 0, rc = 0;
	DIR *directory = argc == 2 ? opendir(argv[1]) : NULL;

	if (!directory) {
		fprintf(stderr, "usage: %s CORPUS-DIRECTORY\n", argv[0]);
		return 2;
	}
	while (!rc && (entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		rc = replay(argv[1], entry->d_name);
		nr++;
	}
	closedir(directory);
	printf("%d inputs\n", nr);
	/* An empty corpus tests nothing. */
	return rc || nr == 0;
}
