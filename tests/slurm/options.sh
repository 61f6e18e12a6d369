#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# options.sh - bad values are refused with a sentence, and help tells the good;
# installed as the readme says, the plugin and its agent are found
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

prefix=/var/tmp/spank_cr-$LAB_NAME/prefix
cmake --install "$build" --prefix "$prefix" >"$work/installed"
for page in man1/cr.1 man1/cr-mpirun.1 man8/spank_cr.8; do
	[ -e "$prefix/share/man/$page" ] || fail "$page is not installed"
done
cp "$prefix/share/spank_cr/slurm.conf.d/plugstack-spank_cr.conf" \
	"$shared/../etc/plugstack.conf"
submit_count "-n 40" -p low
await_count 5
node=$(field NodeList)
exe=$(lab exec "$node" readlink "/proc/$(agents "$node" | head -n 1)/exe")
[ "$exe" = "$prefix/libexec/spank_cr/spank_cr-agent" ] ||
	fail "the agent is $exe"
requeue
await 60 "restart" restarts_are 1
await_end COMPLETED
check_output 40
