// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cmd_inspect.c - cr inspect: show what an image holds
 *
 * Loading checks everything but the memory's contents; --verify reads those
 * too.
 */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "inspect.h"

struct arguments {
	const char *image;
	int json;
	int maps;
	int verify;
};

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "Print JSON, for programs", 0 },
	{ "maps", 'm', NULL, 0, "Show the memory maps of every task too", 0 },
	{ "verify", 'v', NULL, 0,
	  "Read all memory and check it, before anything is shown", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case 'j':
		arguments->json = 1;
		return 0;
	case 'm':
		arguments->maps = 1;
		return 0;
	case 'v':
		arguments->verify = 1;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 0)
			argp_error(state, "one image at a time");
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
	.doc = "Show what IMAGE holds: tasks, memory, files, descriptors.  "
	       "IMAGE may be - for standard input.\vEnds with 4 if the image "
	       "is damaged, cut short or too new.",
};

static int open_image(const char *name, struct cr_image **imagep,
		      struct cr_error *err)
{
	int fd, rc;

	if (strcmp(name, "-") != 0)
		return cr_image_open(AT_FDCWD, name, imagep, err);
	fd = dup(STDIN_FILENO);
	if (fd < 0)
		return cr_error_errno(err, "standard input");
	rc = cr_image_open_fd(fd, imagep, err);
	if (rc)
		close(fd);
	return rc;
}

static int is_seekable(const struct cr_image *image, uint64_t *bytes)
{
	struct stat stat;

	*bytes = 0;
	if (fstat(cr_image_fd(image), &stat) || !S_ISREG(stat.st_mode))
		return 0;
	*bytes = (uint64_t)stat.st_size;
	return 1;
}

static int verify(const char *name, struct cr_error *err)
{
	static char label[] = "checking";
	struct cr_record record;
	struct cr_image *image;
	uint64_t bytes;
	int rc = open_image(name, &image, err);

	if (rc)
		return rc;
	if (!is_seekable(image, &bytes))
		rc = cr_error_set(err, -ESPIPE,
				  "only a file can be read twice, which "
				  "--verify does");
	else
		while ((rc = cr_image_next(image, &record, 1, err)) > 0)
			cr_command_progress(label, record.offset + 1, bytes);
	if (!rc)
		cr_command_progress(label, bytes, bytes);
	cr_image_close(image);
	return rc ? cr_error_prefix(err, "%s", name) : 0;
}

static int show(const struct arguments *arguments, struct cr_error *err)
{
	struct inspect inspect = { .name = arguments->image,
				   .show_maps = arguments->maps };
	struct cr_saved *saved = NULL;
	int rc = open_image(arguments->image, &inspect.image, err);

	if (rc)
		return rc;
	is_seekable(inspect.image, &inspect.file_bytes);
	rc = cr_saved_load(inspect.image, &saved, err);
	if (rc) {
		cr_error_prefix(err, "%s", arguments->image);
		goto out;
	}
	inspect.saved = saved;
	if (!arguments->json)
		cr_inspect_text(&inspect);
	else if (cr_inspect_json(&inspect))
		rc = cr_error_set(err, -ENOMEM, "no memory for JSON");
	if (!rc && (fflush(stdout) || ferror(stdout)))
		rc = cr_error_errno(err, "standard output");
out:
	cr_saved_free(saved);
	cr_image_close(inspect.image);
	return rc;
}

int cmd_inspect(int argc, char **argv)
{
	struct arguments arguments = { 0 };
	struct cr_error err = { 0 };
	int rc = 0;

	argp_err_exit_status = CR_EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	if (arguments.verify)
		rc = verify(arguments.image, &err);
	if (!rc)
		rc = show(&arguments, &err);
	return rc ? cr_command_fail(&err) : CR_EXIT_OK;
}
