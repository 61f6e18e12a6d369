/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * crtest_protocol.c - the restart protocol of the module, and its faults
 *
 * A tree (crtest_tree.h) that comes through, and trees of which some process is
 * killed, hangs, lies, or does something else at each moment.
 */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crtest_tree.h"
#include "image_wire.h"
#include "restart_fsm.h"

/* ---- cases */

static void in_saved_order(void)
{
	struct tree *tree = tree_new(8, 2);

	tree->role[3] = tree->role[6] = ZOMBIE;
	begin(tree);
	expect_success(tree);
	for (uint32_t i = 0; i < 10; i++)
		if (tree->role[i] != LIVE)
			crtest_true(waitpid(tree->pid[i], NULL, WNOHANG) ==
				    tree->pid[i]);
}

static void one_task(void)
{
	struct tree *tree = tree_new(1, 0);

	begin(tree);
	expect_success(tree);
}

/* Its death is that of somebody who has been forgotten by all. */
static void dies_after(void)
{
	struct tree *tree = tree_new(2, 0);

	begin(tree);
	expect_success(tree);
	kill(tree->pid[0], SIGKILL);
	waitpid(tree->pid[0], NULL, 0);
	crtest_is(state_of(tree), CR_RESTART_DONE);
}

static void gate_waits(void)
{
	struct tree *tree = tree_new(3, 0);

	tree->hold[0] = GATE;
	begin(tree);
	until_in(tree, 1, GATE);
	until_in(tree, 2, GATE);
	crtest_is(ioctl(tree->device, CR_IOC_RELEASE), -EPROTO);
	tree->hold[0] = NR_STEPS;
	expect_success(tree);
}

static void gate_waits_for_zombies(void)
{
	struct tree *tree = tree_new(3, 1);

	tree->role[1] = ZOMBIE;
	tree->hold[1] = tree->hold[3] = SETTLE;
	begin(tree);
	until_in(tree, 0, GATE);
	until_in(tree, 2, GATE);
	tree->hold[3] = NR_STEPS; /* the ghost goes */
	crtest_until(waitpid(tree->pid[3], NULL, WNOHANG) > 0);
	crtest_is(state_of(tree), CR_RESTART_SETTLE);
	tree->hold[1] = NR_STEPS;
	expect_success(tree);
}

static int polled(const struct tree *tree, int ms)
{
	struct pollfd look = { .fd = tree->device, .events = POLLIN };

	return poll(&look, 1, ms) == 1 ? look.revents : 0;
}

static void arrives_and_closes(void)
{
	struct tree *tree = tree_new(3, 1);

	tree->arrives = 1;
	tree->role[1] = ZOMBIE;
	tree->hold[0] = GATE;
	begin(tree);
	crtest_until(tree->is_over[2]);
	crtest_is(polled(tree, 0), 0);
	crtest_is(state_of(tree), CR_RESTART_SETTLE);
	tree->hold[0] = NR_STEPS;
	crtest_is(polled(tree, 60000), POLLIN);
	expect_success(tree);
}

static void dies_where_it_arrived(void)
{
	struct tree *tree = tree_new(2, 0);

	tree->arrives = 1;
	tree->hold[0] = GATE;
	begin(tree);
	crtest_until(tree->is_over[1]);
	kill(tree->pid[1], SIGKILL);
	crtest_is(polled(tree, 60000), POLLIN);
	crtest_is(wait_all(tree).vpid, tree->pid[1]);
	tree->hold[0] = NR_STEPS;
	expect_failure(tree, 1, -ECANCELED);
}

/* Task 1 is killed while it holds @held (or, if the same, waits in it), when
 * task 0 keeps all from going further than @others. */
static void kill_at(enum step held, enum step others)
{
	struct tree *tree = tree_new(4, 1);

	tree->role[2] = ZOMBIE;
	if (held == others)
		tree->hold[0] = (int)others;
	else
		tree->hold[1] = (int)held;
	begin(tree);
	if (held == others)
		until_in(tree, 1, held);
	else
		crtest_until(tree->at[1] == (int)held);
	kill(tree->pid[1], SIGKILL);
	if (held == others)
		tree->hold[0] = NR_STEPS;
	expect_failure(tree, 1, -ECANCELED);
	crtest_is(wait_all(tree).vpid, tree->pid[1]);
}

