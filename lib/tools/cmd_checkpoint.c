/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd_checkpoint.c - cr checkpoint: save a process tree to an image
 *
 * The tree is ended only when the image is complete and on disk.
 */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "cr_checkpoint.h"
#include "image_wire.h"
#include "rootless.h"
#include "target.h"

enum {
	KEY_KEEP_RUNNING = 1000,
	KEY_COMPRESS,
	KEY_WORKERS,
	KEY_TIMEOUT,
	KEY_TCP,
	KEY_ENGINE,
};

struct arguments {
	pid_t pid;
	int keep_running;
	int is_verbose;
	struct cr_checkpoint_options options;
};

static const struct argp_option option_table[] = {
	{ "output", 'o', "IMAGE", 0, "write the image there", 0 },
	{ "keep-running", KEY_KEEP_RUNNING, NULL, 0,
	  "let the program go on instead of ending it", 0 },
	{ "compress", KEY_COMPRESS, "none|lz4|zstd", 0,
	  "pack the memory (default: none)", 0 },
	{ "workers", KEY_WORKERS, "N", 0,
	  "threads that write memory (default: as many as CPUs)", 0 },
	{ "timeout", KEY_TIMEOUT, "SECONDS", 0,
	  "give up when the tree cannot be stopped so soon (default: 10)", 0 },
	{ "tcp", KEY_TCP, "refuse|close", 0, CR_TARGET_TCP_DOC, 0 },
	{ "engine", KEY_ENGINE, "auto|user|kernel", 0,
	  "who moves the memory: this command, or the kernel's module (default: "
	  "the module where there is one)",
	  0 },
	{ "verbose", 'v', NULL, 0, "tell sizes and times", 0 },
	{ 0 },
};

static int parse_compression(const char *name, struct argp_state *state)
{
	static const char *const names[] = {
		[CR_COMPRESS_NONE] = "none",
		[CR_COMPRESS_LZ4] = "lz4",
		[CR_COMPRESS_ZSTD] = "zstd",
	};

	for (int i = 0; i < 3; i++)
		if (!strcmp(name, names[i]))
			return i;
	argp_error(state, "no such compression: %s", name);
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;
	struct cr_checkpoint_options *options = &arguments->options;

	switch (key) {
	case 'o':
		options->name = arg;
		return 0;
	case 'v':
		arguments->is_verbose = 1;
		return 0;
	case KEY_KEEP_RUNNING:
		arguments->keep_running = 1;
		return 0;
	case KEY_COMPRESS:
		options->compression = parse_compression(arg, state);
		return 0;
	case KEY_WORKERS:
		options->nr_workers = cr_command_number(arg, 64, state);
		return 0;
	case KEY_TIMEOUT:
		options->timeout_ms =
			cr_command_number(arg, 3600, state) * 1000;
		return 0;
	case KEY_ENGINE:
		options->engine = cr_command_engine(arg, state);
		return 0;
	case KEY_TCP:
		options->tcp_close = cr_target_parse_tcp(arg, state);
		return 0;
	case ARGP_KEY_ARG:
		arguments->pid = cr_target_parse_pid(arg, state);
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_usage(state);
		return 0;
	case ARGP_KEY_END:
		if (!options->name)
			argp_error(state, "no image is named: use -o IMAGE");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = option_table,
	.parser = parse,
	.args_doc = "PID -o IMAGE",
	.doc = "Save the process tree of PID, and end it.  If PID is a "
	       "`cr run' or `cr restart', its program is meant.\vWhat cannot "
	       "be saved is named, the exit status is 3, and the program goes "
	       "on.",
};

static void tell(const struct cr_checkpoint *checkpoint)
{
	struct cr_checkpoint_stats stats;

	cr_checkpoint_stats(checkpoint, &stats);
	fprintf(stderr,
		"%u tasks, %u threads; frozen %.3f s (stop %.3f, collect "
		"%.3f, write %.3f, commit %.3f)\n"
		"memory %.1f MiB, zero %.1f, shared copy-on-write %.1f, "
		"stored %.1f (by the kernel %.1f); image %.1f MiB\n",
		stats.nr_tasks, stats.nr_threads, (double)stats.frozen_ns / 1e9,
		(double)stats.freeze_ns / 1e9, (double)stats.collect_ns / 1e9,
		(double)stats.memory_ns / 1e9, (double)stats.commit_ns / 1e9,
		(double)stats.memory_bytes / (1 << 20),
		(double)stats.zero_bytes / (1 << 20),
		(double)stats.cow_shared_bytes / (1 << 20),
		(double)stats.stored_bytes / (1 << 20),
		(double)stats.kernel_bytes / (1 << 20),
		(double)stats.file_bytes / (1 << 20));
}

/* With a copy the tree may go on before the image is on disk; without, it is
 * ended only when it is. */
static int finish(struct cr_checkpoint *checkpoint, int keep_running,
		  struct cr_error *err)
{
	int rc;

	if (keep_running) {
		rc = cr_checkpoint_thaw(checkpoint, err);
		return rc ? rc : cr_checkpoint_commit(checkpoint, err);
	}
	rc = cr_checkpoint_commit(checkpoint, err);
	return rc ? rc : cr_checkpoint_end(checkpoint, err);
}

static void report(void *arg, const struct cr_error *why)
{
	(void)arg;
	fprintf(stderr, "cr: cannot save%s: %s\n",
		why->code == -EAGAIN ? " at the moment" : "", why->text);
}

static int stop_and_look(struct cr_checkpoint *checkpoint, struct cr_error *err)
{
	int rc;

	cr_target_hold_signals(SIG_BLOCK);
	rc = cr_checkpoint_freeze(checkpoint, err);
	if (rc == -EBUSY) { /* a debugger */
		report(NULL, err);
		rc = -EOPNOTSUPP;
	}
	if (rc == 0)
		rc = cr_checkpoint_verdict(checkpoint, report, NULL, err);
	cr_target_hold_signals(SIG_UNBLOCK);
	return rc;
}

int cmd_checkpoint(int argc, char **argv)
{
	struct arguments arguments = {
		.options = { .image_fd = -1,
			     .dirfd = AT_FDCWD,
			     .patience_ms = CR_CHECKPOINT_PATIENCE_MS,
			     .progress = cr_command_progress,
			     .progress_arg = (void *)(uintptr_t) "saving" },
	};
	struct cr_checkpoint *checkpoint = NULL;
	struct cr_error err = { 0 };
	struct cr_root root;
	int rc;

	argp_err_exit_status = CR_EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	rc = cr_target(arguments.pid, &root, &arguments.options, &err);
	if (rc == 0)
		rc = cr_rootless_join(root.pid, &err);
	if (rc == 0)
		rc = cr_checkpoint_open(&arguments.options, &checkpoint, &err);
	if (rc == 0)
		rc = stop_and_look(checkpoint, &err);
	if (rc == -EOPNOTSUPP) {
		cr_checkpoint_close(checkpoint);
		return CR_EXIT_REFUSED;
	}
	if (rc == 0)
		rc = cr_checkpoint_save(checkpoint, &err);
	if (rc == 0)
		rc = finish(checkpoint, arguments.keep_running, &err);
	if (rc == 0 && arguments.is_verbose)
		tell(checkpoint);
	cr_checkpoint_close(checkpoint);
	return rc < 0 ? cr_command_fail(&err) : CR_EXIT_OK;
}
