/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * process_model.h - fork, setsid, setpgid, exit and wait, without a kernel
 *
 * As much of one PID namespace as decides who is whose child, in which
 * session and group, with the kernel's rules and refusals.  Process 0 of a
 * model stands for everything outside, process 1 is the namespace's init,
 * which reaps at once.
 */
#ifndef PROCESS_MODEL_H
#define PROCESS_MODEL_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define MODEL_MAX 1024
#define MODEL_OUTSIDE 0
#define MODEL_INIT 1

enum model_state { MODEL_GONE, MODEL_ALIVE, MODEL_ZOMBIE };

struct model_process {
	enum model_state state;
	uint32_t pid; /* 0 outside, 1 init */
	int parent;
	uint32_t sid, pgid; /* 0: outside */
	bool is_subreaper;
};

struct model {
	struct model_process processes[MODEL_MAX];
	int nr;
};

static inline void model_init(struct model *model)
{
	memset(model, 0, sizeof(*model));
	model->processes[MODEL_OUTSIDE].state = MODEL_ALIVE;
	model->processes[MODEL_INIT].state = MODEL_ALIVE;
	model->processes[MODEL_INIT].pid = 1;
	model->processes[MODEL_INIT].sid = 1;
	model->processes[MODEL_INIT].pgid = 1;
	model->nr = 2;
}

/* The living or dead process with @pid, or -1. */
static inline int model_find(const struct model *model, uint32_t pid)
{
	for (int i = 0; i < model->nr; i++)
		if (model->processes[i].state != MODEL_GONE &&
		    model->processes[i].pid == pid)
			return i;
	return -1;
}

/* Is @number in use as pid, group or session? */
static inline bool model_is_used(const struct model *model, uint32_t number)
{
	for (int i = 0; i < model->nr; i++) {
		const struct model_process *p = &model->processes[i];

		if (p->state != MODEL_GONE &&
		    (p->pid == number || p->sid == number || p->pgid == number))
			return true;
	}
	return false;
}

/* Returns the child, -EEXIST, or -EAGAIN when the model is full. */
static inline int model_fork(struct model *model, int parent, uint32_t pid)
{
	struct model_process *child = &model->processes[model->nr];

	if (model->nr == MODEL_MAX)
		return -EAGAIN;
	if (model_find(model, pid) >= 0)
		return -EEXIST;
	*child = model->processes[parent];
	child->pid = pid;
	child->parent = parent;
	child->is_subreaper = false;
	return model->nr++;
}

static inline int model_setsid(struct model *model, int process)
{
	struct model_process *p = &model->processes[process];

	for (int i = 0; i < model->nr; i++)
		if (model->processes[i].state != MODEL_GONE &&
		    model->processes[i].pgid == p->pid)
			return -EPERM;
	p->sid = p->pid;
	p->pgid = p->pid;
	return 0;
}

static inline bool model_has_group(const struct model *model, uint32_t pgid,
				   uint32_t sid)
{
	for (int i = 0; i < model->nr; i++)
		if (model->processes[i].state != MODEL_GONE &&
		    model->processes[i].pgid == pgid &&
		    model->processes[i].sid == sid)
			return true;
	return false;
}

/* setpgid(@target's pid, @pgid), called by @caller. */
static inline int model_setpgid(struct model *model, int caller, int target,
				uint32_t pgid)
{
	struct model_process *t = &model->processes[target];
	uint32_t sid = model->processes[caller].sid;

	if (pgid == 0) /* as the kernel has it; so none goes back outside */
		pgid = t->pid;
	if (target != caller && t->parent != caller)
		return -ESRCH;
	if (t->sid != sid || t->sid == t->pid)
		return -EPERM;
	if (pgid != t->pid && !model_has_group(model, pgid, sid))
		return -EPERM;
	t->pgid = pgid;
	return 0;
}

static inline int model_reaper(const struct model *model, int process)
{
	int above = model->processes[process].parent;

	while (above != MODEL_OUTSIDE && above != MODEL_INIT) {
		const struct model_process *p = &model->processes[above];

		if (p->is_subreaper && p->state == MODEL_ALIVE)
			return above;
		above = p->parent;
	}
	return MODEL_INIT;
}

static inline void model_reap(struct model *model, int process)
{
	model->processes[process].state = MODEL_GONE;
}

/* Children go to the nearest subreaper, or to init. */
static inline void model_exit(struct model *model, int process)
{
	int reaper = model_reaper(model, process);

	for (int i = 0; i < model->nr; i++) {
		struct model_process *p = &model->processes[i];

		if (i == MODEL_INIT || p->state == MODEL_GONE ||
		    p->parent != process)
			continue;
		p->parent = reaper;
		if (reaper == MODEL_INIT && p->state == MODEL_ZOMBIE)
			model_reap(model, i);
	}
	model->processes[process].state = MODEL_ZOMBIE;
	if (model->processes[process].parent == MODEL_INIT)
		model_reap(model, process);
}

static inline bool model_has_children(const struct model *model, int process)
{
	for (int i = MODEL_INIT + 1; i < model->nr; i++)
		if (model->processes[i].state != MODEL_GONE &&
		    model->processes[i].parent == process)
			return true;
	return false;
}

#endif /* PROCESS_MODEL_H */