static void killed_in_join(void)
{
	kill_at(JOIN, JOIN);
}

static void killed_before_turn(void)
{
	kill_at(TURN, NR_STEPS);
}

static void killed_in_turn(void)
{
	kill_at(RESTORED, NR_STEPS);
}

static void killed_restored(void)
{
	kill_at(SETTLE, NR_STEPS);
}

static void killed_before_gate(void)
{
	struct tree *tree = tree_new(3, 0);

	tree->hold[1] = GATE;
	begin(tree);
	until_in(tree, 0, GATE);
	until_in(tree, 2, GATE);
	kill(tree->pid[1], SIGKILL);
	expect_failure(tree, 1, -ECANCELED);
}

static void killed_at_gate(void)
{
	struct tree *tree = tree_new(3, 0);

	begin(tree);
	crtest_is(wait_all(tree).state, CR_RESTART_RELEASE);
	until_in(tree, 1, GATE);
	kill(tree->pid[1], SIGKILL);
	crtest_until(state_of(tree) == CR_RESTART_FAILED);
	expect_failure(tree, 1, -ECANCELED);
	crtest_is(ioctl(tree->device, CR_IOC_RELEASE), -ECANCELED);
}

static void killed_waiting_for_turn(void)
{
	struct tree *tree = tree_new(3, 0);

	tree->hold[2] = RESTORED; /* the first in saved order */
	begin(tree);
	until_in(tree, 0, TURN);
	kill(tree->pid[0], SIGKILL);
	crtest_until(state_of(tree) == CR_RESTART_FAILED);
	tree->hold[2] = NR_STEPS;
	expect_failure(tree, 0, -ECANCELED);
}

static void zombie_too_early(void)
{
	struct tree *tree = tree_new(3, 0);

	tree->role[1] = ZOMBIE;
	tree->hold[1] = RESTORED;
	begin(tree);
	crtest_until(tree->at[1] == RESTORED);
	kill(tree->pid[1], SIGKILL);
	expect_failure(tree, 1, -ECANCELED);
}

/* By itself, between two steps. */
static void task_closes(void)
{
	struct tree *tree = tree_new(3, 0);

	tree->role[0] = LIVE;
	for (uint32_t i = 0; i < 3; i++) {
		if (!spawn_one(tree, i))
			continue;
		if (i == 0) {
			crtest_until(tree->is_started);
			crtest_is(take_step(tree, 0, JOIN), 0);
			close(tree->device);
			tree->is_over[0] = 1;
			pause();
		}
		live(tree, i);
	}
	crtest_is(begin_with(tree, image_of(tree), 0), 0);
	expect_failure(tree, 0, -ECANCELED);
}

/* A coordinator of its own, killed when task 1 is held at @step. */
static void kill_coordinator(enum step step, int closes)
{
	struct tree *tree = tree_new(3, 0);
	pid_t coordinator;

	tree->hold[1] = (int)step;
	spawn(tree);
	coordinator = fork();
	if (coordinator == 0) {
		crtest_is(begin_with(tree, image_of(tree), 0), 0);
		crtest_until(!closes || tree->at[1] == (int)step);
		if (closes)
			close(tree->device);
		else
			wait_all(tree);
		for (;;)
			pause();
	}
	crtest_until(tree->at[1] == (int)step && tree->is_started);
	if (!closes)
		kill(coordinator, SIGKILL);
	crtest_until(state_of(tree) == CR_RESTART_FAILED);
	tree->hold[1] = NR_STEPS;
	expect_failure(tree, -1, -ECANCELED);
	kill(coordinator, SIGKILL);
}

static void coordinator_killed(void)
{
	for (int step = JOIN; step <= GATE; step++)
		kill_coordinator(step, 0);
}

static void coordinator_closes(void)
{
	kill_coordinator(TURN, 1);
}

static void missing(void)
{
	struct tree *tree = tree_new(3, 1);

	tree->hold[1] = JOIN;
	tree->timeout_ms = 300;
	begin(tree);
	crtest_is(wait_all(tree).code, -ETIMEDOUT);
	tree->hold[1] = NR_STEPS;
	expect_failure(tree, -1, -ETIMEDOUT);
}

