/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mpi_latency.c - how long a message of eight bytes takes between two ranks
 *
 *	mpi_latency SECONDS
 *
 * Ranks 0 and 1 send it to and fro for so long.  Rank 0 prints the median of
 * batches of twenty rounds and the fastest batch, in nanoseconds one way: the
 * fastest is of a moment at which nobody else wanted the processors.
 */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

#define ROUNDS 20
#define BATCHES_MAX 1000000

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void batch(int rank)
{
	char message[8] = { 0 };

	for (int i = 0; i < ROUNDS; i++) {
		if (rank == 0)
			MPI_Send(message, sizeof(message), MPI_CHAR, 1, 0,
				 MPI_COMM_WORLD);
		MPI_Recv(message, sizeof(message), MPI_CHAR, !rank, 0,
			 MPI_COMM_WORLD, MPI_STATUS_IGNORE);
		if (rank == 1)
			MPI_Send(message, sizeof(message), MPI_CHAR, 0, 0,
				 MPI_COMM_WORLD);
	}
}

/* Returns the number of batches.  Rank 0 says when it is over. */
static int measure(double *nanoseconds, double seconds, int rank)
{
	double first = MPI_Wtime(), begin;
	int nr = 0, go_on = 1;

	while (go_on) {
		begin = MPI_Wtime();
		batch(rank);
		nanoseconds[nr++] = (MPI_Wtime() - begin) / ROUNDS / 2 * 1e9;
		go_on = nr < BATCHES_MAX && MPI_Wtime() - first < seconds;
		MPI_Bcast(&go_on, 1, MPI_INT, 0, MPI_COMM_WORLD);
	}
	return nr;
}

int main(int argc, char **argv)
{
	double seconds = argc == 2 ? atof(argv[1]) : 0;
	double *nanoseconds = calloc(BATCHES_MAX, sizeof(*nanoseconds));
	int nr, rank, nr_ranks;

	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &nr_ranks);
	if (seconds <= 0 || nr_ranks != 2 || !nanoseconds) {
		fprintf(stderr, "usage: mpi_latency SECONDS, on two ranks\n");
		MPI_Abort(MPI_COMM_WORLD, 2);
		return 2;
	}
	batch(rank);
	nr = measure(nanoseconds, seconds, rank);
	qsort(nanoseconds, (size_t)nr, sizeof(*nanoseconds), compare);
	if (rank == 0)
		printf("latency %.1f %.1f\n", nanoseconds[nr / 2],
		       nanoseconds[0]);
	free(nanoseconds);
	MPI_Finalize();
	return 0;
}
