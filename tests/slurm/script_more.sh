#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# script_more.sh - what a script can do to its srun, and around it: it goes on
# after a move, and nothing begins anew or is left stopped
source "$(dirname "$0")/lib.sh"

# A mark that is written twice by a script that begins anew.
begin='echo begun'
jobs=()

ready()
{
	[ "$(grep -cs "^ready$" "$(output)")" = "$1" ]
}

move_all()
{
	for job in "${jobs[@]}"; do
		await 30 "steps" ready 1
	done
	for job in "${jobs[@]}"; do
		requeue
	done
	for job in "${jobs[@]}"; do
		await 60 "restart" restarts_are 1
		await_end COMPLETED
		[ "$(grep -cx begun "$(output)")" = 1 ] ||
			fail "job $job has begun anew"
		! grep -q 'got SIGCONT' "$(output)" || fail "srun was told to go on"
		check_no_images
	done
}

# What a script has left behind runs on under the srun that it has become.
submit -p share -n1 <<EOT2
#!/bin/bash
$begin
(for ((i = 0; i < 40; i++)); do sleep 0.2; done; echo done >beside) &
exec srun bash -c 'echo ready; while [ ! -e beside ]; do sleep 0.2; done'
EOT2
jobs+=("$job")

submit -p share -n1 <<EOT2
#!/bin/bash
$begin
srun bash -c 'read -r a; echo ready; sleep 4; echo "\$a \$(cat)" >here' <<X
one
two
X
EOT2
jobs+=("$job")

# Many words, more than 1 MiB of them, and a high descriptor
submit -p share -n1 <<'EOT2'
#!/bin/bash
ulimit -n 2000
exec 1030<script
for ((i = 0; i < 5000; i++)); do
	export "V$i=$i"
done
x=$(printf '%0100000d' 0)
for ((i = 0; i < 11; i++)); do
	export "LONG$i=$x"
done
echo begun
srun bash -c 'echo ready; sleep 4; echo "$# ${@: -1} $V4999" >words
	while [ ! -e kept ]; do sleep 0.2; done' x {1..5000} &
while [ ! -e words ]; do sleep 0.1; done
readlink "/proc/$!/fd/1030" >kept
wait
EOT2
jobs+=("$job")

# Sites have scripts around srun with its name.
cat >"$work/srun" <<'EOT2'
#!/bin/bash
/usr/bin/srun "$@"
exit $?
EOT2
chmod 755 "$work/srun"
submit -p share -n1 <<EOT2
#!/bin/bash
PATH=.:\$PATH
$begin
srun bash -c 'echo ready; sleep 4; exit 3'
echo "\$?" >wrapped
EOT2
jobs+=("$job")
move_all

[ "$(cat "$work/beside")" = "done" ] || fail "it did not run on"
[ "$(paste -sd , "$work/here")" = 'one two' ] || fail "the here-document is lost"
[ "$(cat "$work/words")" = '5000 5000 4999' ] || fail "words are lost"
[ "$(basename "$(cat "$work/kept")")" = script ] || fail "a descriptor is lost"
[ "$(cat "$work/wrapped")" = 3 ] || fail "the exit code is lost"
