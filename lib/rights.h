/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rights.h - is a task its user's, or has it more rights than they have?
 *
 * A setuid program of another user is in the tree of whoever has started it.
 * Its files are opened again by names that this user can change meanwhile, and
 * descriptors that it shares with other tasks are theirs too: so it cannot be
 * restarted for them.
 */
#ifndef RIGHTS_H
#define RIGHTS_H

#include <stddef.h>

#include "image_wire.h"

/* What @creds has that user @user, not root, has not: words, in @text of @size
 * bytes, and 1; or 0. */
int cr_rights_exceed(const struct cr_wire_creds *creds, uint32_t user,
		     char *text, size_t size);

#endif /* RIGHTS_H */
