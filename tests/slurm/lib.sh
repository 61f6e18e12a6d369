# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# lib.sh - what the end-to-end tests share
#
# A test is a bash script that sources this file, and ends with 0 (passed), 77
# (cannot run here, and says why) or anything else.  It boots a lab of its own;
# with LAB_NAME set it uses that one, which must be up.  It finds in
#	$work	its own folder below /shared, as this machine sees it
#	$job	the job it submitted last
# When it has passed, every node is idle again: no test may drain one.
set -euo pipefail

test_name=${test_name:-$(basename "$0" .sh)}
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${BUILD_DIR:-$top/build}
own_lab=
if [ -z "${LAB_NAME:-}" ]; then
	own_lab=yes
	LAB_NAME=${LAB_PREFIX:-t}${test_name//_/}
	LAB_NAME=${LAB_NAME:0:16}
fi
export LAB_NAME
shared=/var/tmp/spank_cr-$LAB_NAME/shared
work=$shared/$test_name
programs=/run/spank_cr/tests/slurm
count=$programs/count
job=

lab()
{
	"$top/scripts/lab" "$@"
}

user() # COMMAND...: as the ordinary user on the head
{
	lab as labuser head "$@"
}

root() # COMMAND...: as root on the head
{
	lab exec head "$@"
}

fail()
{
	echo "FAILED: $*" >&2
	exit 1
}

skip()
{
	echo "SKIPPED: $*"
	exit 77
}

say()
{
	echo "$(date +%T) $*"
}

# await SECONDS WHAT COMMAND...: fail unless COMMAND succeeds in time
await()
{
	local seconds=$1 what=$2 end
	shift 2
	end=$((SECONDS + seconds))
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || fail "no $what after $seconds s"
		sleep 0.2
	done
}

# --- jobs -------------------------------------------------------------------

# submit OPTION...: sbatch the script on standard input; sets $job
submit()
{
	step=
	cat >"$work/script"
	job=$(user sbatch --parsable --chdir="/shared/$test_name" \
		--output=%j.out "$@" "/shared/$test_name/script")
	say "job $job submitted: sbatch $*"
}

# submit_count "COUNT-OPTIONS" OPTION...: a batch script that counts
submit_count()
{
	local options=$1
	shift
	submit "$@" <<-EOF
	#!/bin/bash
	$count $options
	EOF
}

field() # NAME [JOB]: a field of the job's record
{
	root scontrol show job -o "${2:-$job}" | tr ' ' '\n' |
		sed -n "s/^$1=//p" | head -n 1
}

output() # [JOB]
{
	echo "$work/${1:-$job}.out"
}

state_is() # STATE [JOB]
{
	[ "$(field JobState "${2:-$job}")" = "$1" ]
}

restarts_are() # NUMBER [JOB]
{
	[ "$(field Restarts "${2:-$job}")" = "$1" ]
}

# The highest number in the job's output.
counted() # [FILE]
{
	[ -e "${1:-$(output)}" ] || { echo 0; return; }
	awk '$1 == "count" && $2 > max { max = $2 } END { print max + 0 }' \
		"${1:-$(output)}"
}

has_counted() # NUMBER [FILE]
{
	[ "$(counted "${2:-$(output)}")" -ge "$1" ]
}

await_count() # NUMBER
{
	await 60 "line 'count $1' in the output" has_counted "$1"
	say "job $job has counted to $(counted) on $(field NodeList)"
}

await_end() # STATE [SECONDS]
{
	await "${2:-90}" "state $1 of job $job" job_is_over
	state_is "$1" || fail "job $job is $(field JobState), not $1"
}

job_is_over()
{
	case $(field JobState) in
	'') false ;; # slurmctld has not answered
	PENDING | RUNNING | COMPLETING | CONFIGURING | SUSPENDED | REQUEUED) false ;;
	esac
}

# check_output LAST [FILE]: one program wrote all lines from 1 to LAST
check_output()
{
	awk -v last="$1" '
	$1 != "count" || bad { next }
	!token { token = $3 }
	$3 != token { bad = "another program wrote after " n }
	$2 != ++n && !bad { bad = "after " n - 1 " comes " $2 }
	END {
		if (!bad && n != last)
			bad = "last line is " n + 0 " and not " last
		print bad
		exit bad != ""
	}' "${2:-$(output)}" >"$work/check" || fail "$(cat "$work/check")"
	say "output is complete: 1 to $1 by one program"
}

