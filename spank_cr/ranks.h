/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ranks.h - sets of ranks as text, "0-3,8"
 */
#ifndef RANKS_H
#define RANKS_H

#include <stddef.h>
#include <stdint.h>

/* Of ascending numbers; free(3) it.  NULL: no memory. */
char *cr_ranks_print(const uint32_t *ranks, size_t nr);

/*
 * The same back: ascending, all below @limit, at least one.  *@ranksp is freed
 * with free(3).  Returns 0, -EBADMSG or -ENOMEM.
 */
int cr_ranks_scan(const char *text, uint32_t limit, uint32_t **ranksp,
		  size_t *nrp);

#endif /* RANKS_H */
