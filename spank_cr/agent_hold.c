/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_hold.c - see agent_hold.h; nothing of it is in the agent itself
 */
#include "agent_hold.h"

#ifdef CR_AGENT_HOLD
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FOLDER "/run/hold/"

int agent_hold(const char *point, struct cr_error *err)
{
	char path[64], held[80], text[8] = "";
	int fd;

	snprintf(path, sizeof(path), FOLDER "%s", point);
	snprintf(held, sizeof(held), "%s.held", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (read(fd, text, 4) == 4 && !strncmp(text, "fail", 4)) {
		close(fd);
		return cr_error_set(err, -ENOSPC, "%s: %s", point,
				    strerror(ENOSPC));
	}
	close(fd);
	close(open(held, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	while (access(path, F_OK) == 0)
		usleep(10000);
	unlink(held);
	return 0;
}
#endif
