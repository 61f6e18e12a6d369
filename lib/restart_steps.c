/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restart_steps.c - how a process being restarted goes along with the others
 *
 * The protocol's waits, once for each engine: the coordinator and futexes of
 * the shared context, or calls of the module.
 */
#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kmod.h"
#include "restart_birth.h"

#define LOOK_NS 100000000 /* how often a waiting task looks after children */

/* A child that dies before the last stage ends the restart for all. */
static void look_after_children(const struct cr_birth *birth)
{
	struct cr_error err = { 0 };
	siginfo_t info = { 0 };

	if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | (int)__WALL) <
		    0 ||
	    !info.si_pid)
		return;
	/* read last: from SETTLE on ghosts and zombies die as they should */
	if (__atomic_load_n(&birth->restarter->ctx->state, __ATOMIC_ACQUIRE) >=
	    CR_RESTART_SETTLE)
		return;
	cr_error_set(&err, -ECANCELED, "vpid %d died during the restart",
		     info.si_pid);
	cr_birth_fail(birth, &err);
}

/*
 * Wait until *@word is @wanted or more; end with the restart.  Only who has
 * children wakes up to look after them: thousands that do so would leave no
 * time for anything else.
 */
static void wait_word(const struct cr_birth *birth, volatile uint32_t *word,
		      uint32_t wanted)
{
	const struct timespec often = { .tv_nsec = LOOK_NS };
	const struct timespec *look = birth->plan->nr_children ? &often : NULL;
	uint32_t now;

	for (;;) {
		if (birth->restarter->ctx->state == CR_RESTART_FAILED)
			_exit(1);
		now = *word;
		if (now >= wanted)
			return;
		if (syscall(SYS_futex, word, FUTEX_WAIT, now, look, NULL, 0) <
			    0 &&
		    errno == ETIMEDOUT)
			look_after_children(birth);
	}
}

static void user_join(const struct cr_birth *birth)
{
	wait_word(birth, &birth->restarter->ctx->state, CR_RESTART_RESTORE);
}

static void user_turn(const struct cr_birth *birth)
{
	wait_word(birth, &birth->restarter->turns[birth->plan->task], 1);
}

static void user_restored(const struct cr_birth *birth)
{
	cr_restart_send(birth->restarter, CR_TASK_EV_RESTORED, birth->vpid,
			NULL);
}

static void user_settle(const struct cr_birth *birth)
{
	wait_word(birth, &birth->restarter->ctx->state, CR_RESTART_SETTLE);
}

const struct cr_steps cr_steps_user = { user_join, user_turn, user_restored,
					user_settle };

/* Whoever has made it fail has told the coordinator, or died. */
static void take_step(const struct cr_birth *birth, enum cr_kmod_step step)
{
	if (cr_kmod_restart_step(birth->restarter->device, step) < 0)
		_exit(1);
}

static void kernel_join(const struct cr_birth *birth)
{
	take_step(birth, CR_KMOD_JOIN);
}

static void kernel_turn(const struct cr_birth *birth)
{
	take_step(birth, CR_KMOD_TURN);
}

static void kernel_restored(const struct cr_birth *birth)
{
	take_step(birth, CR_KMOD_RESTORED);
}

static void kernel_settle(const struct cr_birth *birth)
{
	take_step(birth, CR_KMOD_SETTLE);
}

const struct cr_steps cr_steps_kernel = { kernel_join, kernel_turn,
					  kernel_restored, kernel_settle };
