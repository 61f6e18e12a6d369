# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-or-later
# water.sh - make topol.tpr of a box of water for GROMACS, here
set -eu

cat >topol.top <<END
#include "oplsaa.ff/forcefield.itp"
#include "oplsaa.ff/spc.itp"
[ system ]
water
[ molecules ]
END
cat >md.mdp <<END
integrator = md
dt = 0.001
nsteps = 400
nstxout = 100
nstvout = 100
nstenergy = 20
cutoff-scheme = Verlet
coulombtype = PME
rcoulomb = 0.9
rvdw = 0.9
gen-vel = yes
gen-temp = 300
gen-seed = 4711
constraints = h-bonds
END
{
	gmx solvate -cs spc216.gro -box 3.6 3.6 3.6 -p topol.top -o water.gro
	gmx grompp -f md.mdp -c water.gro -p topol.top -o topol.tpr -maxwarn 2
} >prepared 2>&1 || { tail -n 20 prepared; exit 1; }
rm -f prepared mdout.mdp water.gro
