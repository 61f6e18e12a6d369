/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cr_engine.h - who moves the memory: this process, or the kernel's module
 *
 * The image is the same.  docs/kernel.md has what the module adds.
 */
#ifndef CR_ENGINE_H
#define CR_ENGINE_H

enum cr_engine {
	CR_ENGINE_AUTO, /* the module where it is loaded and does it */
	CR_ENGINE_USER,
	CR_ENGINE_KERNEL, /* an error where it is not there or fails */
};

/* By name: auto, user or kernel; -EINVAL for others. */
int cr_engine_parse(const char *name);

#endif /* CR_ENGINE_H */
