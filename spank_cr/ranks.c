/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ranks.c - sets of ranks as text; see ranks.h
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "ranks.h"

char *cr_ranks_print(const uint32_t *ranks, size_t nr)
{
	const size_t size = nr * 11 + 1; /* "4294967295," */
	char *text = calloc(1, size);
	size_t used = 0;

	for (size_t i = 0; text && i < nr; i++) {
		size_t last = i;

		while (last + 1 < nr && ranks[last + 1] == ranks[last] + 1)
			last++;
		used += (size_t)snprintf(text + used, size - used, "%s%u",
					 i ? "," : "", ranks[i]);
		if (last > i)
			used += (size_t)snprintf(text + used, size - used,
						 "-%u", ranks[last]);
		i = last;
	}
	return text;
}

/* A number at *@textp, which moves on; below @limit. */
static int scan_number(const char **textp, uint32_t limit, uint32_t *number)
{
	unsigned long value;
	char *end;

	if (!isdigit((unsigned char)**textp))
		return -EBADMSG;
	errno = 0;
	value = strtoul(*textp, &end, 10);
	if (errno || value >= limit)
		return -EBADMSG;
	*number = (uint32_t)value;
	*textp = end;
	return 0;
}

/* "3" or "3-5" at *@textp, not before @next. */
static int scan_range(const char **textp, uint32_t limit, uint32_t next,
		      uint32_t *first, uint32_t *last)
{
	if (scan_number(textp, limit, first) || *first < next)
		return -EBADMSG;
	*last = *first;
	if (**textp != '-')
		return 0;
	(*textp)++;
	return scan_number(textp, limit, last) || *last <= *first ? -EBADMSG :
								    0;
}

int cr_ranks_scan(const char *text, uint32_t limit, uint32_t **ranksp,
		  size_t *nrp)
{
	uint32_t *ranks = calloc((size_t)limit + 1, sizeof(*ranks));
	uint32_t first, last, next = 0;
	size_t nr = 0;
	int rc;

	if (!ranks)
		return -ENOMEM;
	for (;;) {
		rc = scan_range(&text, limit, next, &first, &last);
		if (rc)
			break;
		next = last + 1;
		while (first <= last)
			ranks[nr++] = first++;
		if (*text != ',')
			break;
		text++;
	}
	if (rc || *text) {
		free(ranks);
		return -EBADMSG;
	}
	*ranksp = ranks;
	*nrp = nr;
	return 0;
}
