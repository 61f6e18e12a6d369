/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * runs.h - lists of pages that are to be saved
 *
 * Private to lib/.  Addresses and lengths are multiples of CR_WIRE_PAGE.
 */
#ifndef RUNS_H
#define RUNS_H

#include <stddef.h>
#include <stdint.h>

#include "image_wire.h"
#include "packed.h"

/* A growing list of page runs. */
struct cr_runs {
	struct cr_wire_run *runs;
	size_t nr;
};

/* 0 or -ENOMEM.  What goes on where the last run ended makes that longer. */
int cr_runs_add(struct cr_runs *runs, uint64_t address, uint64_t length);
void cr_runs_merge(struct cr_runs *runs); /* sorted and disjoint afterwards */
void cr_runs_clear(struct cr_runs *runs);

/* The same in a tenth of the memory, for lists that are kept. */
struct cr_run_list {
	struct cr_packed packed; /* all but the last */
	struct cr_wire_run last; /* length 0: none */
	uint64_t end; /* of the last one that is packed */
};

/* By increasing address.  0 or -ENOMEM. */
int cr_run_list_add(struct cr_run_list *list, uint64_t address,
		    uint64_t length);
/* Append them all to @runs.  0 or -ENOMEM. */
int cr_run_list_get(const struct cr_run_list *list, struct cr_runs *runs);
void cr_run_list_clear(struct cr_run_list *list);

#endif /* RUNS_H */
