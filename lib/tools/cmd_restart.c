/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd_restart.c - cr restart: make a saved tree run again
 *
 * A tree that was saved in namespaces of its own gets new ones; another gets
 * its old pids among ours, if they are free and root wants it.  This command
 * stays as parent of the tree's roots and ends as the first root ends.
 */
#include <argp.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "cr_image.h"
#include "cr_namespace.h"
#include "cr_restart.h"
#include "image_wire.h"
#include "rootless.h"
#include "supervise.h"

#define NUMBER_MAX 1000000

enum {
	OPTION_WORKERS = 256,
	OPTION_TIMEOUT,
	OPTION_IN_PLACE,
	OPTION_VDSO,
	OPTION_ENGINE
};

struct arguments {
	const char *image;
	int detach;
	int in_place;
	int is_rootless;
	struct cr_restart_options restart;
};

static const struct argp_option options[] = {
	{ "detach", 'd', NULL, 0, "return as soon as the tree runs", 0 },
	{ "in-place", OPTION_IN_PLACE, NULL, 0,
	  "use this shell's namespaces even if the tree had its own", 0 },
	{ "timeout", OPTION_TIMEOUT, "SECONDS", 0,
	  "give up after this time (60, and more for large images)", 0 },
	{ "workers", OPTION_WORKERS, "N", 0, "threads that read memory", 0 },
	{ "engine", OPTION_ENGINE, "auto|user|kernel", 0,
	  "who reads the memory: the tasks themselves (default), or the kernel's "
	  "module",
	  0 },
	{ "foreign-vdso", OPTION_VDSO, NULL, OPTION_HIDDEN, NULL, 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case 'd':
		arguments->detach = 1;
		return 0;
	case OPTION_IN_PLACE:
		arguments->in_place = 1;
		return 0;
	case OPTION_TIMEOUT:
		arguments->restart.timeout_ms =
			cr_command_number(arg, NUMBER_MAX, state) * 1000;
		return 0;
	case OPTION_WORKERS:
		arguments->restart.nr_workers =
			cr_command_number(arg, NUMBER_MAX, state);
		return 0;
	case OPTION_ENGINE:
		arguments->restart.engine = cr_command_engine(arg, state);
		return 0;
	case OPTION_VDSO:
		arguments->restart.foreign_vdso = 1;
		return 0;
	case ARGP_KEY_ARG:
		if (arguments->image)
			argp_usage(state);
		arguments->image = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_usage(state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "IMAGE",
	.doc = "Restart the process tree that IMAGE holds.\vEnds as the "
	       "program ends; with 128 + signal if one killed it.",
};

/* Clocks and namespace as the image wants them. */
static int make_world(struct cr_image *image, struct arguments *arguments,
		      struct cr_namespace *ns, struct cr_error *err)
{
	struct cr_record record;
	struct cr_wire_head head;
	int rc;

	rc = cr_image_next(image, &record, 0, err);
	if (rc < 0)
		return rc;
	memcpy(&head, record.payload, sizeof(head));
	/* an ordinary user can choose no pid among the node's */
	if (arguments->is_rootless && arguments->in_place)
		return cr_error_set(err, -EPERM, "--in-place takes root");
	if (!arguments->is_rootless &&
	    (!(head.flags & CR_HEAD_F_PIDNS) || arguments->in_place))
		return cr_namespace_clocks(head.monotonic_ns, head.boottime_ns,
					   err);
	rc = cr_namespace_create(CR_NAMESPACE_DIES_WITH_CALLER,
				 head.monotonic_ns, head.boottime_ns, ns, err);
	if (!rc)
		arguments->restart.namespace_fd = ns->init_fd;
	return rc;
}

static int restart_tree(struct arguments *arguments, struct cr_namespace *ns,
			pid_t *rootp, struct cr_error *err)
{
	struct cr_restart_root root = { .stream = { 0, 1, 2 } };
	struct cr_restart_result result = { 0 };
	struct cr_image *image = NULL;
	int rc;

	rc = cr_rootless_begin(err);
	arguments->is_rootless = rc > 0;
	if (rc >= 0)
		rc = cr_image_open(AT_FDCWD, arguments->image, &image, err);
	if (!rc)
		rc = make_world(image, arguments, ns, err);
	if (rc < 0)
		goto out;
	/* once more from the start: the head has been read */
	cr_image_close(image);
	image = NULL;
	rc = cr_image_open(AT_FDCWD, arguments->image, &image, err);
	if (rc < 0)
		goto out;
	arguments->restart.roots = &root;
	arguments->restart.nr_roots = 1;
	rc = cr_restart(image, &arguments->restart, &result, err);
	if (!rc && result.nr_roots)
		*rootp = result.roots[0].pid;
	free(result.roots);
out:
	cr_image_close(image);
	return rc;
}

/* Go on in the background; the parent hears of the start through a pipe. */
static int detach(int *fdp)
{
	int fds[2], code = CR_EXIT_FAILED;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		setsid();
		*fdp = fds[1];
		return 0;
	}
	close(fds[1]);
	if (pid < 0 || read(fds[0], &code, sizeof(code)) != sizeof(code))
		code = CR_EXIT_FAILED;
	exit(code);
}

static void started(int fd, int code, pid_t root)
{
	if (fd < 0)
		return;
	if (code == CR_EXIT_OK)
		printf("%d\n", root);
	fflush(stdout);
	if (write(fd, &code, sizeof(code)) < 0)
		perror("cr");
	close(fd);
}

int cmd_restart(int argc, char **argv)
{
	struct cr_namespace ns = CR_NAMESPACE_NONE;
	struct arguments arguments = { 0 };
	struct cr_error err = { 0 };
	int code, report = -1;
	pid_t root = 0;

	argp_err_exit_status = CR_EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	if (arguments.detach && detach(&report) < 0)
		return CR_EXIT_FAILED;
	cr_supervise_begin();
	if (restart_tree(&arguments, &ns, &root, &err) < 0) {
		code = cr_command_fail(&err);
		started(report, code, 0);
	} else {
		started(report, CR_EXIT_OK, root);
		code = cr_supervise(root);
	}
	cr_namespace_destroy(&ns);
	return code;
}
