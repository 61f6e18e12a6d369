#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# mpirun_bare.sh - a batch script with an mpirun of two nodes, without
# cr-mpirun: it is told at once, by name, that this cannot be saved and what can
NODES=2
source "$(dirname "$0")/mpi_lib.sh"

need mpi_stress libopenmpi-dev
submit -p low --nodes=2 --ntasks-per-node=1 <<EOS
#!/bin/bash
export OMPI_MCA_pml=ob1 OMPI_MCA_osc=pt2pt
mpirun --oversubscribe -np 2 --map-by ppr:1:node \
	$programs/mpi_stress -s -u 30000
EOS
await_count 5
await 30 "advice" grep -q 'cr-mpirun mpirun' "$(output)"
sleep 5
[ "$(grep -c 'cr-mpirun mpirun' "$(output)")" = 1 ] ||
	fail "it is told again and again"
touch "$work/stop"
await_end COMPLETED 60
check_output "$(counted)"
