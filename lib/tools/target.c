/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * target.c - find the tree that a user means; see target.h
 */
#include <argp.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>

#include "target.h"

/* 0 if it is none. */
static pid_t parse_pid(const char *text)
{
	char *end;
	long pid = strtol(text, &end, 10);

	return *end || end == text || pid <= 0 || pid > INT32_MAX ? 0 :
								    (pid_t)pid;
}

void cr_target_hold_signals(int how)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigprocmask(how, &signals, NULL);
}

static int stat_link(pid_t pid, const char *name, struct stat *st)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return stat(path, st);
}

int cr_target_is_same(pid_t a, pid_t b, const char *name)
{
	struct stat left, right;

	return stat_link(a, name, &left) == 0 &&
	       stat_link(b, name, &right) == 0 && left.st_ino == right.st_ino &&
	       left.st_dev == right.st_dev;
}

/* Value of a line of /proc/PID/status: the last number in it. */
static long status_number(pid_t pid, const char *name)
{
	char path[64], line[512], *last;
	size_t length = strlen(name);
	long value = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, name, length) || line[length] != ':')
			continue;
		last = strrchr(line, '\t');
		value = last ? strtol(last, NULL, 10) : -1;
		break;
	}
	fclose(file);
	return value;
}

/* Processes of /proc, one after the other; 0 at the end. */
static pid_t next_process(DIR *dir)
{
	struct dirent *entry;

	while ((entry = readdir(dir))) {
		pid_t pid = parse_pid(entry->d_name);

		if (pid)
			return pid;
	}
	return 0;
}

/* Pid 1 of the PID namespace that @pid is in, or 0. */
static pid_t find_init(pid_t pid)
{
	DIR *dir = opendir("/proc");
	pid_t other;

	if (!dir)
		return 0;
	while ((other = next_process(dir)) > 0)
		if (status_number(other, "NSpid") == 1 &&
		    cr_target_is_same(other, pid, "ns/pid"))
			break;
	closedir(dir);
	return other;
}

/* The only child of a `cr run' or `cr restart' that is no init. */
static pid_t find_program(pid_t pid)
{
	DIR *dir = opendir("/proc");
	pid_t other, found = 0;

	if (!dir)
		return 0;
	while ((other = next_process(dir)) > 0)
		if (status_number(other, "PPid") == pid &&
		    status_number(other, "NSpid") != 1)
			found = other;
	closedir(dir);
	return found;
}

int cr_target(pid_t pid, struct cr_root *root,
	      struct cr_checkpoint_options *options, struct cr_error *err)
{
	memset(root, 0, sizeof(*root));
	root->pid = pid;
	if (status_number(pid, "Pid") < 0)
		return cr_error_set(err, -ESRCH, "no process %d", pid);
	if (cr_target_is_same(pid, getpid(), "exe")) {
		root->pid = find_program(pid);
		if (!root->pid)
			return cr_error_set(err, -ESRCH,
					    "process %d runs no program", pid);
	}
	if (!cr_target_is_same(root->pid, getpid(), "ns/pid")) {
		options->init = find_init(root->pid);
		if (options->init == root->pid)
			return cr_error_set(
				err, -EINVAL,
				"process %d is the first of its PID namespace",
				pid);
	}
	options->roots = root;
	options->nr_roots = 1;
	options->guess_streams = 1;
	return 0;
}

pid_t cr_target_parse_pid(const char *text, struct argp_state *state)
{
	pid_t pid = parse_pid(text);

	if (state->arg_num > 0)
		argp_usage(state);
	if (!pid)
		argp_error(state, "%s is no process id", text);
	return pid;
}

int cr_target_parse_tcp(const char *what, struct argp_state *state)
{
	if (strcmp(what, "close") && strcmp(what, "refuse"))
		argp_error(state, "--tcp is refuse or close, not %s", what);
	return !strcmp(what, "close");
}
