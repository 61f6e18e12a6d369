/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * freeze_late.c - threads that do not stop: do they get on, and what is it?
 *
 * A thread stops when it leaves the kernel.  Some calls take as long as they
 * have work to do, and no signal but SIGKILL cuts them short: mmap(2) with
 * MAP_POPULATE, for one.  That uses processor time; what waits for a device or
 * server that is gone does not.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collect.h"

#define SAMPLE_NS 250000000u
#define WORK_NS 1000000u /* in that time: more than a look at the clock */
#define IDLE_NS 2000000000u /* without work: it waits for something */

static int is_late(const struct cr_save_thread *thread)
{
	return thread->is_seized && !thread->is_stopped;
}

/* How long it has run; 0: the kernel does not tell. */
static uint64_t ran_ns(pid_t tid)
{
	uint64_t ns = 0;
	char *text;

	if (cr_proc_read(tid, "schedstat", &text, NULL, NULL) < 0)
		return 0;
	if (sscanf(text, "%" SCNu64, &ns) != 1)
		ns = 0;
	free(text);
	return ns;
}

void cr_late_note(const struct cr_checkpoint *checkpoint, struct cr_late *late)
{
	const uint64_t now_ns = cr_save_now_ns();
	uint64_t sum_ns = 0;

	if (late->sampled_at_ns && now_ns - late->sampled_at_ns < SAMPLE_NS)
		return;
	for (size_t i = 0; i < checkpoint->nr_tasks; i++) {
		const struct cr_save_task *task = checkpoint->tasks[i];

		for (size_t j = 0; j < task->nr_threads; j++)
			if (is_late(&task->threads[j]))
				sum_ns += ran_ns(task->threads[j].tid);
	}
	/* less: some have stopped meanwhile */
	if (late->sampled_at_ns &&
	    (sum_ns > late->ran_ns + WORK_NS || sum_ns < late->ran_ns))
		late->worked_at_ns = now_ns;
	late->sampled_at_ns = now_ns;
	late->ran_ns = sum_ns;
}

int cr_late_works(const struct cr_late *late)
{
	return late->worked_at_ns &&
	       cr_save_now_ns() - late->worked_at_ns < IDLE_NS;
}

static void read_word(pid_t tid, const char *name, char word[64])
{
	char *text;

	word[0] = '\0';
	if (cr_proc_read(tid, name, &text, NULL, NULL) < 0)
		return;
	snprintf(word, 64, "%.63s", text);
	word[strcspn(word, "\n")] = '\0';
	free(text);
}

static int say_why(pid_t tid, struct cr_error *err)
{
	char name[64], where[64];

	read_word(tid, "comm", name);
	read_word(tid, "wchan", where);
	if (!where[0] || !strcmp(where, "0"))
		snprintf(where, sizeof(where), "a long call");
	return cr_error_set(err, -ETIMEDOUT,
			    "thread %d (%s) does not stop: it is in the "
			    "kernel, in %s",
			    tid, name, where);
}

int cr_late_explain(const struct cr_checkpoint *checkpoint,
		    struct cr_error *err)
{
	for (size_t i = 0; i < checkpoint->nr_tasks; i++) {
		const struct cr_save_task *task = checkpoint->tasks[i];

		for (size_t j = 0; j < task->nr_threads; j++)
			if (is_late(&task->threads[j]))
				return say_why(task->threads[j].tid, err);
	}
	return cr_error_set(err, -ETIMEDOUT, "a thread does not stop");
}
