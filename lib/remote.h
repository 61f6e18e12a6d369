/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * remote.h - stop threads of other processes and make system calls in them
 *
 * Private to lib/.  Built on PTRACE_SEIZE: nothing here changes what the
 * program can see, as long as cr_remote_close() is called before it goes on.
 */
#ifndef REMOTE_H
#define REMOTE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cr_error.h"
#include "image_wire.h"

/*
 * Seize and interrupt thread @tid, and wait until it has stopped.  A stop by
 * job control is told in *@stop_signal (0 otherwise).
 * Returns 0, -ESRCH (it is gone or a zombie), -EBUSY (traced by another),
 * -EPERM, -ETIMEDOUT (does not stop: state D).
 */
int cr_trace_stop(pid_t tid, unsigned int timeout_ms, int *stop_signal,
		  struct cr_error *err);

/* The two halves of cr_trace_stop(), to stop many threads at once.  A thread
 * that did not stop in time stays seized: wait for it again. */
int cr_trace_seize(pid_t tid, struct cr_error *err);
int cr_trace_wait(pid_t tid, unsigned int timeout_ms, int *stop_signal,
		  struct cr_error *err);

/* Thread @tid has got its id from execve(2), after it was seized as another:
 * make it stop, unless it has.  -ESRCH: it is not ours; -EIO: it was not
 * seized. */
int cr_trace_interrupt_again(pid_t tid);

/* As cr_trace_seize(), but should we die before the thread is let go, so does
 * its process. */
int cr_trace_seize_for_life(pid_t tid, struct cr_error *err);

/* Let a thread that cr_trace_stop() stopped run on untraced.  A group stop
 * remains one. */
int cr_trace_release(pid_t tid);

int cr_trace_get_regs(pid_t tid, struct cr_wire_regs *regs,
		      struct cr_error *err);
int cr_trace_set_regs(pid_t tid, const struct cr_wire_regs *regs,
		      struct cr_error *err);

/* The mask that the thread has outside of calls such as sigsuspend(2), which
 * put another in place while they wait; such a call goes on right if the mask
 * is read, changed and put back while it is stopped. */
int cr_trace_get_sigmask(pid_t tid, uint64_t *mask, struct cr_error *err);
int cr_trace_set_sigmask(pid_t tid, uint64_t mask, struct cr_error *err);

/* Let the stopped thread @tid go on with @request (PTRACE_CONT or
 * PTRACE_SYSCALL) to its next stop; *@status is as of waitpid(2).  Returns 0,
 * or -ECANCELED if it has died. */
int cr_trace_resume(pid_t tid, int request, int *status, struct cr_error *err);

/*
 * Bring @tid from the stop of a signal, which is dropped, to one without: if
 * the tracer dies then, no signal is delivered.  It runs no instruction of its
 * own.  Errors as cr_trace_resume().
 */
int cr_trace_interrupt(pid_t tid, struct cr_error *err);

/*
 * Make one system call in the stopped thread @tid with the system call
 * instruction at @instruction of its memory, and put its registers back.
 * *@resultp is what the kernel returned (a negative errno included).
 * Returns 0, or an error of ptrace; -ECANCELED if the thread died.  Should the
 * tracer die meanwhile, so does the program: see cr_remote_run() for a way that
 * outlives it.
 */
int cr_trace_syscall(pid_t tid, uint64_t instruction, long nr,
		     const uint64_t args[6], int64_t *resultp,
		     struct cr_error *err);

/*
 * Make a system call that blocks and interrupt it at once, so that the kernel
 * holds a restart block for it; registers are *not* put back.  *@resultp:
 * -516 (ERESTART_RESTARTBLOCK), or what it returned if it did not block.
 */
int cr_trace_syscall_interrupted(pid_t tid, uint64_t instruction, long nr,
				 const uint64_t args[6], int64_t *resultp,
				 struct cr_error *err);

/*
 * Address of a system call instruction (0f 05) in an executable mapping of
 * process @pid, as /proc/PID/maps shows them now.  -ENOENT if there is none.
 */
int cr_trace_find_syscall(pid_t pid, uint64_t *addressp, struct cr_error *err);

/* Start of the vdso of process @pid as it was executed; 0: not known. */
uint64_t cr_trace_find_vdso(pid_t pid);

/* Batches of system calls in one process, with scratch memory. */
struct cr_remote;

#define CR_REMOTE_SCRATCH (64u << 10) /* bytes */

struct cr_remote_call {
	long nr;
	uint64_t args[6];
	int64_t result; /* out: as the kernel returned it */
};

/*
 * A checkpoint that was killed may have left the stopped thread @tid of process
 * @pid on its way through code of ours, where it stays if it is stopped by a
 * signal, too.  Give it back its own registers and signal mask.  All threads of
 * the process are stopped.  Returns 1 if it was so, 0 if not, or an error.
 */
int cr_remote_rescue(pid_t pid, pid_t tid, struct cr_error *err);

/*
 * Map scratch memory into the process of the stopped thread @tid; all others of
 * it are stopped, and have been rescued if need be.
 */
int cr_remote_open(pid_t tid, struct cr_remote **remotep, struct cr_error *err);

/* Address, in the process, of the CR_REMOTE_SCRATCH bytes for arguments. */
uint64_t cr_remote_scratch(const struct cr_remote *remote);

/* The range that is mapped meanwhile; it is no mapping of the program's, and is
 * never merged with one. */
void cr_remote_range(const struct cr_remote *remote, uint64_t *startp,
		     uint64_t *endp);

int cr_remote_write(struct cr_remote *remote, uint64_t address,
		    const void *data, size_t length, struct cr_error *err);
int cr_remote_read(struct cr_remote *remote, uint64_t address, void *data,
		   size_t length, struct cr_error *err);

/* Run the calls one after the other in @tid, any stopped thread of the
 * process.  A call that fails does not stop the batch.  Should the tracer die
 * at any moment, the thread finishes the batch and goes on as if it had never
 * been stopped; what is left is the scratch memory. */
int cr_remote_run(struct cr_remote *remote, pid_t tid,
		  struct cr_remote_call *calls, size_t nr_calls,
		  struct cr_error *err);

/* Unmap the scratch memory and free.  NULL is allowed. */
void cr_remote_close(struct cr_remote *remote);

#endif /* REMOTE_H */
