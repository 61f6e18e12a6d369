/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mpirun.c - cr-mpirun: see mpirun.h, and cr-mpirun(1)
 *
 *	cr-mpirun MPIRUN ARGUMENT...
 *
 * Called by another name, by a link, it is an mpirun: it runs the program of
 * that name that comes next in PATH.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mpi_settings.h"
#include "mpirun.h"

#define NAME "cr-mpirun"
#define LAUNCH "cr-launch"

static void __attribute__((noreturn)) fail(const char *what, const char *why)
{
	fprintf(stderr, NAME ": %s: %s\n", what, why);
	exit(1);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static long number_of(const char *variable)
{
	const char *value = getenv(variable);

	return value ? strtol(value, NULL, 10) : 0;
}

static int is_this_program(const char *path)
{
	struct stat own, st;

	return !stat("/proc/self/exe", &own) && !stat(path, &st) &&
	       st.st_dev == own.st_dev && st.st_ino == own.st_ino;
}

/* The program @name in PATH that is not us; it is never freed. */
static char *find_next(const char *name)
{
	const char *path = getenv("PATH");
	char *folders = strdup(path ? path : "/usr/bin:/bin"), *folder, *found;

	while ((folder = strsep(&folders, ":"))) {
		if (asprintf(&found, "%s/%s", *folder ? folder : ".", name) < 0)
			break;
		if (!access(found, X_OK) && !is_this_program(found))
			return found;
		free(found);
	}
	fail(name, "there is no other program of this name in PATH");
}

/* Of this very program, and of cr-launch beside it. */
static void find_own(char *self, char *launch)
{
	const ssize_t n = readlink("/proc/self/exe", self, PATH_MAX - 1);

	if (n < 0)
		fail("/proc/self/exe", strerror(errno));
	self[n] = '\0';
	if (snprintf(launch, PATH_MAX, "%.*s%s", (int)(base_name(self) - self),
		     self, LAUNCH) >= PATH_MAX ||
	    access(launch, X_OK))
		fail(launch, strerror(errno));
}

/* Open MPI and Hydra (MPICH, and those made of it) by their own settings. */
static void tell_mpi(const char *launch)
{
	setenv("OMPI_MCA_plm", "rsh", 1);
	setenv("OMPI_MCA_plm_rsh_agent", launch, 1);
	/* daemons stay below us, and each has a cr-launch that waits for it */
	setenv("OMPI_MCA_orte_leave_session_attached", "1", 1);
	setenv("OMPI_MCA_plm_rsh_num_concurrent", "65536", 1);
	for (size_t i = 0; i < NR_MPIRUN_SETTINGS; i++)
		setenv(mpirun_settings[i].name, mpirun_settings[i].value, 0);
	if (number_of("SLURM_NTASKS") <= MPI_PRECONNECT_MAX)
		setenv(MPI_PRECONNECT, "1", 0);
	setenv("HYDRA_LAUNCHER", "rsh", 1);
	setenv("HYDRA_LAUNCHER_EXEC", launch, 1);
}

static void __attribute__((noreturn))
start_step(long nr_nodes, const char *self, char **argv, int argc)
{
	char nodes[32], tasks[32];
	char *options[] = { "srun",
			    nodes,
			    tasks,
			    "--ntasks-per-node=1",
			    "--mpi=none",
			    "--cpu-bind=none",
			    "--input=0",
			    "--overlap",
			    "--kill-on-bad-exit=1",
			    (char *)self,
			    MPIRUN_NODE_OPTION };
	const size_t nr = sizeof(options) / sizeof(*options);
	char **all = calloc(nr + (size_t)argc + 1, sizeof(*all));

	if (!all)
		fail("srun", strerror(errno));
	snprintf(nodes, sizeof(nodes), "--nodes=%ld", nr_nodes);
	snprintf(tasks, sizeof(tasks), "--ntasks=%ld", nr_nodes);
	memcpy(all, options, sizeof(options));
	memcpy(all + nr, argv, (size_t)argc * sizeof(*argv));
	execvp("srun", all);
	fail("srun", strerror(errno));
}

int main(int argc, char **argv)
{
	static char self[PATH_MAX], launch[PATH_MAX];
	const int is_link = strcmp(base_name(argv[0]), NAME) != 0;
	const long nr_nodes = number_of("SLURM_JOB_NUM_NODES");
	int rc;

	if (!is_link && argc > 2 && !strcmp(argv[1], MPIRUN_NODE_OPTION))
		return mpirun_node(argv + 2);
	if (is_link) {
		argv[0] = find_next(base_name(argv[0]));
	} else {
		argv++;
		argc--;
	}
	if (argc < 1 || argv[0][0] == '-') {
		fprintf(stderr, "usage: " NAME " MPIRUN ARGUMENT...\n");
		return 2;
	}
	/* one node: its mpirun is in the script's own tree; and not twice */
	if (nr_nodes > 1 && !getenv(MPIRUN_STEP_VARIABLE)) {
		find_own(self, launch);
		tell_mpi(launch);
		rc = mpirun_environment_put_aside();
		if (rc)
			fail("environment", strerror(-rc));
		start_step(nr_nodes, self, argv, argc);
	}
	execvp(argv[0], argv);
	fail(argv[0], strerror(errno));
}
