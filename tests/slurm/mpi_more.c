/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mpi_more.c - what fewer programs use of MPI, each round again
 *
 *	mpi_more FEATURE...
 *
 * shared: a window of shared memory; dynamic: one to which memory is attached;
 * file: MPI-IO; spawn: a new process each round; spawned: one for all rounds;
 * accept, accepted: the same with connections by a port's name.  Rounds go on
 * until the file "stop" is in the working directory.  Rank 0 prints "count
 *ROUND TOKEN HOST", as count.c does.
 */
#include <mpi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORDS 512

static int rank, nr_ranks;
static const char *self;

static void check(const char *what, int round, int got, int wanted)
{
	if (got == wanted)
		return;
	fprintf(stderr, "WRONG: rank %d, round %d: %s: %d instead of %d\n",
		rank, round, what, got, wanted);
	MPI_Abort(MPI_COMM_WORLD, 3);
}

static int value(int round, int of, int i)
{
	return round * 7919 + of * 104729 + i * 31;
}

/* ---- windows */

static void shared(int round)
{
	static MPI_Comm node;
	static MPI_Win window;
	static int *own, me, nr;
	int *other, unit, i;
	MPI_Aint size;

	if (!own) {
		MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0,
				    MPI_INFO_NULL, &node);
		MPI_Comm_rank(node, &me);
		MPI_Comm_size(node, &nr);
		MPI_Win_allocate_shared(WORDS * sizeof(int), sizeof(int),
					MPI_INFO_NULL, node, &own, &window);
		MPI_Win_lock_all(MPI_MODE_NOCHECK, window);
	}
	for (i = 0; i < WORDS; i++)
		own[i] = value(round, me, i);
	MPI_Win_sync(window);
	MPI_Barrier(node);
	MPI_Win_sync(window);
	MPI_Win_shared_query(window, (me + 1) % nr, &size, &unit, &other);
	for (i = 0; i < WORDS; i++)
		check("shared window", round, other[i],
		      value(round, (me + 1) % nr, i));
	MPI_Barrier(node);
}

static void dynamic(int round)
{
	static int memory[WORDS], got[WORDS], *begun;
	static MPI_Aint *addresses;
	static MPI_Win window;
	MPI_Aint own;
	int to = (rank + 1) % nr_ranks, i;

	if (!begun) {
		begun = memory;
		addresses = calloc((size_t)nr_ranks, sizeof(*addresses));
		MPI_Win_create_dynamic(MPI_INFO_NULL, MPI_COMM_WORLD, &window);
		MPI_Win_attach(window, memory, sizeof(memory));
		MPI_Get_address(memory, &own);
		MPI_Allgather(&own, 1, MPI_AINT, addresses, 1, MPI_AINT,
			      MPI_COMM_WORLD);
	}
	for (i = 0; i < WORDS; i++)
		got[i] = value(round, rank, i);
	MPI_Win_lock(MPI_LOCK_EXCLUSIVE, to, 0, window);
	MPI_Put(got, WORDS, MPI_INT, to, addresses[to], WORDS, MPI_INT, window);
	MPI_Win_unlock(to, window);
	MPI_Barrier(MPI_COMM_WORLD);
	memset(got, 0, sizeof(got));
	MPI_Win_lock(MPI_LOCK_SHARED, to, 0, window);
	MPI_Get(got, WORDS, MPI_INT, to, addresses[to], WORDS, MPI_INT, window);
	MPI_Win_unlock(to, window);
	for (i = 0; i < WORDS; i++)
		check("dynamic window", round, got[i], value(round, rank, i));
	MPI_Barrier(MPI_COMM_WORLD);
}

/* ---- files */

static void file(int round)
{
	static MPI_File handle;
	static int is_open;
	int words[WORDS], i, other = (rank + 1) % nr_ranks;
	const MPI_Offset length = sizeof(words);
	MPI_Offset base = (MPI_Offset)(round % 16) * nr_ranks * length;

	if (!is_open)
		MPI_File_open(MPI_COMM_WORLD, "mpi_file",
			      MPI_MODE_CREATE | MPI_MODE_RDWR, MPI_INFO_NULL,
			      &handle);
	is_open = 1;
	for (i = 0; i < WORDS; i++)
		words[i] = value(round, rank, i);
	MPI_File_write_at_all(handle, base + rank * length, words, WORDS,
			      MPI_INT, MPI_STATUS_IGNORE);
	MPI_File_sync(handle);
	MPI_Barrier(MPI_COMM_WORLD);
	MPI_File_sync(handle);
	MPI_File_read_at_all(handle, base + other * length, words, WORDS,
			     MPI_INT, MPI_STATUS_IGNORE);
	for (i = 0; i < WORDS; i++)
		check("file", round, words[i], value(round, other, i));
	MPI_Barrier(MPI_COMM_WORLD);
}

/* ---- more processes */

static void talk(MPI_Comm to, int peer, int round)
{
	int got = 0, said = value(round, 1, 1);

	MPI_Send(&said, 1, MPI_INT, peer, 0, to);
	MPI_Recv(&got, 1, MPI_INT, peer, 0, to, MPI_STATUS_IGNORE);
	check("the answer", round, got, said + 1);
}

