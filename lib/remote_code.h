/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * remote_code.h - what a thread runs for us, and how it gets back without us
 *
 * Private to the files remote*.c and their tests.  The code makes system calls
 * and ends with a signal that a tracer catches.  If there is no tracer any more
 * the signal is discarded, and the thread goes on into the code's tail, which
 * gives it back the registers and the signal mask that are in the frame.
 */
#ifndef REMOTE_CODE_H
#define REMOTE_CODE_H

#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "cr_error.h"
#include "image_wire.h"

#define CR_REMOTE_CODE_LENGTH 416u /* bytes; the frame is right behind */

/* By which the tail goes back; the code knows the order. */
struct cr_remote_frame {
	uint64_t all_signals, mask;
	uint64_t no_time[2];
	uint64_t is_ended_by_handler; /* the call it was in: EINTR then */
	uint64_t flags, sp, bx, bp, di, si, dx, cx;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t ax, ip; /* the call, if it was in one, anew */
	uint64_t handler_ip; /* behind the call, with EINTR */
	uint64_t end_signal; /* as a mask: taken back if it is pending */
	uint64_t stopped_ax, stopped_orig_ax; /* not for the code: for rescue */
};

#define CR_REMOTE_CODE_SIZE \
	(CR_REMOTE_CODE_LENGTH + sizeof(struct cr_remote_frame))

/* Position-independent, CR_REMOTE_CODE_LENGTH bytes. */
extern const unsigned char cr_remote_code[];

/* Places in there, see remote_entry.S. */
extern const unsigned char cr_remote_polled[], cr_remote_back[],
	cr_remote_has_moved[], cr_remote_ended[], cr_remote_again[];

/*
 * The frame for a stopped thread with registers @regs and signal mask @mask,
 * which is going to end the code with @signal.  A call that is to be started
 * again is, as the kernel would do it.
 */
void cr_remote_frame_fill(const struct cr_wire_regs *regs, uint64_t mask,
			  int signal, struct cr_remote_frame *frame);

/*
 * The way back: make @regs of a thread that was stopped in the code at @code
 * those that it was stopped with before it was sent there; or, if it has been
 * called to a handler from there (@is_in_handler), those that it goes on with
 * when the handler returns.
 */
void cr_remote_frame_restore(const struct cr_remote_frame *frame, uint64_t code,
			     int is_in_handler, struct cr_wire_regs *regs);

/*
 * Turn the registers of a stopped thread into those that enter the code at
 * @code: for one call @nr with its arguments in place, or for the @nr_calls at
 * @calls if @nr is -1 (none at all is fine).  In the end @signal is sent, and
 * the one call's result is in bx.
 */
void cr_remote_enter(struct cr_wire_regs *regs, uint64_t code, int signal,
		     long nr, uint64_t calls, uint64_t nr_calls);

/*
 * A signal to end with, in a stopped thread with signal mask @mask, that is not
 * pending.  Being traced, the thread gets it even if it ignores it.  What it
 * does if it is delivered after all: *@harmp is 0: nothing, 1: it stays pending
 * but is discarded once it is not blocked, 2: a handler is called for nothing,
 * 3: worse.  Returns the signal; -EAGAIN: all are pending.
 */
int cr_remote_choose_signal(pid_t tid, uint64_t mask, int *harmp,
			    struct cr_error *err);

/*
 * CR_REMOTE_CODE_SIZE executable bytes in process @pid, all threads of which
 * are stopped, that are free until they are given back as zeros; to be written
 * through /proc/PID/mem, @mem_fd.  -ENOENT if there are none; -EAGAIN if a
 * thread is in what a killed checkpoint has left there: rescue it first.
 */
int cr_remote_room_find(pid_t pid, int mem_fd, uint64_t *roomp,
			struct cr_error *err);

#define CR_REMOTE_LIMITS 2

struct cr_remote_limits {
	pid_t pid, guard;
	struct rlimit before[CR_REMOTE_LIMITS];
};

/* Lift the limits of the stopped process @pid that may keep it from mapping
 * memory.  Returns 0: put them back soon, -EPERM if there are none or we may
 * not, or -errno. */
int cr_remote_limits_lift(pid_t pid, struct cr_remote_limits *limits);
void cr_remote_limits_put_back(const struct cr_remote_limits *limits);

/* Can @address, in a vdso that ends at @vdso_end, be in such code? */
int cr_remote_room_has(uint64_t vdso_end, uint64_t address);

#endif /* REMOTE_CODE_H */
