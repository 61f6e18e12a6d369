#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# mpi_pmix.sh - after two restarts ranks ask the PMIx server for what it cannot
# know by itself: values of peers that nobody had asked for, fences, events
source "$(dirname "$0")/mpi_lib.sh"

need pmix_client libpmix-dev
submit_ranks "$programs/pmix_client"
for i in 1 2; do
	await_count $((i * 20))
	move "$i"
done
finish_pmix_client
