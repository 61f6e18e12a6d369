#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# seal.sh - who can write root's files on the checkpoint file system cannot have
# them believed: a forged image or manifest is refused, and the generation before
# it is used; without any seal the job waits for the admin
source "$(dirname "$0")/lib.sh"

log_has() # WORDS: of this job, on any node
{
	cat "$shared/../nodes"/*/log/spank_cr.log | grep -F " $job." |
		grep -qF -- "$1"
}

await_log_of_job()
{
	await 60 "'$1' in the log" log_has "$1"
}

# Saved by a requeue, with an older generation before it, and not started again.
prepare_newest()
{
	submit_count "-n ${1:-70}" -p low --cr-interval=3
	await 60 "two generations" has_generations 2
	before=$(manifests | tail -n 1)
	requeue
	await 30 "a pending job" state_is PENDING
	newest=$(manifests | tail -n 1)
	[ "$newest" != "$before" ] || fail "nothing was saved"
}

# The one before it was used, and all that it had written since is written once.
check_older_used() # WORDS
{
	await 90 "restart" restarts_are 1
	await_log_of_job "$1"
	await_log_of_job "restarted 1 rank trees"
	await 10 "word of it for the user" grep -qF "an older one was" \
		"$(output)"
	await_end COMPLETED
	check_output 70
	check_no_images
}

say "--- a byte of memory is changed, and its checksums are right"
prepare_newest
image=$(dirname "$newest")/node_0.img
grep -q '"digest": "sha256-4m:' "$newest" || fail "no digest in $newest"
grep -q '"seal": "MUNGE:' "$newest" || fail "no seal in $newest"
python3 "$top/tests/slurm/forge.py" "$image"
"$build/bin/cr" inspect --verify "$image" >/dev/null ||
	fail "the forged image is not even a good one"
check_older_used "node_0.img is not what was saved"

say "--- a word of the manifest is changed"
prepare_newest
sed -i 's/"restart_count": 0/"restart_count": 1/' "$newest"
check_older_used "manifest.json has been altered since it was sealed"

say "--- the generation before it is put in its place"
prepare_newest
rm "${newest%/*}"/*
cp -p "${before%/*}"/* "${newest%/*}/"
check_older_used "its manifest is that of checkpoint"

say "--- nothing is sealed: as by a version from before there were seals"
prepare_newest
for manifest in $(manifests); do
	sed -i 's/"seal": "MUNGE:.*"/"seal": null/' "$manifest"
done
is_held()
{
	[[ $(field Reason) == job_requeued_in_held_state ]]
}
await 90 "job that is held" is_held
[[ $(root scontrol show job "$job") == *"AdminComment="*"is not sealed"*"seal=no"* ]] ||
	fail "the admin is not told: $(root scontrol show job "$job" | grep -i comment)"
log_has "is refused: manifest.json is not sealed" || fail "no line in the log"
has_generations 2 || fail "the checkpoints are gone"

say "--- and with seal=no it goes on, from the newest, and is not sealed"
sed -i 's|dir=|seal=no dir=|' "$shared/../etc/plugstack.conf"
root scontrol release "$job"
await_log_of_job "restarted 1 rank trees"
log_has "restart from checkpoint $(sed -n 's|.*/gen_\([0-9]*\)/.*|\1|p' <<<"$newest")" ||
	fail "not from the newest"
grep -q "begins anew" "$(output)" && fail "begun anew"
await_end COMPLETED
check_output 70
check_no_images
submit_count "-n 40" -p low
await_count 5
requeue
await 30 "a pending job" state_is PENDING
newest=$(manifests | tail -n 1)
grep -q '"seal": null' "$newest" || fail "sealed all the same"
! grep -q '"digest"' "$newest" || fail "digested all the same"
await_end COMPLETED
check_output 40
check_no_images
sed -i 's|seal=no dir=|dir=|' "$shared/../etc/plugstack.conf"

say "--- munged does not answer while a checkpoint is to be sealed"
submit_count "-n 200" -p low --cr-interval=3
await 60 "a generation" has_generations 1
node=$(field NodeList)
lab exec "$node" pkill -STOP -x munged
await 60 "word of it" grep -qF "munged does not answer" "$(output)"
counted=$(counted)
await_count $((counted + 5))
lab exec "$node" pkill -CONT -x munged
newest=$(manifests | tail -n 1)
newer() { [ "$(manifests | tail -n 1)" != "$newest" ]; }
await 30 "a newer generation" newer
requeue
await 90 "restart" restarts_are 1
await_end COMPLETED
check_output 200
check_no_images
