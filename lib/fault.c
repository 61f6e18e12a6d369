/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fault.c - what CR_FAULT asks for; empty where fault points are compiled out
 */
#include "cr_fault.h"

#ifdef CR_FAULTS
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* tests/fault/points compares names and errors with docs/testing.md */
static const struct {
	const char *name;
	int code;
} points[CR_FAULT_NR] = {
	[CR_FAULT_IMAGE_WRITE] = { "image-write", ENOSPC },
	[CR_FAULT_IMAGE_SYNC] = { "image-sync", EIO },
	[CR_FAULT_IMAGE_RENAME] = { "image-rename", ENOSPC },
	[CR_FAULT_IMAGE_FOLDER] = { "image-folder", EIO },
	[CR_FAULT_MANIFEST_SYNC] = { "manifest-sync", EIO },
	[CR_FAULT_MANIFEST_RENAME] = { "manifest-rename", ENOSPC },
	[CR_FAULT_MANIFEST_FOLDER] = { "manifest-folder", EIO },
	[CR_FAULT_MEMORY_READ] = { "memory-read", EFAULT },
	[CR_FAULT_FREEZE] = { "freeze", EPERM },
	[CR_FAULT_FORK] = { "fork", EAGAIN },
	[CR_FAULT_TERMINAL] = { "terminal", ENOSPC },
	[CR_FAULT_FILE] = { "file", EMFILE },
	[CR_FAULT_FILL] = { "fill", EIO },
	[CR_FAULT_SETTLE] = { "settle", ENOSYS },
	[CR_FAULT_GATE] = { "gate", ENOSYS },
	[CR_FAULT_RELEASE] = { "release", EIO },
	[CR_FAULT_RELEASE_DEATH] = { "release-death", ECANCELED },
};

/* Number that is asked for, 0: another fault or none is. */
static size_t wanted(enum cr_fault fault)
{
	const char *text = getenv("CR_FAULT");
	size_t length = strlen(points[fault].name);

	if (!text || strncmp(text, points[fault].name, length) != 0)
		return 0;
	if (text[length] == ':')
		return strtoul(text + length + 1, NULL, 10);
	return text[length] == '\0';
}

int cr_fault_at(enum cr_fault fault, size_t index)
{
	if (wanted(fault) != index + 1)
		return 0;
	errno = points[fault].code;
	return 1;
}

int cr_fault(enum cr_fault fault)
{
	static atomic_size_t counts[CR_FAULT_NR];

	return wanted(fault) &&
	       cr_fault_at(fault, atomic_fetch_add(&counts[fault], 1));
}
#endif