static void hangs_in_turn(void)
{
	struct tree *tree = tree_new(3, 0);

	tree->hold[1] = RESTORED;
	tree->timeout_ms = 2000;
	begin(tree);
	crtest_is(wait_all(tree).code, -ETIMEDOUT);
	tree->hold[1] = NR_STEPS;
	expect_failure(tree, -1, -ETIMEDOUT);
}

static void foreign(void)
{
	struct tree *tree = tree_new(2, 0);
	struct cr_ioc_join join = { 0 };

	tree->hold[0] = tree->hold[1] = TURN;
	begin(tree);
	crtest_until(tree->at[0] == TURN && tree->at[1] == TURN);
	if (spawn_one(tree, 2))
		_exit(ioctl(tree->device, CR_IOC_JOIN, &join) == -1 &&
				      errno == ESRCH ?
			      0 :
			      1);
	crtest_until(state_of(tree) == CR_RESTART_FAILED);
	tree->hold[0] = tree->hold[1] = NR_STEPS;
	expect_failure(tree, -1, -ESRCH);
}

/* The same number, joined before: by the same process. */
static void number_taken(void)
{
	struct tree *tree = tree_new(2, 0);
	struct cr_ioc_join join = { 0 };

	if (spawn_one(tree, 0)) {
		crtest_until(tree->is_started);
		tree->code[0] = ioctl(tree->device, CR_IOC_JOIN, &join);
		tree->code[0] = ioctl(tree->device, CR_IOC_JOIN, &join) < 0 ?
					-errno :
					0;
		tree->is_over[0] = 1;
		pause();
	}
	if (spawn_one(tree, 1))
		live(tree, 1);
	tree->hold[1] = TURN;
	crtest_is(begin_with(tree, image_of(tree), 0), 0);
	crtest_until(state_of(tree) == CR_RESTART_FAILED);
	tree->hold[1] = NR_STEPS;
	expect_failure(tree, -1, -EBUSY);
}

/* Number 1 of another namespace is not number 1 of ours. */
static void other_namespace(void)
{
	struct tree *tree = tree_new(2, 0);
	uint32_t vpids[2];
	int image;

	tree->hold[0] = TURN;
	if (spawn_one(tree, 0))
		live(tree, 0);
	vpids[0] = (uint32_t)tree->pid[0];
	vpids[1] = 1;
	image = crtest_image(vpids, NULL, 2);
	crtest_is(begin_with(tree, image, 0), 0);
	until_in(tree, 0, JOIN);
	crtest_is(unshare(CLONE_NEWPID), 0);
	if (spawn_one(tree, 1))
		live(tree, 1);
	expect_failure(tree, -1, -ESRCH);
}

static void task_fails(void)
{
	struct tree *tree = tree_new(3, 1);
	struct cr_ioc_fail call = { .code = -ENOSPC };

	tree->hold[1] = RESTORED;
	begin(tree);
	crtest_until(tree->at[1] == RESTORED);
	crtest_is(ioctl(tree->device, CR_IOC_FAIL, &call), 0);
	call.code = -EIO; /* the first is kept */
	crtest_is(ioctl(tree->device, CR_IOC_FAIL, &call), 0);
	tree->hold[1] = NR_STEPS;
	expect_failure(tree, -1, -ENOSPC);
}

static void out_of_order(void)
{
	struct tree *tree = tree_new(2, 0);

	tree->hold[1] = RESTORED; /* has its turn */
	begin(tree);
	until_in(tree, 0, TURN);
	crtest_is(ioctl(tree->device, CR_IOC_GATE), -EPROTO);
	crtest_is(ioctl(tree->device, CR_IOC_RESTORED), -EPROTO);
	crtest_is(ioctl(tree->device, CR_IOC_TURN), -EPROTO);
	crtest_is(ioctl(tree->device, CR_IOC_SETTLE), -EPROTO);
	crtest_is(ioctl(tree->device, CR_IOC_RELEASE), -EPROTO);
	tree->hold[1] = NR_STEPS;
	expect_success(tree);
}

