/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mpirun_holds.c - the first node's connections to the others of its step
 *
 * Each holds its node: that is there until its connection ends.
 */
#include <errno.h>
#include <poll.h>
#include <slurm/slurm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "mpirun.h"

#define RETRY_US 100000

int64_t mpirun_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static int hold_one(struct mpirun_holds *holds, const char *step,
		    const char *host, int64_t deadline, struct cr_error *err)
{
	struct mpirun_order order = { .kind = MPIRUN_HOLD, .command = "" };
	int fd;

	strcpy(order.step, step);
	while ((fd = mpirun_order_give(host, &order, err)) < 0) {
		if (mpirun_now_ms() >= deadline)
			return fd;
		usleep(RETRY_US);
	}
	holds->fds[holds->nr++] = fd;
	return 0;
}

int mpirun_holds_take(struct mpirun_holds *holds, const char *step,
		      int timeout_ms, struct cr_error *err)
{
	const int64_t deadline = mpirun_now_ms() + timeout_ms;
	const char *list = getenv("SLURM_STEP_NODELIST");
	hostlist_t hosts = slurm_hostlist_create(list ? list : "");
	char *host;
	int rc = 0, i = 0;

	holds->nr = 0;
	holds->fds = hosts ? calloc((size_t)slurm_hostlist_count(hosts) + 1,
				    sizeof(*holds->fds)) :
			     NULL;
	if (!holds->fds)
		return cr_error_set(err, -EINVAL, "no list of nodes: %s",
				    list ? list : "");
	while (!rc && (host = slurm_hostlist_shift(hosts))) {
		if (i++)
			rc = hold_one(holds, step, host, deadline, err);
		free(host);
	}
	slurm_hostlist_destroy(hosts);
	return rc;
}

void mpirun_holds_end(const struct mpirun_holds *holds, int timeout_ms)
{
	const int64_t deadline = mpirun_now_ms() + timeout_ms;
	int64_t left;
	char byte;

	for (size_t i = 0; i < holds->nr; i++)
		shutdown(holds->fds[i], SHUT_WR);
	for (size_t i = 0; i < holds->nr; i++) {
		struct pollfd pollfd = { .fd = holds->fds[i],
					 .events = POLLIN };

		do {
			left = deadline - mpirun_now_ms();
			if (left <= 0 || poll(&pollfd, 1, (int)left) <= 0)
				return;
		} while (recv(holds->fds[i], &byte, 1, 0) > 0);
	}
}
