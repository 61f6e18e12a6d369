/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * remote_code.c - the code that a stopped thread is sent through
 *
 * Whatever the moment in which the tracer dies, the thread either still has its
 * own registers and mask, or is in here and ends in the tail:
 *
 * - A thread that gets the code's registers keeps its mask until it has them,
 *   and gets its mask back before its registers.
 * - It keeps ax and orig_ax too.  So if a handler is called before the first
 *   instruction, the kernel decides as always: the call is started again, which
 *   leads to `start` (ip - 2), or it ends with EINTR, which leads behind it.
 * - The tail first blocks all signals.  The thread may have been in a call that
 *   a handler ends: then signals that have come meanwhile are let in by
 *   ppoll(2), which tells whether there was a handler.
 * - The stack pointer is the thread's own wherever signals may come in.  The
 *   mask is put back when it is, and nothing behind that changes the flags.
 *
 * The code never writes to where it lies: that may be read-only.
 */
#include <errno.h>
#include <stddef.h>

#include "remote_code.h"
#include "syscall_resume.h"

#define SYSCALL_LENGTH 2 /* of the instruction */
#define SYS_RESTART 219 /* restart_syscall(2) */
#define STRING(x) #x
#define EXPAND(x) STRING(x)
#define LENGTH EXPAND(384)
#define FRAME(index) "(.Lframe + 8 * " #index ")(%rip)"
#define LOAD(index, reg) "	mov " FRAME(index) ", %" #reg "\n"

_Static_assert(CR_REMOTE_CODE_LENGTH == 384 &&
		       offsetof(struct cr_remote_frame, flags) == 8 * 5 &&
		       offsetof(struct cr_remote_frame, r8) == 8 * 13 &&
		       offsetof(struct cr_remote_frame, handler_ip) == 8 * 23,
	       "the code knows the frame");

/*
 * rbx: calls, r12: their number, r13: signal to end with, r15: the only call's
 * number or -1.  r14: a handler has ended the call that the thread was in.
 */
__asm__(".pushsection .rodata\n"
	"	.balign 16\n"
	"	.globl cr_remote_code\n"
	"	.hidden cr_remote_code\n"
	"cr_remote_code:\n"
	".Lstart:	jmp	.Lbegin\n" /* two bytes, as the instruction
					      syscall */
	"	mov	$1, %r14d\n"
	"	jmp	.Ltail\n"
	".Lbegin:	test	%r15, %r15\n"
	"	js	.Lnext\n"
	"	mov	%r15, %rax\n"
	"	syscall\n"
	"	mov	%rax, %rbx\n"
	"	jmp	.Ldone\n"
	".Lnext:	test	%r12, %r12\n"
	"	jz	.Ldone\n"
	"	mov	(%rbx), %rax\n"
	"	mov	8(%rbx), %rdi\n"
	"	mov	16(%rbx), %rsi\n"
	"	mov	24(%rbx), %rdx\n"
	"	mov	32(%rbx), %r10\n"
	"	mov	40(%rbx), %r8\n"
	"	mov	48(%rbx), %r9\n"
	"	syscall\n"
	"	mov	%rax, 56(%rbx)\n"
	"	add	$64, %rbx\n"
	"	dec	%r12\n"
	"	jmp	.Lnext\n"
	".Ldone:	mov	$186, %eax\n" /* gettid */
	"	syscall\n"
	"	mov	%eax, %edi\n"
	"	mov	%r13d, %esi\n"
	"	mov	$200, %eax\n" /* tkill: what the tracer waits for */
	"	syscall\n"
	".Ltail:	mov	$14, %eax\n" /* rt_sigprocmask(SIG_SETMASK, all)
					      */
	"	mov	$2, %edi\n"
	"	lea	" FRAME(
		0) ", %rsi\n"
		   "	xor	%edx, %edx\n"
		   "	mov	$8, %r10d\n"
		   "	syscall\n"
		   "	test	%r14d, %r14d\n"
		   "	jnz	.Lback\n"
		   "	cmpq	$0, " FRAME(4) "\n"
					       "	je	.Lback\n"
					       "	mov	$271, %eax\n" /* ppoll(NULL,
									      0,
									      no
									      time,
									      mask)
									    */
					       "	xor	%edi, %edi\n"
					       "	xor	%esi, %esi\n"
					       "	lea	" FRAME(2) ", %rdx\n"
									"	lea	" FRAME(1) ", %r10\n"
											      "	mov	$8, %r8d\n"
											      "	syscall\n"
											      "	cmp	$-4, %rax\n" /* EINTR */
											      "	jne	.Lback\n"
											      "	mov	$1, %r14d\n"
											      ".Lback:	lea	" FRAME(5) ", %rsp\n"
																 "	popfq\n" LOAD(6,
																		    rsp) "	mov	$14, %eax\n" /* rt_sigprocmask(SIG_SETMASK, mask) */
																			 "	mov	$2, %edi\n"
																			 "	lea	" FRAME(1) ", %rsi\n"
																						   "	mov	$0, %edx\n"
																						   "	mov	$8, %r10d\n"
																						   "	syscall\n"
																						   "	mov	%r14, %rcx\n" LOAD(7, rbx) LOAD(8,
																											       rbp) LOAD(9,
																													 rdi) LOAD(10,
																														   rsi) LOAD(11,
																															     rdx) LOAD(13,
																																       r8) LOAD(14, r9) LOAD(15, r10) LOAD(16, r11) LOAD(17,
																																							 r12) LOAD(18,
																																								   r13) LOAD(19, r14) LOAD(20, r15) "	jrcxz	.Lagain\n"
																																												    "	mov	$-4, %rax\n" LOAD(12,
																																																      rcx) "	jmp	*" FRAME(23) "\n"
																																																					 ".Lagain:\n" LOAD(
																																																						 21, rax) LOAD(12, rcx) "	jmp	*" FRAME(22) "\n"
																																																											       "	.org	cr_remote_code + " LENGTH
																																																											       "\n"
																																																											       ".Lframe:\n"
																																																											       "	.popsection\n");

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
			  struct cr_remote_frame *frame)
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
