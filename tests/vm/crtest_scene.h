/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * crtest_scene.h - a stopped process with known pages, and an image for them
 */
#ifndef CRTEST_SCENE_H
#define CRTEST_SCENE_H

#include "crtest.h"
#include "image_wire.h"

#define PAGE 4096ul
#define NR 64u /* pages of the scene */
#define BASE 0x200000000ul
#define KERNEL 0xffff888000000000ul

/*
 * A stopped process with pages at BASE: page i is full of the number i + 1,
 * every fourth is zero, and the last eight were never touched.
 */
struct scene {
	pid_t pid;
	int mem; /* its /proc/PID/mem, for reading and writing */
	int device;
	int image; /* empty file */
};

struct scene
crtest_scene(int prot); /* @prot is what the pages have in the end */
void crtest_map(int prot); /* NR pages at BASE, of ourselves */
void crtest_paint(void);
int crtest_is_painted(const void *page, uint32_t i); /* as page @i is */
int crtest_open_mem(pid_t pid, int flags);

/* All but the answer: the process is the scene's, zero pages are left out. */
struct cr_ioc_chunk crtest_chunk(const struct scene *scene,
				 const struct cr_wire_run *runs, uint32_t nr);
/* CR_IOC_CHECKPOINT to the scene's image, where it stands; as ioctl(2). */
long crtest_save(const struct scene *scene, struct cr_ioc_chunk *chunks,
		 uint32_t nr, struct cr_ioc_checkpoint *call);
/* The same of one chunk; -1 and errno: what is said to be wrong with it. */
long crtest_save_one(const struct scene *scene, struct cr_ioc_chunk *chunk);

/*
 * Check a chunk that the scene's image has at @chunk->offset, against lib/'s
 * notion of one, and that its pages are painted as those of the scene.
 * Returns its header, to be freed.
 */
struct cr_wire_record *crtest_read_chunk(const struct scene *scene,
					 const struct cr_ioc_chunk *chunk);

#endif /* CRTEST_SCENE_H */
