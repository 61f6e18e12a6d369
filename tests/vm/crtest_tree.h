/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * crtest_tree.h - a tree of processes that restart by the module's protocol
 *
 * Each takes the steps of docs/restart-protocol.md and can be held before any.
 */
#ifndef CRTEST_TREE_H
#define CRTEST_TREE_H

#include "crtest.h"

#define CRTEST_TREE_MAX 16

enum step { JOIN, TURN, RESTORED, SETTLE, GATE, LEFT, NR_STEPS };

enum role { LIVE, ZOMBIE, GHOST };

/* What the tasks of a tree and its coordinator share. */
struct tree {
	int device;
	uint32_t nr, nr_ghosts; /* tasks; ghosts come behind them */
	enum role role[CRTEST_TREE_MAX];
	pid_t pid[CRTEST_TREE_MAX];
	int timeout_ms;
	int arrives; /* at the gate by CR_IOC_ARRIVE, and closes the device */
	_Atomic int is_started; /* context is there: they may join */
	_Atomic int
		hold[CRTEST_TREE_MAX]; /* before this step; NR_STEPS: never */
	_Atomic int
		at[CRTEST_TREE_MAX]; /* step that it is about to take, or in */
	_Atomic int code[CRTEST_TREE_MAX]; /* what the last step has returned */
	_Atomic int is_over[CRTEST_TREE_MAX]; /* it will take no more steps */
	_Atomic int turn[CRTEST_TREE_MAX], nr_turns, nr_in_turn;
	_Atomic int is_open; /* the gate */
	_Atomic int is_early; /* somebody has left before */
};

struct tree *tree_new(uint32_t nr, uint32_t nr_ghosts);
int take_step(struct tree *tree, uint32_t i, enum step step);
void live(struct tree *tree, uint32_t i);
int spawn_one(struct tree *tree, uint32_t i);
void spawn(struct tree *tree);
int begin_with(struct tree *tree, int image, int pid);
int image_of(const struct tree *tree);
void begin(struct tree *tree);
struct cr_ioc_wait wait_all(const struct tree *tree);
uint32_t state_of(const struct tree *tree);
void expect_failure(const struct tree *tree, int but, int code);
void expect_success(struct tree *tree);
void until_in(const struct tree *tree, uint32_t i, enum step step);

#endif /* CRTEST_TREE_H */
