#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# mpirun_link.sh - a link named mpirun that leads to cr-mpirun is before the
# real one in PATH: a script that knows nothing of us runs on three nodes, and
# goes on after a requeue
NODES=3
source "$(dirname "$0")/mpi_lib.sh"

need mpi_stress libopenmpi-dev
user mkdir "/shared/$test_name/bin"
user ln -s /run/spank_cr/bin/cr-mpirun "/shared/$test_name/bin/mpirun"
submit -p low --nodes=3 --ntasks-per-node=1 <<EOS
#!/bin/bash
export OMPI_MCA_pml=ob1 OMPI_MCA_osc=pt2pt PATH=\$PWD/bin:\$PATH
mpirun --oversubscribe -np 3 --map-by ppr:1:node \
	$programs/mpi_stress -s -u 30000
echo "srun ended with \$?"
EOS
await_count 20
requeue
await 90 "restart" restarts_are 1
await_count $(($(counted) + 5))
touch "$work/stop"
await_end COMPLETED 90
check_ended_well
check_output "$(counted)"
