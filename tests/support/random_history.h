/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * random_history.h - trees that random processes have left
 *
 * Processes of the model fork, call setsid and setpgid, exit, reap and become
 * subreapers as they like; what is left is saved as a checkpoint would.
 */
#ifndef RANDOM_HISTORY_H
#define RANDOM_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "image_wire.h"
#include "process_model.h"
#include "random.h"

#define HISTORY_MAX 200 /* processes that ever were */

struct history {
	struct model model;
	uint32_t subreapers; /* in 1000 events */
	bool has_subreaper;
};

static inline uint32_t free_pid(const struct model *model)
{
	uint32_t pid;

	do
		pid = 2 + random_below(300);
	while (model_is_used(model, pid));
	return pid;
}

static inline void random_setpgid(struct model *model, int process)
{
	int target = process;
	int other = (int)random_below((uint32_t)model->nr);

	if (random_below(2) && model->processes[other].parent == process)
		target = other;
	other = (int)random_below((uint32_t)model->nr);
	model_setpgid(model, process, target,
		      random_below(2) ? model->processes[target].pid :
					model->processes[other].pgid);
}

static inline void random_reap(struct model *model, int process)
{
	for (int i = MODEL_INIT + 1; i < model->nr; i++)
		if (model->processes[i].state == MODEL_ZOMBIE &&
		    model->processes[i].parent == process && random_below(2))
			model_reap(model, i);
}

static inline void random_event(struct history *history)
{
	struct model *model = &history->model;
	int process = (int)random_below((uint32_t)model->nr);
	struct model_process *p = &model->processes[process];
	uint32_t event = random_below(1000);

	if (process == MODEL_INIT || p->state != MODEL_ALIVE)
		return;
	if (process == MODEL_OUTSIDE) {
		if (event < 100)
			model_fork(model, process, free_pid(model));
		return;
	}
	if (event < 450) {
		model_fork(model, process, free_pid(model));
	} else if (event < 600) {
		model_setsid(model, process);
	} else if (event < 750) {
		random_setpgid(model, process);
	} else if (event < 850) {
		random_reap(model, process);
	} else if (event < 1000 - history->subreapers) {
		model_exit(model, process);
	} else if (event < 1000) {
		p->is_subreaper = true;
		history->has_subreaper = true;
	}
}

/* As a checkpoint would: parents first, else in random order. */
static inline size_t save_links(const struct model *model,
				struct cr_wire_link *links)
{
	bool is_saved[MODEL_MAX] = {
		[MODEL_OUTSIDE] = true, [MODEL_INIT] = true
	};
	size_t nr = 0;
	bool has_moved = true;

	while (has_moved) {
		uint32_t start = random_below((uint32_t)model->nr);

		has_moved = false;
		for (int n = 0; n < model->nr && !has_moved; n++) {
			int i = ((int)start + n) % model->nr;
			const struct model_process *p = &model->processes[i];

			if (is_saved[i] || p->state == MODEL_GONE ||
			    !is_saved[p->parent])
				continue;
			links[nr++] = (struct cr_wire_link){
				.vpid = p->pid,
				.parent = model->processes[p->parent].pid,
				.pgid = p->pgid,
				.sid = p->sid,
				.flags =
					(p->sid ? 0 :
						  CR_LINK_F_SESSION_OUTSIDE) |
					(p->pgid ? 0 : CR_LINK_F_PGRP_OUTSIDE) |
					(p->state == MODEL_ZOMBIE ?
						 CR_LINK_F_ZOMBIE :
						 0),
			};
			is_saved[i] = true;
			has_moved = true;
		}
	}
	return nr;
}

/*
 * The links of the tree after up to @max_events; @subreapers of 1000 events
 * make one.  Returns how many.
 */
static inline size_t random_links(uint32_t seed, uint32_t subreapers,
				  uint32_t max_events,
				  struct cr_wire_link links[HISTORY_MAX],
				  bool *has_subreaper)
{
	static struct history history; /* large */
	uint32_t nr_events;

	random_state = seed;
	memset(&history, 0, sizeof(history));
	history.subreapers = subreapers;
	model_init(&history.model);
	model_fork(&history.model, MODEL_OUTSIDE, 10);
	nr_events = 10 + random_below(max_events);
	while (nr_events-- > 0 && history.model.nr < HISTORY_MAX)
		random_event(&history);
	*has_subreaper = history.has_subreaper;
	return save_links(&history.model, links);
}

#endif /* RANDOM_HISTORY_H */
