#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# mpi_nodes_ofi.sh - ranks of Open MPI on two nodes that talk by libfabric (TCP)
# are moved to two others; every byte that they get is checked
NODES=4
source "$(dirname "$0")/mpi_lib.sh"

use_ofi
stress_nodes
