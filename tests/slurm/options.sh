#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# options.sh - bad values are refused with a sentence, and help tells the good
source "$(dirname "$0")/lib.sh"

refused() # WORDS COMMAND...
{
	local words=$1 said
	shift
	if said=$("$@" 2>&1); then
		fail "accepted: $*"
	fi
	grep -qF -- "$words" <<<"$said" || fail "$* says: $said"
	echo "$* -> $(grep -F -- "$words" <<<"$said")"
}

for command in srun sbatch salloc; do
	help=$(user $command --help)
	for option in '--cr=' --cr-dir= --cr-interval= --cr-keep=; do
		grep -qF -- "$option" <<<"$help" ||
			fail "$command --help does not know $option"
	done
done
for try in --cr=perhaps --cr-dir=relative --cr-interval=-1 \
	--cr-interval=1x --cr-keep=0 --cr-keep=many; do
	refused "'${try#*=}'" user sbatch "$try" --wrap true
	refused "'${try#*=}'" user srun "$try" true
done
refused "'often'" user env SPANK_CR_INTERVAL=often srun true
user srun --cr=on --cr-dir=/shared/cr --cr-interval=60 --cr-keep=3 true ||
	fail "good values are refused"
