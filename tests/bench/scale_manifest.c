/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * scale_manifest.c - what the lead does with the parts of many nodes
 *
 *	scale_manifest FOLDER NODES...
 *
 * Each node has eight ranks, an address, a connection to a server on node 0 and
 * one to each neighbour in a ring.  A line for each number of nodes:
 *microseconds a node to read a part, to add it, to match all connections, to
 *write the manifest, to read it again and to find what one node is to be told;
 *then the bytes of the manifest a node.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "connections.h"
#include "manifest.h"

#define RANKS 8
#define SERVER_PORT 5000
#define RING_PORT 6000
#define CLIENT_PORT 40000

static int dirfd;

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void need(int rc, const struct cr_error *err)
{
	if (!rc)
		return;
	fprintf(stderr, "%s\n", err->text);
	exit(1);
}

static struct cr_tcp_address address_of(uint32_t node, uint32_t port)
{
	struct cr_tcp_address address = { .port = (uint16_t)port };

	address.ip[10] = address.ip[11] = 0xff;
	address.ip[12] = 10;
	address.ip[13] = (uint8_t)(node >> 16);
	address.ip[14] = (uint8_t)(node >> 8);
	address.ip[15] = (uint8_t)node;
	return address;
}

static void add_end(struct cr_manifest *part, struct cr_tcp_address local,
		    struct cr_tcp_address remote)
{
	part->ends[part->nr_ends++] = (struct cr_manifest_end){
		.node = part->images[0].node,
		.end = { .kind = CR_TCP_END,
			 .vpid = 2,
			 .fd = (uint32_t)(10 + part->nr_ends),
			 .local = local,
			 .remote = remote },
	};
}

static void fill_ends(struct cr_manifest *part, uint32_t node, uint32_t nr)
{
	const uint32_t next = (node + 1) % nr, before = (node + nr - 1) % nr;

	add_end(part, address_of(node, CLIENT_PORT),
		address_of(next, RING_PORT));
	add_end(part, address_of(node, RING_PORT),
		address_of(before, CLIENT_PORT));
	if (node) {
		add_end(part, address_of(node, CLIENT_PORT + 1),
			address_of(0, SERVER_PORT));
		return;
	}
	for (uint32_t i = 1; i < nr; i++)
		add_end(part, address_of(0, SERVER_PORT),
			address_of(i, CLIENT_PORT + 1));
}

static void fill_part(struct cr_manifest *part, uint32_t node, uint32_t nr)
{
	*part = (struct cr_manifest){
		.generation = 1,
		.job = 1,
		.nr_nodes = nr,
		.nr_ranks = nr * RANKS,
		.images = calloc(1, sizeof(*part->images)),
		.nr_images = 1,
		.addresses = calloc(1, sizeof(*part->addresses)),
		.nr_addresses = 1,
		.ends = calloc(nr + 4, sizeof(*part->ends)),
	};
	strcpy(part->command, "program");
	part->images[0].node = node;
	part->images[0].size = 1 << 30;
	snprintf(part->images[0].name, sizeof(part->images[0].name),
		 "node_%u.img", node);
	part->images[0].ranks = calloc(1, 32);
	snprintf(part->images[0].ranks, 32, "%u-%u", node * RANKS,
		 node * RANKS + RANKS - 1);
	part->addresses[0].node = node;
	part->addresses[0].prefix = 8;
	strcpy(part->addresses[0].interface, "eth0");
	part->addresses[0].address = address_of(node, 0);
	fill_ends(part, node, nr);
}

static void write_parts(uint32_t nr)
{
	char name[CR_MANIFEST_NAME_MAX];
	struct cr_error err = { 0 };
	struct cr_manifest part;

	for (uint32_t i = 0; i < nr; i++) {
		fill_part(&part, i, nr);
		cr_manifest_name_part(name, i);
		need(cr_manifest_write_as(dirfd, name, &part, NULL, &err),
		     &err);
		cr_manifest_free(&part);
	}
}

static void gather(struct cr_manifest *whole, uint32_t nr, double us[2])
{
	char name[CR_MANIFEST_NAME_MAX];
	struct cr_error err = { 0 };
	struct cr_manifest part;
	double begin, middle;

	for (uint32_t i = 0; i < nr; i++) {
		begin = now_us();
		cr_manifest_name_part(name, i);
		need(cr_manifest_read_as(dirfd, name, &part, NULL, &err), &err);
		middle = now_us();
		need(cr_manifest_add(whole, &part, &err), &err);
		us[0] += middle - begin;
		us[1] += now_us() - middle;
		cr_manifest_free(&part);
		unlinkat(dirfd, name, 0);
	}
}

static void measure(uint32_t nr)
{
	struct cr_manifest whole = { .generation = 1,
				     .job = 1,
				     .nr_nodes = nr,
				     .nr_ranks = nr * RANKS },
			   again;
	struct cr_error err = { 0 };
	struct cr_tcp_peer *peers;
	double us[7] = { 0 };
	size_t nr_peers;
	struct stat st;

	strcpy(whole.command, "program");
	write_parts(nr);
	gather(&whole, nr, us);
	us[2] = now_us();
	need(cr_connections_check(&whole, &err), &err);
	us[3] = now_us();
	need(cr_manifest_commit(dirfd, &whole, NULL, &err), &err);
	us[4] = now_us();
	need(cr_manifest_read(dirfd, &again, NULL, &err), &err);
	us[5] = now_us();
	need(cr_connections_peers(&again, 0, NULL, 0, &peers, &nr_peers, &err),
	     &err);
	us[6] = now_us();
	fstatat(dirfd, CR_MANIFEST_NAME, &st, 0);
	printf("| %u | %.1f | %.1f |", nr, us[0] / nr, us[1] / nr);
	for (int i = 2; i < 6; i++)
		printf(" %.1f |", (us[i + 1] - us[i]) / nr);
	printf(" %.0f |\n", (double)st.st_size / nr);
	fflush(stdout);
	unlinkat(dirfd, CR_MANIFEST_NAME, 0);
	free(peers);
	cr_manifest_free(&whole);
	cr_manifest_free(&again);
}

int main(int argc, char **argv)
{
	dirfd = argc > 2 ? open(argv[1], O_RDONLY | O_DIRECTORY) : -1;
	if (dirfd < 0) {
		fprintf(stderr, "usage: scale_manifest FOLDER NODES...\n");
		return 2;
	}
	printf("| nodes | read a part | add it | match | write | read again | "
	       "peers of node 0 | bytes |\n| --- | --- | --- | --- | --- | "
	       "--- | --- | --- |\n");
	for (int i = 2; i < argc; i++)
		measure((uint32_t)atoi(argv[i]));
	return 0;
}
