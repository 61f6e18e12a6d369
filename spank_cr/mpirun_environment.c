/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mpirun_environment.c - Slurm's variables of the batch script, for its mpirun
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mpirun.h"

static int is_slurms(const char *variable)
{
	return !strncmp(variable, "SLURM_", 6);
}

/* What srun would take for options, and what tells an mpirun how many ranks
 * there are to be. */
static int is_of_step(const char *variable)
{
	return is_slurms(variable) && strncmp(variable, "SLURM_JOB", 9) &&
	       strncmp(variable, "SLURM_CONF=", 11);
}

static void unset_all(int (*is_meant)(const char *variable))
{
	char name[256];

	for (char **i = environ; *i;) {
		const size_t length = strcspn(*i, "=");

		if (!is_meant(*i) || length >= sizeof(name)) {
			i++;
			continue;
		}
		memcpy(name, *i, length);
		name[length] = '\0';
		unsetenv(name);
		i = environ;
	}
}

int mpirun_environment_put_aside(void)
{
	char *all = NULL;
	size_t size;
	FILE *file = open_memstream(&all, &size);
	int rc = 0;

	if (!file)
		return -errno;
	for (char **i = environ; *i; i++)
		if (is_slurms(*i) && !strchr(*i, '\n'))
			fprintf(file, "%s\n", *i);
	if (fclose(file) || setenv(MPIRUN_SAVED_VARIABLE, all, 1))
		rc = -errno;
	else
		unset_all(is_of_step);
	free(all);
	return rc;
}

void mpirun_environment_put_back(void)
{
	const char *saved = getenv(MPIRUN_SAVED_VARIABLE);
	char *text = saved ? strdup(saved) : NULL, *at = text, *variable;

	if (!text)
		return;
	unset_all(is_slurms);
	while ((variable = strsep(&at, "\n")))
		if (*variable)
			putenv(variable);
	unsetenv(MPIRUN_SAVED_VARIABLE);
}
