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
	};
	if (!restart(regs, &frame->ax))
		return;
	frame->ip -= SYSCALL_LENGTH;
	/* ERESTARTSYS: most handlers are set up with SA_RESTART */
	frame->is_ended_by_handler =
		error == CR_ERESTARTNOHAND || error == CR_ERESTART_RESTARTBLOCK;
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