static void two_at_once(void)
{
	struct tree *one = tree_new(4, 1), *other = tree_new(4, 1);
	struct tree *third = tree_new(3, 0);

	one->hold[0] = GATE;
	other->hold[1] = RESTORED;
	third->hold[2] = TURN;
	begin(one);
	begin(other);
	begin(third);
	crtest_until(other->at[1] == RESTORED);
	kill(other->pid[1], SIGKILL);
	expect_failure(other, 1, -ECANCELED);
	one->hold[0] = third->hold[2] = NR_STEPS;
	expect_success(one);
	expect_success(third);
}

static void used_twice(void)
{
	struct tree *tree = tree_new(1, 0);

	begin(tree);
	crtest_is(begin_with(tree, image_of(tree), 0), -EBUSY);
	expect_success(tree);
	crtest_is(begin_with(tree, image_of(tree), 0), -EBUSY);
}

/* As in RFC v12: the root task begins, the others name it and bring a
 * descriptor of their own. */
static void v12_task(struct tree *tree, pid_t root)
{
	struct cr_ioc_join join = { .pid = root };

	close(tree->device);
	tree->device = crtest_device();
	while (ioctl(tree->device, CR_IOC_JOIN, &join) < 0)
		crtest_is(errno, EAGAIN);
	for (int step = TURN; step < LEFT; step++)
		crtest_is(take_step(tree, 0, step), 0);
	_exit(0);
}

static void root_coordinates(void)
{
	struct tree *tree = tree_new(3, 0);
	struct cr_ioc_join join = { .pid = getpid() };
	uint32_t vpids[3];
	int other = crtest_device(), status;

	crtest_is(ioctl(other, CR_IOC_JOIN, &join), -EAGAIN);
	vpids[0] = (uint32_t)getpid();
	for (int i = 1; i < 3; i++) {
		pid_t root = getpid();

		if (spawn_one(tree, i))
			v12_task(tree, root);
		vpids[i] = (uint32_t)tree->pid[i];
	}
	crtest_is(begin_with(tree, crtest_image(vpids, NULL, 3), getpid() + 1),
		  -EPERM);
	crtest_is(begin_with(tree, crtest_image(vpids + 1, NULL, 2), getpid()),
		  -ESRCH);
	crtest_is(begin_with(tree, crtest_image(vpids, NULL, 3), getpid()), 0);
	for (int step = JOIN; step < LEFT; step++)
		crtest_is(take_step(tree, 0, step), 0);
	for (int i = 1; i < 3; i++) {
		crtest_is(waitpid(tree->pid[i], &status, 0), tree->pid[i]);
		crtest_is(status, 0);
	}
}

static void other_user(void)
{
	struct tree *tree = tree_new(1, 0);
	struct cr_ioc_join join = { .pid = getpid() };
	int device = crtest_device(), status;
	pid_t pid;

	tree->hold[0] = JOIN;
	begin(tree);
	pid = fork();
	if (pid == 0) {
		crtest_is(setuid(1000), 0);
		crtest_is(ioctl(device, CR_IOC_JOIN, &join), -EPERM);
		_exit(0);
	}
	crtest_is(waitpid(pid, &status, 0), pid);
	crtest_is(status, 0);
	tree->hold[0] = NR_STEPS;
	expect_success(tree);
}

/* Every prefix, and every byte changed, of a good image. */
static void damaged_image(void)
{
	uint32_t vpids[] = { (uint32_t)getpid(), 4711 };
	int image = crtest_image(vpids, NULL, 2), damaged;
	off_t length = lseek(image, 0, SEEK_END);
	char *bytes =
		mmap(NULL, (size_t)length, PROT_READ, MAP_PRIVATE, image, 0);
	struct cr_ioc_restart call = { .timeout_ms = 1000 };
	int device = crtest_device();

	for (off_t i = 0; i < length; i++) {
		char byte = (char)(bytes[i] ^ 0x10);

		damaged = memfd_create("damaged", 0);
		call.image_fd = damaged;
		crtest_is(pwrite(damaged, bytes, (size_t)i, 0), i);
		crtest_is(ioctl(device, CR_IOC_RESTART, &call), -ENODATA);
		crtest_is(pwrite(damaged, bytes, (size_t)length, 0), length);
		crtest_is(pwrite(damaged, &byte, 1, i), 1);
		crtest_true(ioctl(device, CR_IOC_RESTART, &call) == -1 &&
			    (errno == EBADMSG || errno == ENODATA ||
			     errno == E2BIG));
		close(damaged);
	}
	call.image_fd = image;
	crtest_is(lseek(image, 0, SEEK_SET), 0);
	crtest_is(ioctl(device, CR_IOC_RESTART, &call), 0);
}

