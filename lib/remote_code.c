/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * remote_code.c - the way of a stopped thread through our code and back
 *
 * Whatever the moment in which the tracer dies, the thread either still has its
 * own registers and mask, or is in here and ends in the tail:
 *
 * - A thread that gets the code's registers keeps its mask until it has them,
 *   and gets its mask back before its registers.
 * - It keeps ax and orig_ax too.  So if a handler is called before the first
 *   instruction, the kernel decides as always: the call is started again, which
 *   leads to the code's start (ip - 2), or it ends with EINTR, which leads
 * behind it.
 * - The tail first blocks all signals.  The thread may have been in a call that
 *   a handler ends: then signals that have come meanwhile are let in by
 *   ppoll(2), which tells whether there was a handler.
 * - The stack pointer is the thread's own wherever signals may come in.  The
 *   mask is put back when it is, and nothing behind that changes the flags.
 */
#include <errno.h>
#include <stddef.h>

#include "remote_code.h"
#include "syscall_resume.h"

#define SYSCALL_LENGTH 2 /* of the instruction */
#define SYS_RESTART 219 /* restart_syscall(2) */

_Static_assert(CR_REMOTE_CODE_LENGTH == 416 &&
		       offsetof(struct cr_remote_frame, flags) == 8ul * 5 &&
		       offsetof(struct cr_remote_frame, r8) == 8ul * 13 &&
		       offsetof(struct cr_remote_frame, handler_ip) ==
			       8ul * 23 &&
		       offsetof(struct cr_remote_frame, end_signal) == 8ul * 24,
	       "remote_entry.S knows them");

/* Which call is made again when the thread goes on, and where; 0: none. */
static int restart(const struct cr_wire_regs *regs, uint64_t *nr)
{
	if ((int32_t)regs->orig_ax == -1)
		return 0;
	switch (-(int64_t)regs->ax) {
	case CR_ERESTARTSYS:
	case CR_ERESTARTNOINTR:
	case CR_ERESTARTNOHAND:
		*nr = regs->orig_ax;
		return 1;
	case CR_ERESTART_RESTARTBLOCK:
		*nr = SYS_RESTART;
		return 1;
	default:
		return 0;
	}
}

void cr_remote_frame_fill(const struct cr_wire_regs *regs, uint64_t mask,
			  int signal, struct cr_remote_frame *frame)
{
	const int64_t error = -(int64_t)regs->ax;

	*frame = (struct cr_remote_frame){
		.all_signals = UINT64_MAX,
		.mask = mask,
		.flags = regs->flags,
		.sp = regs->sp,
		.bx = regs->bx,
		.bp = regs->bp,
		.di = regs->di,
		.si = regs->si,
		.dx = regs->dx,
		.cx = regs->cx,
		.r8 = regs->r8,
		.r9 = regs->r9,
		.r10 = regs->r10,
		.r11 = regs->r11,
		.r12 = regs->r12,
		.r13 = regs->r13,
		.r14 = regs->r14,
		.r15 = regs->r15,
		.ax = regs->ax,
		.ip = regs->ip,
		.handler_ip = regs->ip,
		.end_signal = 1ull << (signal - 1),
		.stopped_ax = regs->ax,
		.stopped_orig_ax = regs->orig_ax,
	};
	if (!restart(regs, &frame->ax))
		return;
	frame->ip -= SYSCALL_LENGTH;
	/* ERESTARTSYS: most handlers are set up with SA_RESTART */
	frame->is_ended_by_handler =
		error == CR_ERESTARTNOHAND || error == CR_ERESTART_RESTARTBLOCK;
}

static uint64_t offset_of(const unsigned char *place)
{
	return (uint64_t)(place - cr_remote_code);
}

/* Has a handler been called that ends the thread's own call with EINTR? */
static int is_ended(const struct cr_wire_regs *regs, uint64_t code)
{
	const uint64_t at = regs->ip - code;

	/* where a handler leads to, and also a call's end before it is made
	 * anew: the second has a call's number still */
	if (at == SYSCALL_LENGTH)
		return (int32_t)regs->orig_ax == -1;
	if (at >= offset_of(cr_remote_polled) && at < offset_of(cr_remote_back))
		return (int64_t)regs->ax == -EINTR;
	if (at < offset_of(cr_remote_has_moved))
		return (regs->r14 & 1) != 0;
	if (at < offset_of(cr_remote_ended))
		return regs->cx != 0;
	return at < offset_of(cr_remote_again);
}

void cr_remote_frame_restore(const struct cr_remote_frame *frame, uint64_t code,
			     int is_in_handler, struct cr_wire_regs *regs)
{
	const int is_over = is_ended(regs, code) ||
			    (is_in_handler && frame->is_ended_by_handler);

	regs->flags = frame->flags;
	regs->sp = frame->sp;
	regs->bx = frame->bx;
	regs->bp = frame->bp;
	regs->di = frame->di;
	regs->si = frame->si;
	regs->dx = frame->dx;
	regs->cx = frame->cx;
	regs->r8 = frame->r8;
	regs->r9 = frame->r9;
	regs->r10 = frame->r10;
	regs->r11 = frame->r11;
	regs->r12 = frame->r12;
	regs->r13 = frame->r13;
	regs->r14 = frame->r14;
	regs->r15 = frame->r15;
	if (is_over || is_in_handler) {
		regs->ip = is_over ? frame->handler_ip : frame->ip;
		regs->ax = is_over ? (uint64_t)-EINTR : frame->ax;
		regs->orig_ax = UINT64_MAX;
	} else {
		regs->ip = frame->handler_ip;
		regs->ax = frame->stopped_ax;
		regs->orig_ax = frame->stopped_orig_ax;
	}
}

void cr_remote_enter(struct cr_wire_regs *regs, uint64_t code, int signal,
		     long nr, uint64_t calls, uint64_t nr_calls)
{
	uint64_t ignored;

	regs->ip = code;
	if (restart(regs, &ignored))
		regs->ip += SYSCALL_LENGTH; /* which the kernel takes off */
	regs->bx = calls;
	regs->r12 = nr_calls;
	regs->r13 = (uint64_t)signal;
	regs->r14 = 0;
	regs->r15 = (uint64_t)nr;
}
