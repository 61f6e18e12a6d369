#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# passing.sh - a step that cannot be saved at most moments, since it passes
# descriptors and lets connections wait, is saved at another one
source "$(dirname "$0")/lib.sh"

submit -p low <<-EOF
#!/bin/bash
echo \$SLURM_RESTART_COUNT >>begun
exec /run/spank_cr/tests/programs/unix_passing "\$PWD"
EOF
await 60 "start" test -e "$work/ready"
for nr in 1 2; do
	sleep 0.$((RANDOM % 1000))
	requeue
	await 30 "restart $nr" restarts_are $nr
	await 30 "running job" state_is RUNNING
	sleep 2
done
user touch "/shared/$test_name/check"
await_end COMPLETED
[ "$(wc -l <"$work/begun")" = 1 ] || fail "it has begun anew"
check_no_images