static void wrong_numbers(void)
{
	const uint32_t twice[] = { 7, 7 }, none[] = { 7, 0 };
	struct cr_ioc_restart call = { .timeout_ms = 1000 };
	uint32_t ghost = 7;
	int device = crtest_device();

	call.image_fd = crtest_image(twice, NULL, 2);
	crtest_is(ioctl(device, CR_IOC_RESTART, &call), -EBADMSG);
	call.image_fd = crtest_image(none, NULL, 2);
	crtest_is(ioctl(device, CR_IOC_RESTART, &call), -EBADMSG);
	call.image_fd = crtest_image(none, NULL, 0);
	crtest_is(ioctl(device, CR_IOC_RESTART, &call), -EBADMSG);
	call.image_fd = crtest_image(twice, NULL, 1);
	call.nr_ghosts = 1;
	call.ghosts = (uintptr_t)&ghost;
	crtest_is(ioctl(device, CR_IOC_RESTART, &call), -EBADMSG);
	call.ghosts = 1;
	crtest_is(ioctl(device, CR_IOC_RESTART, &call), -EFAULT);
	call.nr_ghosts = CR_RESTART_TASKS_MAX;
	crtest_is(ioctl(device, CR_IOC_RESTART, &call), -E2BIG);
}

static void wrong_arguments(void)
{
	uint32_t vpid = (uint32_t)getpid();
	struct cr_ioc_restart restart = { .timeout_ms = 1000, .flags = 1 };
	struct cr_ioc_join join = { .flags = 1 };
	struct cr_ioc_wait wait_call = { .flags = 2 };
	struct cr_ioc_fail fail = { .code = 1 };
	int device = crtest_device(), fds[2];

	crtest_is(ioctl(device, CR_IOC_RESTART, &restart), -EINVAL);
	restart.flags = 0;
	restart.timeout_ms = 0;
	crtest_is(ioctl(device, CR_IOC_RESTART, &restart), -EINVAL);
	restart.timeout_ms = 1000;
	restart.image_fd = -1;
	crtest_is(ioctl(device, CR_IOC_RESTART, &restart), -EBADF);
	crtest_is(pipe(fds), 0);
	restart.image_fd = fds[0];
	crtest_is(ioctl(device, CR_IOC_RESTART, &restart), -EBADMSG);
	restart.image_fd = open("/proc/self/maps", O_RDONLY);
	crtest_is(ioctl(device, CR_IOC_RESTART, &restart), -EINVAL);
	restart.image_fd = open("/tmp", O_WRONLY | O_TMPFILE, 0600);
	crtest_is(ioctl(device, CR_IOC_RESTART, &restart), -EBADF);
	crtest_is(ioctl(device, CR_IOC_RESTART, 1), -EFAULT);
	crtest_is(ioctl(device, CR_IOC_JOIN, &join), -EINVAL);
	join.flags = 0;
	crtest_is(ioctl(device, CR_IOC_JOIN, &join), -EPROTO);
	join.pid = -1;
	crtest_is(ioctl(device, CR_IOC_JOIN, &join), -EINVAL);
	crtest_is(ioctl(device, CR_IOC_WAIT, &wait_call), -EINVAL);
	wait_call.flags = 0;
	crtest_is(ioctl(device, CR_IOC_WAIT, &wait_call), -EPROTO);
	crtest_is(ioctl(device, CR_IOC_FAIL, &fail), -EINVAL);
	fail.code = -4096;
	crtest_is(ioctl(device, CR_IOC_FAIL, &fail), -EINVAL);
	fail.code = -EIO;
	crtest_is(ioctl(device, CR_IOC_FAIL, &fail), -EPROTO);
	crtest_is(ioctl(device, CR_IOC_GATE), -EPROTO);
	crtest_is(ioctl(device, _IO(CR_IOC_MAGIC, 99)), -ENOTTY);
	crtest_is(ioctl(device, 0x5401 /* TCGETS */, &fail), -ENOTTY);
	restart.image_fd = crtest_image(&vpid, NULL, 1);
	crtest_is(ioctl(device, CR_IOC_RESTART, &restart), 0);
	if (fork() == 0) {
		crtest_is(ioctl(device, CR_IOC_FAIL, &fail), -EPERM);
		crtest_is(ioctl(device, CR_IOC_RELEASE), -EPERM);
		_exit(0);
	}
	crtest_is(wait(&fds[0]) > 0 ? fds[0] : 1, 0);
}