# check_moved [FILE]: it has written on two nodes or more
check_moved()
{
	local hosts
	hosts=$(awk '$1 == "count" && !seen[$4]++ { print $4 }' \
		"${1:-$(output)}" | paste -sd ' ')
	[[ $hosts == *" "* ]] || fail "all lines were written on $hosts"
	say "it ran on $hosts"
}

check_begun_anew() # [FILE]: two programs wrote
{
	local tokens
	tokens=$(awk '$1 == "count" { print $3 }' "${1:-$(output)}" | sort -u)
	[ "$(wc -l <<<"$tokens")" = 2 ] || fail "not begun anew: $tokens"
}

# Occupy the node of $job: it must make way and cannot come back there.
preempt()
{
	local node
	node=$(field NodeList)
	say "a job of partition high takes $node"
	echo 'sleep 300' | sed '1i #!/bin/bash' >"$work/high"
	blocker=$(user sbatch --parsable -p high -w "$node" --output=/dev/null \
		--cr=off "/shared/$test_name/high")
	export blocker
}

requeue()
{
	say "requeue of job $job"
	user scontrol requeue "$job"
}

# --- checkpoints ------------------------------------------------------------

manifests() # [FOLDER]: of this job, or of its $step only, oldest first
{
	{ # what is just being removed is no failure
		find "${1:-$shared/cr}" -type f \
			-path "*/job_$job/${step:-*}/gen_*/manifest.json" \
			-printf '%T@ %p\n' 2>/dev/null || :
	} | sort -n | cut -d' ' -f2-
}

has_generations() # NUMBER [FOLDER]
{
	[ "$(manifests "${2:-$shared/cr}" | wc -l)" -ge "$1" ]
}

check_no_images() # [FOLDER]
{
	local left
	left=$(find "${1:-$shared/cr}" -path "*/job_$job*" 2>/dev/null | head) || :
	[ -z "$left" ] || fail "left files: $left"
}

agents() # NODE: pids as the node sees them
{
	lab exec "$1" pgrep -x spank_cr-agent || :
}

# --- before and after -------------------------------------------------------

all_nodes_are() # STATE
{
	[ "$(root sinfo -h -N -p low -o %t | sort -u)" = "$1" ]
}

queue_is_empty()
{
	[ -z "$(root squeue -h)" ]
}

check_nodes_idle()
{
	await 60 "empty queue" queue_is_empty
	await 60 "idle state of every node ($(root sinfo -h -p low -o '%n %t' |
		paste -sd ,))" all_nodes_are idle
}

show_what_happened()
{
	local file node
	for file in "$work"/*.out "$shared/../nodes"/*/log/spank_cr.log \
		"$shared/../nodes"/*/log/slurmd.log; do
		[ ! -s "$file" ] || { echo "== $file"; tail -n 30 "$file"; }
	done
	for node in $(root sinfo -h -N -p low -o %n | sort -u); do
		echo "== processes on $node"
		lab exec "$node" ps -eLo pid,ppid,tid,stat,wchan:24,args || :
	done
	[ -z "$job" ] || root scontrol show job "$job" |
		grep -E 'JobState|Restarts|NodeList|StartTime='
}

end_jobs()
{
	root scancel --user=labuser --full --signal=KILL 2>/dev/null || :
	root scancel --user=labuser 2>/dev/null || :
}

clean_up()
{
	local code=$?
	trap - EXIT
	[ $code = 0 ] || [ $code = 77 ] || show_what_happened
	end_jobs
	[ $code != 0 ] || (check_nodes_idle) || code=1
	if [ -n "$own_lab" ]; then
		lab down || code=1
	fi
	exit $code
}

prepare()
{
	trap 'exit 130' INT TERM
	if [ -n "$own_lab" ]; then
		trap 'lab down' EXIT
		lab up --nodes "${NODES:-3}" --build "$build"
	fi
	lab status >/dev/null 2>&1 || fail "lab $LAB_NAME is not up"
	grep -q '^required' "$shared/../etc/plugstack.conf" ||
		fail "lab $LAB_NAME was started without the plugin"
	rm -rf "$work"
	user mkdir -p "/shared/$test_name"
	trap clean_up EXIT
}

prepare
