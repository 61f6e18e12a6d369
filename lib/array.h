/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * array.h - an array that grows by one
 *
 * Private to lib/.
 */
#ifndef ARRAY_H
#define ARRAY_H

#include <stddef.h>

/*
 * @itemsp is the address of a pointer to @nr items of @size bytes, NULL at the
 * beginning, that has grown by nothing else.  After this (*itemsp)[nr] may be
 * written.  0 or -ENOMEM: it is as it was.
 */
int cr_array_grow(void *itemsp, size_t nr, size_t size);

#endif /* ARRAY_H */
