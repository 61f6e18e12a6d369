/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mpi_stress.c - an MPI program that checks every byte it is sent
 *
 *	mpi_stress [-n ROUNDS] [-u MICROSECONDS] [-l] [-a ROUND] [-s] [-w]
 *		[-e]
 *
 * Each round: messages around a ring (small ones and ones that need a
 * rendezvous, blocking and not), allreduce, alltoall, broadcast, scan, and
 * puts, gets and sums into windows of the others.  All contents follow from
 * round, sender and receiver.  Rank 0 prints "count ROUND TOKEN HOST", as
 * count.c does; TOKEN is of this run of the program.
 *
 * -l: the ranks form pairs, and members of different pairs do not meet before
 * the file "meet" is in the working directory: only then do they, for the first
 * time, and the rounds follow.  -a: rank 1 calls MPI_Abort(7) in that round.
 * -s: no number of rounds, but until the file "stop" is in the working
 * directory.  -w: windows over memory of its own, not allocated by MPI (where
 * Debian's MPICH 4.0.2 puts into the wrong place).  -e: end without
 * MPI_Finalize (in which that MPICH hangs on several nodes).
 */
#include <mpi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LARGE (192 * 1024) /* words; beyond any eager limit */
#define SMALL 17
#define WINDOW 64

static int rank, nr_ranks;
static uint32_t *out, *in;

static uint32_t value(uint32_t round, int from, int to, uint32_t i)
{
	uint32_t x = round * 2654435761u + (uint32_t)from * 40503u +
		     (uint32_t)to * 9973u + i * 2246822519u;

	x ^= x >> 15;
	return x * 2654435761u ^ x >> 13;
}

static void __attribute__((noreturn))
wrong(const char *what, uint32_t round, int from)
{
	fprintf(stderr, "WRONG: rank %d, round %u: %s from %d\n", rank, round,
		what, from);
	MPI_Abort(MPI_COMM_WORLD, 3);
	_exit(3);
}

static void fill(uint32_t round, int to, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		out[i] = value(round, rank, to, i);
}

static void check(const char *what, uint32_t round, int from, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		if (in[i] != value(round, from, rank, i))
			wrong(what, round, from);
	memset(in, 0, nr * sizeof(*in));
}

static void ring(uint32_t round, uint32_t nr)
{
	const int next = (rank + 1) % nr_ranks;
	const int before = (rank + nr_ranks - 1) % nr_ranks;
	MPI_Request requests[2];
	MPI_Status statuses[2];

	fill(round, next, nr);
	if (round % 2) {
		MPI_Sendrecv(out, (int)nr, MPI_UINT32_T, next, 1, in, (int)nr,
			     MPI_UINT32_T, before, 1, MPI_COMM_WORLD,
			     MPI_STATUS_IGNORE);
	} else {
		MPI_Irecv(in, (int)nr, MPI_UINT32_T, before, 2, MPI_COMM_WORLD,
			  &requests[0]);
		MPI_Isend(out, (int)nr, MPI_UINT32_T, next, 2, MPI_COMM_WORLD,
			  &requests[1]);
		MPI_Waitall(2, requests, statuses);
	}
	check("message", round, before, nr);
}

static void collectives(uint32_t round)
{
	const int root = (int)(round % (uint32_t)nr_ranks);
	uint64_t mine = round + (uint64_t)rank, sum = 0;
	const uint64_t n = (uint64_t)nr_ranks, r = (uint64_t)rank + 1;

	MPI_Allreduce(&mine, &sum, 1, MPI_UINT64_T, MPI_SUM, MPI_COMM_WORLD);
	if (sum != n * round + n * (n - 1) / 2)
		wrong("allreduce", round, -1);
	MPI_Scan(&mine, &sum, 1, MPI_UINT64_T, MPI_SUM, MPI_COMM_WORLD);
	if (sum != r * round + r * (r - 1) / 2)
		wrong("scan", round, -1);
	if (rank == root)
		for (uint32_t i = 0; i < LARGE; i++)
			in[i] = value(round, root, 0, i);
	MPI_Bcast(in, LARGE, MPI_UINT32_T, root, MPI_COMM_WORLD);
	for (uint32_t i = 0; i < LARGE; i++)
		if (in[i] != value(round, root, 0, i))
			wrong("broadcast", round, root);
}

static void alltoall(uint32_t round, uint32_t nr)
{
	for (int to = 0; to < nr_ranks; to++)
		for (uint32_t i = 0; i < nr; i++)
			out[(uint32_t)to * nr + i] = value(round, rank, to, i);
	MPI_Alltoall(out, (int)nr, MPI_UINT32_T, in, (int)nr, MPI_UINT32_T,
		     MPI_COMM_WORLD);
	for (int from = 0; from < nr_ranks; from++)
		for (uint32_t i = 0; i < nr; i++)
			if (in[(uint32_t)from * nr + i] !=
			    value(round, from, rank, i))
				wrong("alltoall", round, from);
}

/* Each puts a row into its next's window, gets it back from the one after
 * that, and adds to a counter of rank 0. */
static void one_sided(uint32_t round, MPI_Win window, uint32_t *memory)
{
	const int next = (rank + 1) % nr_ranks;
	const int before = (rank + nr_ranks - 1) % nr_ranks;
	uint32_t one = 1;

	fill(round, next, WINDOW);
	MPI_Win_fence(0, window);
	MPI_Put(out, WINDOW, MPI_UINT32_T, next, 1, WINDOW, MPI_UINT32_T,
		window);
	MPI_Accumulate(&one, 1, MPI_UINT32_T, 0, 0, 1, MPI_UINT32_T, MPI_SUM,
		       window);
	MPI_Win_fence(0, window);
	memcpy(in, memory + 1, WINDOW * sizeof(*in));
	check("put", round, before, WINDOW);
	if (rank == 0 && memory[0] != (uint32_t)nr_ranks * round)
		wrong("accumulate", round, -1);
	MPI_Get(in, WINDOW, MPI_UINT32_T, next, 1, WINDOW, MPI_UINT32_T,
		window);
	MPI_Win_fence(0, window);
	for (uint32_t i = 0; i < WINDOW; i++)
		if (in[i] != value(round, rank, next, i))
			wrong("get", round, next);
}

/* Pairs only, until the file is there. */
static void meet_later(void)
{
	const int other = rank ^ 1;
	uint32_t round = 0, is_there = 0;

	if (other >= nr_ranks)
		return;
	while (!is_there) {
		uint32_t mine = access("meet", F_OK) == 0, theirs;

		round++;
		fill(round, other, SMALL);
		MPI_Sendrecv(out, SMALL, MPI_UINT32_T, other, 3, in, SMALL,
			     MPI_UINT32_T, other, 3, MPI_COMM_WORLD,
			     MPI_STATUS_IGNORE);
		check("message of a pair", round, other, SMALL);
		MPI_Sendrecv(&mine, 1, MPI_UINT32_T, other, 4, &theirs, 1,
			     MPI_UINT32_T, other, 4, MPI_COMM_WORLD,
			     MPI_STATUS_IGNORE);
		is_there = mine | theirs;
		if (rank == 0 && round == 1) {
			printf("apart\n");
			fflush(stdout);
		}
		usleep(20000);
	}
	if (rank == 0) {
		printf("together\n");
		fflush(stdout);
	}
}

/* All do the same number of rounds. */
static int is_stopped(void)
{
	int stop = rank == 0 && access("stop", F_OK) == 0;

	MPI_Bcast(&stop, 1, MPI_INT, 0, MPI_COMM_WORLD);
	return stop;
}

static void say(uint32_t round, unsigned int token)
{
	char host[64];

	if (rank != 0)
		return;
	gethostname(host, sizeof(host));
	printf("count %u %08x %s\n", round, token, host);
	fflush(stdout);
}

static MPI_Win make_window(int has_own_memory, uint32_t **memoryp)
{
	static uint32_t own[1 + WINDOW];
	MPI_Win window;

	*memoryp = own;
	if (has_own_memory)
		MPI_Win_create(own, sizeof(own), sizeof(uint32_t),
			       MPI_INFO_NULL, MPI_COMM_WORLD, &window);
	else
		MPI_Win_allocate(sizeof(own), sizeof(uint32_t), MPI_INFO_NULL,
				 MPI_COMM_WORLD, memoryp, &window);
	memset(*memoryp, 0, sizeof(own));
	return window;
}

int main(int argc, char **argv)
{
	unsigned int nr_rounds = 100, pause_us = 0, abort_in = 0, token;
	int option, is_late = 0, until_stop = 0, has_own_memory = 0,
		    ends_without = 0;
	uint32_t *memory;
	MPI_Win window;

	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &nr_ranks);
	while ((option = getopt(argc, argv, "n:u:la:swe")) != -1) {
		if (option == 'n')
			nr_rounds = (unsigned int)atoi(optarg);
		else if (option == 'u')
			pause_us = (unsigned int)atoi(optarg);
		else if (option == 'a')
			abort_in = (unsigned int)atoi(optarg);
		else if (option == 's')
			until_stop = 1;
		else if (option == 'e')
			ends_without = 1;
		else if (option == 'w')
			has_own_memory = 1;
		else
			is_late = 1;
	}
	token = (unsigned int)time(NULL) * 2654435761u ^ (unsigned int)getpid();
	out = calloc(LARGE, sizeof(*out));
	in = calloc(LARGE, sizeof(*in));
	if (!out || !in)
		return 2;
	if (is_late)
		meet_later();
	window = make_window(has_own_memory, &memory);
	MPI_Barrier(MPI_COMM_WORLD);
	for (uint32_t round = 1;
	     until_stop ? !is_stopped() : round <= nr_rounds; round++) {
		ring(round, SMALL);
		ring(round, LARGE);
		collectives(round);
		alltoall(round, LARGE / (uint32_t)nr_ranks);
		one_sided(round, window, memory);
		say(round, token);
		if (round == abort_in && rank == 1)
			MPI_Abort(MPI_COMM_WORLD, 7);
		if (pause_us)
			usleep(pause_us);
	}
	MPI_Win_free(&window);
	if (ends_without)
		_exit(MPI_Barrier(MPI_COMM_WORLD) != MPI_SUCCESS);
	MPI_Finalize();
	free(in);
	free(out);
	return 0;
}
