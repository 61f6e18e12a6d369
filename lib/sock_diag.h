/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sock_diag.h - a question to sock_diag(7), and its answers
 *
 * Private to lib/.  What is asked and what the answers mean is the caller's
 * matter.
 */
#ifndef SOCK_DIAG_H
#define SOCK_DIAG_H

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stddef.h>

/* One answer: @message, behind which are @length bytes of attributes.  0, or a
 * negative errno, which ends it. */
typedef int cr_sock_diag_fn(void *arg, const void *message,
			    const struct rtattr *attributes, size_t length);

/*
 * Send @request and hand each answer to @take; @size: of a message, bytes.  A
 * dump (NLM_F_DUMP) has many; all else has one, or its acknowledgement alone
 * (NLM_F_ACK), of which @take does not hear.
 *
 * Returns 0, what the kernel or @take says, -EIO for an answer that is too
 * short, -ENOMEM, or errors of socket(2), send(2) and recv(2).
 */
int cr_sock_diag(const struct nlmsghdr *request, size_t size,
		 cr_sock_diag_fn *take, void *arg);

#endif /* SOCK_DIAG_H */
