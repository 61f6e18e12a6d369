/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mpi_settings.h - what an MPI is told so that it can be moved
 *
 * In the environment: by the plugin in ranks of srun and in batch scripts, and
 * by cr-mpirun.  What the user says of these counts more.
 */
#ifndef MPI_SETTINGS_H
#define MPI_SETTINGS_H

/*
 * Open MPI makes a connection when it is first needed, to an address that it
 * was told at its start, and takes one only from such an address.  After a move
 * there is nobody there.  So it makes all of them at its start, on several
 * nodes, unless there are too many.
 */
#define MPI_PRECONNECT "OMPI_MCA_mpi_preconnect_mpi"
#define MPI_PRECONNECT_MAX 256 /* ranks: that many connections for each */

struct mpi_setting {
	const char *name, *value;
};

/* For an mpirun, its daemons and their ranks. */
static const struct mpi_setting mpirun_settings[] = {
	/* where Open MPI keeps files that it maps: those of /tmp may be on a
	 * disk, and a node to which the script comes back has those of its
	 * first time there; such leftovers are removed in /dev/shm only
	 * (file_content.c) */
	{ "OMPI_MCA_orte_tmpdir_base", "/dev/shm" },
	/* or 8 MiB of them would be in each image, and left on each node */
	{ "PMIX_MCA_gds", "hash" },
};

#define NR_MPIRUN_SETTINGS (sizeof(mpirun_settings) / sizeof(*mpirun_settings))

#endif /* MPI_SETTINGS_H */
