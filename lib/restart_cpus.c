/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restart_cpus.c - bindings to CPUs, carried over to another allocation
 *
 * A thread that could use the whole allocation may use the whole new one.
 * One that was bound to the n-th CPU of it is bound to the n-th of the new one,
 * in hwloc's logical order, so that neighbours stay neighbours.  Never is a CPU
 * outside the new allocation used.
 */
#include <hwloc.h>
#include <hwloc/glibc-sched.h>
#include <stdlib.h>
#include <string.h>

#include "restart_ctx.h"

#define NR_BITS (16 * 64)

static int is_set(const uint64_t *mask, unsigned int cpu)
{
	return cpu < NR_BITS && (mask[cpu / 64] >> (cpu % 64) & 1);
}

/* CPUs of @allocation in hwloc's logical order, or as numbered. */
static size_t ordered_cpus(const cpu_set_t *allocation, unsigned int *cpus)
{
	hwloc_topology_t topology;
	hwloc_obj_t pu = NULL;
	size_t nr = 0;

	if (hwloc_topology_init(&topology) < 0)
		return 0;
	if (hwloc_topology_load(topology) == 0)
		while ((pu = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_PU,
							pu)) != NULL)
			if (pu->os_index < CPU_SETSIZE &&
			    CPU_ISSET(pu->os_index, allocation))
				cpus[nr++] = pu->os_index;
	hwloc_topology_destroy(topology);
	return nr;
}

static void all_of(const cpu_set_t *allocation, cpu_set_t *to)
{
	memcpy(to, allocation, sizeof(*to));
}

void cr_restart_map_cpus(const struct cr_saved *saved,
			 const cpu_set_t *allocation, const uint64_t *from,
			 cpu_set_t *to)
{
	static unsigned int cpus[CPU_SETSIZE];
	static size_t nr_cpus; /* asked for once in each process */
	const uint64_t *old = saved->head->allocation;
	cpu_set_t own;
	size_t place = 0;
	int is_bound = 0;

	if (!allocation) {
		sched_getaffinity(0, sizeof(own), &own);
		allocation = &own;
	}
	for (unsigned int cpu = 0; cpu < NR_BITS; cpu++)
		if (is_set(old, cpu) && !is_set(from, cpu))
			is_bound = 1;
	if (!is_bound) {
		all_of(allocation, to);
		return;
	}
	if (!nr_cpus)
		nr_cpus = ordered_cpus(allocation, cpus);
	CPU_ZERO(to);
	for (unsigned int cpu = 0; cpu < NR_BITS && nr_cpus; cpu++) {
		if (!is_set(old, cpu))
			continue;
		if (is_set(from, cpu))
			CPU_SET(cpus[place % nr_cpus], to);
		place++;
	}
	if (CPU_COUNT(to) == 0)
		all_of(allocation, to);
}
