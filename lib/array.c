/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * array.c - an array that grows by one; see array.h
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"

int cr_array_grow(void *itemsp, size_t nr, size_t size)
{
	void *items, *larger;

	/* room is always the next power of two: most lists are short */
	if (nr && (nr & (nr - 1)))
		return 0;
	memcpy(&items, itemsp, sizeof(items));
	larger = reallocarray(items, nr ? nr * 2 : 1, size);
	if (!larger)
		return -ENOMEM;
	memcpy(itemsp, &larger, sizeof(larger));
	return 0;
}