/* Answer until told to end. */
static int be_spoken_to(MPI_Comm by, int peer)
{
	int got;

	for (;;) {
		MPI_Recv(&got, 1, MPI_INT, peer, 0, by, MPI_STATUS_IGNORE);
		if (got < 0)
			break;
		got++;
		MPI_Send(&got, 1, MPI_INT, peer, 0, by);
	}
	MPI_Comm_disconnect(&by);
	return 0;
}

static void end_talk(MPI_Comm *with, int peer)
{
	int end = -1;

	if (rank == 0)
		MPI_Send(&end, 1, MPI_INT, peer, 0, *with);
	MPI_Comm_disconnect(with);
}

static MPI_Comm start_child(void)
{
	char *argv[] = { "child", NULL };
	MPI_Comm child;

	MPI_Comm_spawn(self, argv, 1, MPI_INFO_NULL, 0, MPI_COMM_WORLD, &child,
		       MPI_ERRCODES_IGNORE);
	return child;
}

static void spawn(int round)
{
	MPI_Comm child = start_child();

	if (rank == 0)
		talk(child, 0, round);
	end_talk(&child, 0);
}

static MPI_Comm spawned_child = MPI_COMM_NULL;

static void spawned(int round)
{
	if (spawned_child == MPI_COMM_NULL)
		spawned_child = start_child();
	if (rank == 0)
		talk(spawned_child, 0, round);
}

/* ---- ports: the last rank and rank 0, each alone */

static MPI_Comm meet(void)
{
	char port[MPI_MAX_PORT_NAME] = "";
	MPI_Comm with = MPI_COMM_NULL;

	if (rank == 0) {
		MPI_Open_port(MPI_INFO_NULL, port);
		MPI_Send(port, sizeof(port), MPI_CHAR, nr_ranks - 1, 1,
			 MPI_COMM_WORLD);
		MPI_Comm_accept(port, MPI_INFO_NULL, 0, MPI_COMM_SELF, &with);
		MPI_Close_port(port);
	} else if (rank == nr_ranks - 1) {
		MPI_Recv(port, sizeof(port), MPI_CHAR, 0, 1, MPI_COMM_WORLD,
			 MPI_STATUS_IGNORE);
		MPI_Comm_connect(port, MPI_INFO_NULL, 0, MPI_COMM_SELF, &with);
	}
	return with;
}

static void meet_and_talk(MPI_Comm with, int round)
{
	int got = 0, said = value(round, rank, 2);

	if (with == MPI_COMM_NULL)
		return;
	MPI_Sendrecv(&said, 1, MPI_INT, 0, 0, &got, 1, MPI_INT, 0, 0, with,
		     MPI_STATUS_IGNORE);
	check("by a port", round, got, value(round, nr_ranks - 1 - rank, 2));
}

static void accept_again(int round)
{
	MPI_Comm with = meet();

	meet_and_talk(with, round);
	if (with != MPI_COMM_NULL)
		MPI_Comm_disconnect(&with);
}

static MPI_Comm accepted_with = MPI_COMM_NULL;

static void accepted(int round)
{
	if (accepted_with == MPI_COMM_NULL)
		accepted_with = meet();
	meet_and_talk(accepted_with, round);
}

static const struct feature {
	const char *name;
	void (*in_round)(int round);
} features[] = {
	{ "shared", shared },	  { "dynamic", dynamic },
	{ "file", file },	  { "spawn", spawn },
	{ "spawned", spawned },	  { "accept", accept_again },
	{ "accepted", accepted },
};

#define NR_FEATURES (sizeof(features) / sizeof(features[0]))

static void one(const char *name, int round)
{
	for (size_t i = 0; i < NR_FEATURES; i++)
		if (!strcmp(features[i].name, name))
			features[i].in_round(round);
	if (getenv("VERBOSE") && rank == 0)
		fprintf(stderr, "%d %s\n", round, name);
}

static int is_told_to_stop(void)
{
	int stop = rank == 0 && access("stop", F_OK) == 0;

	MPI_Bcast(&stop, 1, MPI_INT, 0, MPI_COMM_WORLD);
	return stop;
}

int main(int argc, char **argv)
{
	MPI_Comm parent;
	char host[256] = "";
	int round, i;

	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &nr_ranks);
	MPI_Comm_get_parent(&parent);
	if (parent != MPI_COMM_NULL) {
		be_spoken_to(parent, 0);
		MPI_Finalize();
		return 0;
	}
	self = argv[0];
	for (round = 1; !is_told_to_stop(); round++) {
		for (i = 1; i < argc; i++)
			one(argv[i], round);
		usleep(100000);
		gethostname(host, sizeof(host) - 1);
		if (rank == 0)
			printf("count %d %d %s\n", round, (int)getpid(), host);
		fflush(stdout);
	}
	if (spawned_child != MPI_COMM_NULL)
		end_talk(&spawned_child, 0);
	if (accepted_with != MPI_COMM_NULL)
		MPI_Comm_disconnect(&accepted_with);
	MPI_Finalize();
	return 0;
}
