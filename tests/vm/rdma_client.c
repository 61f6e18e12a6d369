/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rdma_client.c - has an RDMA device open, and a queue of it mapped, until it
 * is ended
 *
 *	rdma_client READY-FILE
 */
#include <infiniband/verbs.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct ibv_device **devices = ibv_get_device_list(NULL);
	struct ibv_context *context;
	FILE *ready;

	if (argc != 2 || !devices || !devices[0]) {
		fprintf(stderr, "no RDMA device\n");
		return 1;
	}
	context = ibv_open_device(devices[0]);
	if (!context || !ibv_create_cq(context, 16, NULL, NULL, 0)) {
		perror("RDMA device");
		return 1;
	}
	ready = fopen(argv[1], "w");
	if (!ready || fclose(ready) != 0)
		return 1;
	for (;;)
		pause();
}
