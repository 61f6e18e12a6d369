/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * remote_entry.S - the code that remote_code.h describes
 *
 * rbx: calls, r12: their number, r13: signal to end with, r15: the only call's
 * number or -1.  r14: a handler has ended the call that the thread was in.
 *
 * Position-independent, and it never writes to where it lies: that may be
 * read-only.
 */
#define CALL_LENGTH 64 /* of struct cr_remote_call */
#define CODE_LENGTH 416 /* CR_REMOTE_CODE_LENGTH */
#define SYS_rt_sigprocmask 14
#define SYS_rt_sigtimedwait 128
#define SYS_gettid 186
#define SYS_tkill 200
#define SYS_ppoll 271
#define SIG_SETMASK 2
#define MASK_LENGTH 8
#define EINTR 4

/* struct cr_remote_frame, by index */
#define FRAME(index) (frame + 8 * index)(%rip)

	.section .rodata
	.balign 16
	.globl cr_remote_code
	.hidden cr_remote_code
cr_remote_code:
	/* two bytes, as the instruction that the kernel starts again */
	jmp	begin
	/* a handler has ended the thread's call */
	mov	$1, %r14d
	jmp	tail
begin:
	test	%r15, %r15
	js	next
	mov	%r15, %rax
	syscall
	mov	%rax, %rbx
	jmp	done
next:
	test	%r12, %r12
	jz	done
	mov	(%rbx), %rax
	mov	8(%rbx), %rdi
	mov	16(%rbx), %rsi
	mov	24(%rbx), %rdx
	mov	32(%rbx), %r10
	mov	40(%rbx), %r8
	mov	48(%rbx), %r9
	syscall
	mov	%rax, 56(%rbx)
	add	$CALL_LENGTH, %rbx
	dec	%r12
	jmp	next
done:
	/* what the tracer waits for */
	mov	$SYS_gettid, %eax
	syscall
	mov	%eax, %edi
	mov	%r13d, %esi
	mov	$SYS_tkill, %eax
	syscall
tail:
	/* no tracer: block all signals */
	mov	$SYS_rt_sigprocmask, %eax
	mov	$SIG_SETMASK, %edi
	lea	FRAME(0), %rsi
	xor	%edx, %edx
	mov	$MASK_LENGTH, %r10d
	syscall
	/* the thread may have blocked the signal: then it is still there */
	mov	$SYS_rt_sigtimedwait, %eax
	lea	FRAME(24), %rdi
	xor	%esi, %esi
	lea	FRAME(2), %rdx
	mov	$MASK_LENGTH, %r10d
	syscall
	test	%r14d, %r14d
	jnz	cr_remote_back
	cmpq	$0, FRAME(4)
	je	cr_remote_back
	/* let those in that have come, and learn of handlers */
	mov	$SYS_ppoll, %eax
	xor	%edi, %edi
	xor	%esi, %esi
	lea	FRAME(2), %rdx
	lea	FRAME(1), %r10
	mov	$MASK_LENGTH, %r8d
	syscall
	.globl	cr_remote_polled
	.hidden	cr_remote_polled
cr_remote_polled:
	cmp	$-EINTR, %rax
	jne	cr_remote_back
	mov	$1, %r14d
	.globl	cr_remote_back
	.hidden	cr_remote_back
cr_remote_back:
	lea	FRAME(5), %rsp
	popfq
	mov	FRAME(6), %rsp
	/* nothing changes the flags from here on */
	mov	$SYS_rt_sigprocmask, %eax
	mov	$SIG_SETMASK, %edi
	lea	FRAME(1), %rsi
	mov	$0, %edx
	mov	$MASK_LENGTH, %r10d
	syscall
	/* from here on it is rcx that tells of a handler; then the place */
	mov	%r14, %rcx
	.globl	cr_remote_has_moved
	.hidden	cr_remote_has_moved
cr_remote_has_moved:
	mov	FRAME(7), %rbx
	mov	FRAME(8), %rbp
	mov	FRAME(9), %rdi
	mov	FRAME(10), %rsi
	mov	FRAME(11), %rdx
	mov	FRAME(13), %r8
	mov	FRAME(14), %r9
	mov	FRAME(15), %r10
	mov	FRAME(16), %r11
	mov	FRAME(17), %r12
	mov	FRAME(18), %r13
	mov	FRAME(19), %r14
	mov	FRAME(20), %r15
	jrcxz	cr_remote_again
	.globl	cr_remote_ended
	.hidden	cr_remote_ended
cr_remote_ended:
	mov	$-EINTR, %rax
	mov	FRAME(12), %rcx
	jmp	*FRAME(23)
	.globl	cr_remote_again
	.hidden	cr_remote_again
cr_remote_again:
	mov	FRAME(21), %rax
	mov	FRAME(12), %rcx
	jmp	*FRAME(22)
	.org	cr_remote_code + CODE_LENGTH
frame:
	.section .note.GNU-stack, "", @progbits
