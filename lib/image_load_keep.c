// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * image_load_keep.c - payloads that stay in memory with the saved tree
 *
 * Each is copied to a block of its own, which lives as long as the tree; many
 * tasks have the same, and share one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "crc.h"
#include "image_loader.h"

struct cr_load_block {
	struct cr_load_block *next;
	size_t length; /* of the payload in it */
	_Alignas(16) uint8_t bytes[];
};

void *cr_load_new_block(struct cr_loader *loader, size_t length)
{
	struct cr_load_block *block = malloc(sizeof(*block) + length);

	if (!block)
		return NULL;
	block->next = loader->private->blocks;
	loader->private->blocks = block;
	return block->bytes;
}

/* Of many tasks the same: a program's children have its mappings and signals.
 */
static bool is_often_equal(int type)
{
	return type == CR_RECORD_TASK || type == CR_RECORD_VMAS ||
	       type == CR_RECORD_FDS || type == CR_RECORD_SIGNALS;
}

const uint8_t *cr_load_keep(struct cr_loader *loader,
			    const struct cr_record *record)
{
	const size_t length = (size_t)record->length;
	struct cr_load_block **last = NULL;
	uint8_t *copy;

	if (is_often_equal(record->type)) {
		last = &loader->last[cr_crc32c(0, record->payload, length) %
				     CR_LOAD_LAST];
		if (*last && (*last)->length == length &&
		    !memcmp((*last)->bytes, record->payload, length))
			return (*last)->bytes;
	}
	copy = cr_load_new_block(loader, length + 1);
	if (!copy)
		return NULL;
	memcpy(copy, record->payload, length);
	loader->private->blocks->length = length;
	if (last)
		*last = loader->private->blocks;
	return copy;
}

void cr_saved_free(struct cr_saved *saved)
{
	struct cr_load_private *private;
	int saved_errno = errno;

	if (!saved)
		return;
	private = saved->private;
	while (private->blocks) {
		struct cr_load_block *block = private->blocks;

		private->blocks = block->next;
		free(block);
	}
	free(private->threads);
	free(private->vpids);
	free(private);
	free(saved->tasks);
	free(saved->files);
	free(saved->spaces);
	free(saved);
	errno = saved_errno;
}
