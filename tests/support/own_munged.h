/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * own_munged.h - a munged for tests, with a key that nobody else has
 *
 * start_munged() and stop_munged() are for cmocka's groups.
 */
#ifndef OWN_MUNGED_H
#define OWN_MUNGED_H

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static char munged_folder[64], munged_socket[96];
static pid_t munged_pid;

static char *path_of(const char *option, const char *name)
{
	char *path = NULL;

	if (asprintf(&path, "%s%s/%s", option, munged_folder, name) < 0)
		abort();
	return path;
}

static void write_key(void)
{
	char *path = path_of("", "key");
	uint8_t key[128];
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0400);

	assert_int_equal(getrandom(key, sizeof(key), 0), sizeof(key));
	assert_int_equal(write(fd, key, sizeof(key)), sizeof(key));
	close(fd);
	free(path);
}

static int start_munged(void **state)
{
	(void)state;
	strcpy(munged_folder, "/tmp/test_seal.XXXXXX");
	assert_non_null(mkdtemp(munged_folder));
	chmod(munged_folder, 0755);
	snprintf(munged_socket, sizeof(munged_socket), "%s/socket",
		 munged_folder);
	write_key();
	munged_pid = fork();
	if (munged_pid == 0) {
		/* the kernel sends SIGHUP to all of an orphaned group that
		 * somebody is stopped in: to CTest's, where it leads a session
		 */
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* CTest waits for all that hold the test's output */
		if (!freopen("/dev/null", "w", stdout) ||
		    !freopen("/dev/null", "w", stderr))
			_exit(126);
		execlp("munged", "munged", "--foreground", "--force",
		       path_of("--key-file=", "key"),
		       path_of("--socket=", "socket"),
		       path_of("--pid-file=", "pid"),
		       path_of("--log-file=", "log"),
		       path_of("--seed-file=", "seed"), NULL);
		_exit(127);
	}
	for (int i = 0; i < 1000 && access(munged_socket, F_OK) < 0; i++)
		usleep(10000);
	return access(munged_socket, F_OK);
}

static int stop_munged(void **state)
{
	char command[128];

	(void)state;
	kill(munged_pid, SIGTERM);
	waitpid(munged_pid, NULL, 0);
	snprintf(command, sizeof(command), "rm -rf %s", munged_folder);
	return system(command);
}

#endif /* OWN_MUNGED_H */
