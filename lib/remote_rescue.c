/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * remote_rescue.c - take a thread out of code that a killed checkpoint left
 *
 * Such a thread gets back by itself, if it runs.  One that a signal has stopped
 * (SIGSTOP, SIGTSTP, ...) stops again when its tracer dies, wherever it is. The
 * next checkpoint does what the last one could not: the frame behind the code
 * has all that the thread was stopped with.  The same for one that has just
 * been sent into a handler from there: that returns to where the signal frame
 * says.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>
#include <sys/syscall.h>

#include "remote.h"
#include "remote_code.h"

#define PAGE 4096u
#define USER_CODE_SEGMENT 0x33 /* of 64-bit programs */

/* On the stack when a handler is called, by the kernel; its beginning. */
struct handler_frame {
	uint64_t return_address, flags, link;
	stack_t stack;
	mcontext_t context;
	uint64_t mask;
};

/* Our code in @length bytes that lie at @start, with @ip in it; 0: it is not.
 */
static uint64_t find_code(const unsigned char *bytes, size_t length,
			  uint64_t start, uint64_t ip)
{
	const unsigned char *found =
		memmem(bytes, length, cr_remote_code, CR_REMOTE_CODE_LENGTH);
	uint64_t code = found ? start + (uint64_t)(found - bytes) : 0;

	return found && ip - code < CR_REMOTE_CODE_LENGTH ? code : 0;
}

/* It begins before @ip, but perhaps nothing is mapped there: then it begins
 * with the page. */
static uint64_t find_code_around(int mem_fd, uint64_t ip)
{
	const uint64_t starts[] = { ip - CR_REMOTE_CODE_LENGTH,
				    ip & ~(uint64_t)(PAGE - 1) };
	unsigned char bytes[2 * CR_REMOTE_CODE_LENGTH];
	uint64_t code = 0;
	ssize_t n;

	for (size_t i = 0; i < 2 && !code; i++) {
		n = pread(mem_fd, bytes, sizeof(bytes), (off_t)starts[i]);
		if (n >= (ssize_t)CR_REMOTE_CODE_LENGTH)
			code = find_code(bytes, (size_t)n, starts[i], ip);
	}
	return code;
}

/* The signal that was to end the code may be pending: it is for nobody. */
static int take_signal(pid_t tid, uint64_t signals, struct cr_error *err)
{
	const struct {
		uint64_t signals, no_time[2];
	} wanted = { .signals = signals };
	struct cr_remote_call call = { .nr = SYS_rt_sigtimedwait };
	struct cr_remote *remote;
	uint64_t address;
	int rc;

	rc = cr_remote_open(tid, &remote, err);
	if (rc < 0)
		return rc;
	address = cr_remote_scratch(remote);
	rc = cr_remote_write(remote, address, &wanted, sizeof(wanted), err);
	call.args[0] = address;
	call.args[2] = address + sizeof(wanted.signals);
	call.args[3] = sizeof(wanted.signals);
	if (rc == 0)
		rc = cr_remote_run(remote, tid, &call, 1, err);
	cr_remote_close(remote);
	return rc;
}

static int read_frame(pid_t tid, int mem_fd, uint64_t code,
		      struct cr_remote_frame *frame, struct cr_error *err)
{
	if (pread(mem_fd, frame, sizeof(*frame),
		  (off_t)(code + CR_REMOTE_CODE_LENGTH)) ==
	    (ssize_t)sizeof(*frame))
		return 0;
	return cr_error_set(err, -EFAULT, "thread %d is in half of our code",
			    tid);
}

/* The mask first, as in remote.c: we may be killed in between. */
static int rescue_thread(pid_t tid, int mem_fd, uint64_t code,
			 struct cr_wire_regs *regs, struct cr_error *err)
{
	struct cr_remote_frame frame;
	int rc;

