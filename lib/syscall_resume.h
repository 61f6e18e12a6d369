/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * syscall_resume.h - how a thread that was stopped in a system call goes on
 *
 * Private to lib/.  To stop a thread interrupts the call it waits in.  Most
 * calls the kernel starts again by itself, from the registers; some go on
 * through a restart block, which holds what the registers do not: the time
 * that remains; and some come back with EINTR although nobody sent a signal.
 */
#ifndef SYSCALL_RESUME_H
#define SYSCALL_RESUME_H

#include <stdint.h>
#include <sys/types.h>

#include "image_wire.h"

/* Errors of the kernel that user space never sees, as left in ax. */
#define CR_ERESTARTSYS 512
#define CR_ERESTARTNOINTR 513
#define CR_ERESTARTNOHAND 514
#define CR_ERESTART_RESTARTBLOCK 516

/* Must the time that thread waits be known for call @nr to go on right? */
int cr_resume_has_timeout(long nr);

/*
 * The call that a thread is in whose restart_syscall(2) waits in kernel
 * function @wchan (as of /proc/PID/wchan) with @args; -1: that does not tell.
 */
long cr_resume_restarted(const char *wchan, const uint64_t args[6]);

struct cr_resume_stop {
	long nr; /* of the call, restart_syscall(2) resolved */
	uint64_t elapsed_ns; /* in the call; 0 if it is not known */
	int64_t now_ns; /* CLOCK_MONOTONIC of the tree then; 0: not known */
	int is_again; /* in restart_syscall(2): it was interrupted before */
	int has_signal; /* one will be delivered when it goes on */
	/* Access to the thread's memory; 0 or a negative errno. */
	int (*read)(void *arg, uint64_t address, void *data, size_t length);
	int (*write)(void *arg, uint64_t address, const void *data,
		     size_t length);
	void *arg;
};

/*
 * The kernel sends a thread back into its call by registers with which it
 * makes restart_syscall(2).  Until it has, only they know of the call, and they
 * are no good in a task that has another restart block or none.  If *@regs are
 * such, make them those of a stop in the call, which lead to the same; returns
 * 1 then, and the live thread must have them too, else 0.  @stop->nr is not
 * looked at.
 */
int cr_resume_step_back(const struct cr_resume_stop *stop,
			struct cr_wire_regs *regs);

/*
 * The call that a thread is in that has been stopped in restart_syscall(2) with
 * @regs, if it could not be seen waiting: by what the checkpoint before this
 * one has left, else by the code that makes the call, else a guess.
 */
long cr_resume_find(const struct cr_resume_stop *stop,
		    struct cr_wire_regs *regs);

/*
 * Decide from the registers of the stop.  Changes *@regs where they do not
 * say how to go on, and fills *@resume.  Returns 1 if the live thread must go
 * on from the changed registers too, else 0.
 */
int cr_resume_decide(const struct cr_resume_stop *stop,
		     struct cr_wire_regs *regs, struct cr_wire_resume *resume);

#endif /* SYSCALL_RESUME_H */
