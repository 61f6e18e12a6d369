#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# terminal.sh - with --pty a rank has the terminal that Slurm has made for it,
# and a shell there is as without us; without, the step has a /dev/pts of its
# own.  Ctrl-C ends a step.  A visitor's shell does not come again with its job.
source "$(dirname "$0")/lib.sh"

as_user=("$top/scripts/lab" as labuser head)

typing() # shell|interrupt... COMMAND: terminal.py
{
	"$(dirname "$0")/terminal.py" "$@" >"$work/typed" ||
		fail "at the terminal: $(cat "$work/typed")"
	say "typed: $*"
}

# The machine's first is taken; and the script was submitted in an srun --pty.
SHELL=/bin/sh script -qec 'sleep 8' /dev/null </dev/null >/dev/null &
submit -p low <<'EOF'
#!/bin/bash
script -qec 'srun --pty tty' /dev/null </dev/null
SLURM_PTY_PORT=1 srun python3 -c \
	'import os; print("own", os.ttyname(os.openpty()[1]))'
EOF
await_end COMPLETED
# script(1) echoes the end of its own input, a ^D or a NUL, around the first line
grep -qa '^[^o]*/dev/pts/[0-9]' "$(output)" || fail "the rank has no terminal"
grep -qa 'own /dev/pts/0$' "$(output)" || fail "the step has the node's"
say "$(grep -ao '[a-z ]*/dev/pts/[0-9]*' "$(output)" | paste -sd ' ')"

typing shell "${as_user[@]}" srun --pty bash --norc --noprofile
typing shell "${as_user[@]}" salloc -Q srun --pty bash --norc --noprofile
for times in 2 3; do
	typing interrupt $times "${as_user[@]}" srun --cr-interval=1 -n2 -N1 \
		sh -c "\"echo begun; exec $count -n 1000\""
done
check_nodes_idle
check_no_images

printf '#!/bin/bash\n%s -n 60\n' "$count" >"$work/script"
job=$(user env SLURM_PTY_PORT=1 SPANK_CR_OUTSIDE=1 sbatch --parsable -p low \
	--chdir="/shared/$test_name" --output=%j.out "/shared/$test_name/script")
await_count 5
node=$(field NodeList)
SHELL=/bin/sh script -qec \
	"${as_user[*]} srun --jobid=$job --overlap --pty sleep 1234" \
	/dev/null </dev/null >"$work/visit" &
await 20 "visitor" lab exec "$node" pgrep -x sleep >/dev/null
requeue
await 60 "restart" restarts_are 1
wait
await_end COMPLETED
check_output 60
check_no_images
