/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * crtest_tree.c - see crtest_tree.h
 */
#include <signal.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crtest_tree.h"
#include "image_wire.h"
#include "restart_fsm.h"

#define MAX CRTEST_TREE_MAX

struct tree *tree_new(uint32_t nr, uint32_t nr_ghosts)
{
	struct tree *tree = mmap(NULL, sizeof(*tree), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	tree->device = crtest_device();
	tree->nr = nr;
	tree->nr_ghosts = nr_ghosts;
	tree->timeout_ms = 60000;
	for (uint32_t i = 0; i < MAX; i++) {
		tree->hold[i] = NR_STEPS;
		tree->role[i] = i < nr ? LIVE : GHOST;
	}
	return tree;
}

int take_step(struct tree *tree, uint32_t i, enum step step)
{
	static const unsigned long calls[] = {
		[TURN] = CR_IOC_TURN,
		[RESTORED] = CR_IOC_RESTORED,
		[SETTLE] = CR_IOC_SETTLE,
		[GATE] = CR_IOC_GATE,
	};
	struct cr_ioc_join join = { 0 };

	if (step == JOIN)
		return ioctl(tree->device, CR_IOC_JOIN, &join);
	if (step == RESTORED) {
		tree->turn[i] = tree->nr_turns++;
		if (tree->nr_in_turn++)
			tree->is_early = 1; /* two in turn at once */
		tree->nr_in_turn--;
	}
	if (step == GATE && tree->arrives)
		return ioctl(tree->device, CR_IOC_ARRIVE) < 0 ?
			       -1 :
			       close(tree->device);
	return ioctl(tree->device, calls[step]);
}

static int has_step(enum role role, enum step step)
{
	if (role == GHOST)
		return step == JOIN || step == SETTLE;
	return role == LIVE || step != GATE;
}

/* The life of a task, from its birth to its old code. */
void live(struct tree *tree, uint32_t i)
{
	int code = 0;

	crtest_until(tree->is_started);
	for (int step = JOIN; step < LEFT && !code; step++) {
		if (!has_step(tree->role[i], step))
			continue;
		tree->at[i] = step;
		crtest_until(tree->hold[i] != step);
		code = take_step(tree, i, step) < 0 ? -errno : 0;
	}
	if (!code && tree->role[i] == LIVE && !tree->is_open && !tree->arrives)
		tree->is_early = 1;
	tree->code[i] = code;
	tree->at[i] = LEFT;
	tree->is_over[i] = 1;
	if (tree->role[i] != LIVE)
		_exit(0);
	for (;;)
		pause();
}

/* Fork number @i: 1 in the child.  Not straight into the tree: that is shared,
 * and the child would write its 0. */
int spawn_one(struct tree *tree, uint32_t i)
{
	pid_t pid = fork();

	if (pid == 0)
		return 1;
	tree->pid[i] = pid;
	return 0;
}

void spawn(struct tree *tree)
{
	for (uint32_t i = 0; i < tree->nr + tree->nr_ghosts; i++)
		if (spawn_one(tree, i))
			live(tree, i);
}

int begin_with(struct tree *tree, int image, int pid)
{
	uint32_t ghosts[MAX];
	struct cr_ioc_restart call = { .pid = pid,
				       .image_fd = image,
				       .timeout_ms = (uint32_t)tree->timeout_ms,
				       .ghosts = (uintptr_t)ghosts,
				       .nr_ghosts = tree->nr_ghosts };

	for (uint32_t i = 0; i < tree->nr_ghosts; i++)
		ghosts[i] = (uint32_t)tree->pid[tree->nr + i];
	if (ioctl(tree->device, CR_IOC_RESTART, &call) < 0)
		return -errno;
	crtest_true(call.nr_tasks == tree->nr);
	tree->is_started = 1;
	return 0;
}

/* The image names the tasks in the order opposite to that of their birth. */
int image_of(const struct tree *tree)
{
	uint32_t vpids[MAX], flags[MAX];

	for (uint32_t i = 0; i < tree->nr; i++) {
		vpids[i] = (uint32_t)tree->pid[tree->nr - 1 - i];
		flags[i] = tree->role[tree->nr - 1 - i] == ZOMBIE ?
				   CR_LINK_F_ZOMBIE :
				   0;
	}
	return crtest_image(vpids, flags, tree->nr);
}

void begin(struct tree *tree)
{
	spawn(tree);
	crtest_is(begin_with(tree, image_of(tree), 0), 0);
}

struct cr_ioc_wait wait_all(const struct tree *tree)
{
	struct cr_ioc_wait call = { 0 };

	crtest_is(ioctl(tree->device, CR_IOC_WAIT, &call), 0);
	return call;
}

uint32_t state_of(const struct tree *tree)
{
	struct cr_ioc_wait call = { .flags = CR_WAIT_F_NOT };

	crtest_is(ioctl(tree->device, CR_IOC_WAIT, &call), 0);
	return call.state;
}

/* All but task @but (of this number, -1: none) have ended with @code; those
 * that were to die may have done so before. */
void expect_failure(const struct tree *tree, int but, int code)
{
	struct cr_ioc_wait call = wait_all(tree);

	crtest_is(call.state, CR_RESTART_FAILED);
	crtest_is(call.code, code);
	for (uint32_t i = 0; i < tree->nr + tree->nr_ghosts; i++) {
		if ((int)i == but)
			continue;
		crtest_until(tree->is_over[i]);
		if (tree->role[i] == LIVE || tree->code[i])
			crtest_is(tree->code[i], code);
	}
}

void expect_success(struct tree *tree)
{
	struct cr_ioc_wait call = wait_all(tree);

	crtest_is(call.code, 0);
	crtest_is(call.state, CR_RESTART_RELEASE);
	tree->is_open = 1;
	crtest_is(ioctl(tree->device, CR_IOC_RELEASE), 0);
	for (uint32_t i = 0; i < tree->nr; i++) {
		crtest_until(tree->is_over[i]);
		crtest_is(tree->code[i], 0);
		crtest_is(tree->turn[i], (long)(tree->nr - 1 - i));
	}
	crtest_true(!tree->is_early);
	crtest_is(state_of(tree), CR_RESTART_DONE);
}

/* Task @i waits inside of its step. */
void until_in(const struct tree *tree, uint32_t i, enum step step)
{
	crtest_until(tree->at[i] == (int)step);
	crtest_until(crtest_state(tree->pid[i]) == 'D');
}
