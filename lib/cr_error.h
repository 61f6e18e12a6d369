/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cr_error.h - why something failed, in words
 *
 * Functions return 0 or a negative errno; those that can say more also fill
 * a struct cr_error.  The function that notices the failure fills it, callers
 * only prefix it, and whoever is at the top (main, a SPANK hook) logs it once.
 *
 * Each errno has one meaning in this project (docs/admin.md has them):
 *	EBADMSG		the image is damaged, or was altered
 *	ENODATA		the image is cut short
 *	EPROTONOSUPPORT	the image is newer than this program
 *	EEXIST		a vpid of the tree is taken
 *	ESRCH, EBUSY	no such vpid in the tree; that vpid has joined already
 *	EPROTO		right call, wrong moment of the restart protocol
 *	ECANCELED	somebody else failed; their error is the one to report
 *	EOPNOTSUPP	the tree holds something that cannot be saved yet
 *	EAGAIN		in the way for the moment: may work a moment later
 *	ESTALE		a file is not what it was when the image was written
 *	ETIMEDOUT	a peer did not arrive in time
 *	ENOKEY		nobody vouches for it: no seal, or one of another key
 */
#ifndef CR_ERROR_H
#define CR_ERROR_H

#define CR_ERROR_TEXT_MAX 512

/* Lives on the caller's stack or in shared memory: nothing to free. */
struct cr_error {
	int code; /* negative errno, 0 when unset */
	char text[CR_ERROR_TEXT_MAX]; /* one sentence without a full stop */
};

/* Record @code and a message.  @err may be NULL.  Returns @code. */
int cr_error_set(struct cr_error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Record -errno and "MESSAGE: strerror".  @err may be NULL.
 * Returns -errno, or -EIO if errno is 0.
 */
int cr_error_errno(struct cr_error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Put "PREFIX: " in front of the message; the code stays.
 * Returns the code, so that it can end a function.  @err may be NULL only
 * when nothing is to be returned from it.
 */
int cr_error_prefix(struct cr_error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Names of files and programs may hold anything: make one line of @text, with
 * '?' for each character that is none.  The functions above do. */
void cr_error_one_line(char *text);

#endif /* CR_ERROR_H */
