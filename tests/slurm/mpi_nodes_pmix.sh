#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# mpi_nodes_pmix.sh - after two restarts ranks of two nodes ask their PMIx
# servers for what only the old ones of both nodes had been told.  (Events stay
# on their node: so they do without us.)
NODES=4
source "$(dirname "$0")/mpi_lib.sh"

need pmix_client libpmix-dev
submit_nodes 2 "$programs/pmix_client"
for i in 1 2; do
	await_count $((i * 10))
	move_nodes "$i" 2
done
finish_pmix_client