/* A thousand contexts with their processes, half of them failing. */
static void leaves_nothing(void)
{
	long pids = crtest_in_use("pid"), creds = crtest_in_use("cred_jar");
	struct cr_ioc_join join = { 0 };
	struct cr_ioc_restart call = { .timeout_ms = 10000 };
	uint32_t vpids[2];
	int device;

	for (int i = 0; i < 1000; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			vpids[0] = (uint32_t)getpid();
			vpids[1] = vpids[0] + 1; /* nobody comes */
			device = crtest_device();
			call.image_fd = crtest_image(vpids, NULL, 1 + i % 2);
			crtest_is(ioctl(device, CR_IOC_RESTART, &call), 0);
			if (i % 2 == 0)
				crtest_is(ioctl(device, CR_IOC_JOIN, &join), 0);
			_exit(0);
		}
		crtest_is(waitpid(pid, &device, 0), pid);
		crtest_is(device, 0);
	}
	crtest_true(pids > 0 && creds > 0);
	crtest_true(crtest_in_use("pid") < pids + 500);
	crtest_true(crtest_in_use("cred_jar") < creds + 500);
}

const struct crtest_case crtest_protocol[] = {
	{ "tasks restore in saved order and leave together", in_saved_order },
	{ "a tree of one task", one_task },
	{ "who dies after the gate is nobody's failure", dies_after },
	{ "the gate waits for the last task", gate_waits },
	{ "the gate waits for zombies and ghosts", gate_waits_for_zombies },
	{ "who has arrived may close, and poll tells of the last",
	  arrives_and_closes },
	{ "a task killed where it has arrived ends all",
	  dies_where_it_arrived },
	{ "a task killed in join ends all", killed_in_join },
	{ "a task killed before its turn ends all", killed_before_turn },
	{ "a task killed waiting for its turn ends all",
	  killed_waiting_for_turn },
	{ "a task killed in its turn ends all", killed_in_turn },
	{ "a task killed when restored ends all", killed_restored },
	{ "a task killed before the gate ends all", killed_before_gate },
	{ "a task killed at the gate ends all", killed_at_gate },
	{ "a zombie that dies too early ends all", zombie_too_early },
	{ "a task that closes its descriptor ends all", task_closes },
	{ "a coordinator killed in any state ends all", coordinator_killed },
	{ "a coordinator that closes its descriptor ends all",
	  coordinator_closes },
	{ "a task that never joins is ETIMEDOUT", missing },
	{ "a task that hangs in its turn is ETIMEDOUT", hangs_in_turn },
	{ "a number joined before is EBUSY", number_taken },
	{ "a task not of the tree is ESRCH", foreign },
	{ "a task of another PID namespace is ESRCH", other_namespace },
	{ "the first error is everybody's", task_fails },
	{ "steps out of order are EPROTO", out_of_order },
	{ "three restarts at once do not disturb each other", two_at_once },
	{ "a context is used once", used_twice },
	{ "the root task may coordinate, others name it", root_coordinates },
	{ "another user's restart is EPERM", other_user },
	{ "every damage of an image's head is refused", damaged_image },
	{ "numbers that are no tree are EBADMSG", wrong_numbers },
	{ "wrong arguments are refused", wrong_arguments },
	{ "a thousand restarts leave nothing", leaves_nothing },
	{ 0 },
};
