/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * collect_regs.c - the registers of a thread, and its signal mask
 */
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "look.h"
#include "remote.h"

#define XSTATE_MAX 16384u
#define XCR0_OFFSET 464u /* in the XSAVE area of NT_X86_XSTATE */

/* By ptrace(2). */
static int read_regs(struct cr_save_thread *thread, void *xstate,
		     size_t *lengthp, struct cr_error *err)
{
	struct cr_wire_thread *wire = thread->wire;
	struct iovec iov = { xstate, *lengthp };
	int rc;

	rc = cr_trace_get_regs(thread->tid, &wire->regs, err);
	if (rc == 0)
		rc = cr_trace_get_sigmask(thread->tid, &wire->signal_mask, err);
	if (rc < 0)
		return rc;
	if (ptrace(PTRACE_GETREGSET, thread->tid, (void *)NT_X86_XSTATE, &iov) <
	    0)
		return cr_error_errno(err, "extended state of thread %d",
				      thread->tid);
	*lengthp = iov.iov_len;
	return 0;
}

int cr_collect_regs(struct cr_checkpoint *checkpoint,
		    struct cr_save_thread *thread, struct cr_error *err)
{
	uint64_t *xfeatures = &checkpoint->head.xfeatures;
	uint8_t buffer[XSTATE_MAX];
	size_t length = sizeof(buffer);
	int rc;

	rc = cr_look_regs(checkpoint, thread, buffer, &length, err);
	if (rc == 0)
		rc = read_regs(thread, buffer, &length, err);
	if (rc < 0)
		return rc;
	if (cr_packed_add_bytes(&thread->xstate, buffer, length) < 0)
		return cr_error_set(err, -ENOMEM, "out of memory");
	cr_packed_trim(&thread->xstate);
	thread->wire->xstate_length = (uint32_t)length;
	/* of the CPU, the same for all */
	if (length >= XCR0_OFFSET + sizeof(*xfeatures))
		memcpy(xfeatures, buffer + XCR0_OFFSET, sizeof(*xfeatures));
	return 0;
}