	rc = read_frame(tid, mem_fd, code, &frame, err);
	if (rc < 0)
		return rc;
	cr_remote_frame_restore(&frame, code, 0, regs);
	rc = cr_trace_set_sigmask(tid, frame.mask, err);
	if (rc == 0)
		rc = cr_trace_set_regs(tid, regs, err);
	return rc ? rc : take_signal(tid, frame.end_signal, err);
}

/* The handler's frame is the first thing on the stack at its beginning. */
static uint64_t find_code_of_handler(int mem_fd, uint64_t sp,
				     struct handler_frame *handler)
{
	if (pread(mem_fd, handler, sizeof(*handler), (off_t)sp) !=
		    (ssize_t)sizeof(*handler) ||
	    (uint16_t)handler->context.gregs[REG_CSGSFS] != USER_CODE_SEGMENT)
		return 0;
	return find_code_around(mem_fd,
				(uint64_t)handler->context.gregs[REG_RIP]);
}

static void change_handler(struct handler_frame *handler,
			   const struct cr_remote_frame *frame, uint64_t code)
{
	greg_t *to = handler->context.gregs;
	struct cr_wire_regs regs = { .ip = (uint64_t)to[REG_RIP],
				     .ax = (uint64_t)to[REG_RAX],
				     .orig_ax = UINT64_MAX,
				     .cx = (uint64_t)to[REG_RCX],
				     .r14 = (uint64_t)to[REG_R14] };

	cr_remote_frame_restore(frame, code, 1, &regs);
	to[REG_R8] = (greg_t)regs.r8;
	to[REG_R9] = (greg_t)regs.r9;
	to[REG_R10] = (greg_t)regs.r10;
	to[REG_R11] = (greg_t)regs.r11;
	to[REG_R12] = (greg_t)regs.r12;
	to[REG_R13] = (greg_t)regs.r13;
	to[REG_R14] = (greg_t)regs.r14;
	to[REG_R15] = (greg_t)regs.r15;
	to[REG_RDI] = (greg_t)regs.di;
	to[REG_RSI] = (greg_t)regs.si;
	to[REG_RBP] = (greg_t)regs.bp;
	to[REG_RBX] = (greg_t)regs.bx;
	to[REG_RDX] = (greg_t)regs.dx;
	to[REG_RAX] = (greg_t)regs.ax;
	to[REG_RCX] = (greg_t)regs.cx;
	to[REG_RSP] = (greg_t)regs.sp;
	to[REG_RIP] = (greg_t)regs.ip;
	to[REG_EFL] = (greg_t)regs.flags;
	handler->mask = frame->mask;
}

static int rescue_handler(pid_t tid, int mem_fd, uint64_t code, uint64_t sp,
			  struct handler_frame *handler, struct cr_error *err)
{
	struct cr_remote_frame frame;
	int rc;

	rc = read_frame(tid, mem_fd, code, &frame, err);
	if (rc < 0)
		return rc;
	change_handler(handler, &frame, code);
	if (pwrite(mem_fd, handler, sizeof(*handler), (off_t)sp) !=
	    (ssize_t)sizeof(*handler))
		return cr_error_errno(err, "stack of thread %d", tid);
	return take_signal(tid, frame.end_signal, err);
}

int cr_remote_rescue(pid_t pid, pid_t tid, struct cr_error *err)
{
	struct handler_frame handler;
	struct cr_wire_regs regs;
	uint64_t code;
	char path[64];
	int fd, rc;

	rc = cr_trace_get_regs(tid, &regs, err);
	if (rc < 0)
		return rc;
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return cr_error_errno(err, "%s", path);
	code = find_code_around(fd, regs.ip);
	if (code) {
		rc = rescue_thread(tid, fd, code, &regs, err);
	} else {
		code = find_code_of_handler(fd, regs.sp, &handler);
		if (code)
			rc = rescue_handler(tid, fd, code, regs.sp, &handler,
					    err);
	}
	close(fd);
	return rc < 0 ? rc : code != 0;
}
