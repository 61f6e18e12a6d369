/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * maps.c - the mappings of a process, one at a time; see maps.h
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmod.h"
#include "look.h"
#include "maps.h"
#include "uapi/cr_ioctl.h"

struct cr_maps {
	struct cr_proc_map map;
	pid_t pid;
	/* from smaps */
	FILE *file;
	/* by the module: file is NULL */
	struct cr_kmod *kmod;
	enum cr_engine engine;
	struct cr_ioc_maps call;
	uint32_t at; /* in @buffer, of call.length bytes */
	_Alignas(8) char buffer[CR_MAPS_LENGTH_MAX];
};

/* Fetch the next part. */
static int ask(struct cr_maps *maps)
{
	maps->call.first = maps->call.next;
	maps->call.buffer = (uintptr_t)maps->buffer;
	maps->call.length = sizeof(maps->buffer);
	maps->at = 0;
	return cr_kmod_maps(maps->kmod, maps->pid, &maps->call);
}

static int open_text(struct cr_maps *maps, struct cr_error *err)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/smaps", maps->pid);
	maps->file = fopen(path, "re");
	if (!maps->file)
		return cr_error_errno(err, "%s", path);
	/* the kernel gives a page at a time; libc would ask for a quarter */
	setvbuf(maps->file, maps->buffer, _IOFBF, sizeof(maps->buffer));
	return 0;
}

int cr_maps_open(struct cr_kmod *kmod, enum cr_engine engine, pid_t pid,
		 struct cr_maps **mapsp, struct cr_error *err)
{
	struct cr_maps *maps = malloc(sizeof(*maps));
	int rc = 0;

	if (!maps)
		return cr_error_set(err, -ENOMEM, "out of memory");
	memset(maps, 0, offsetof(struct cr_maps, buffer));
	maps->pid = pid;
	maps->kmod = kmod;
	maps->engine = engine;
	if (kmod)
		rc = cr_look_result(engine, ask(maps), pid, err);
	if (rc == 0)
		rc = open_text(maps, err);
	if (rc < 0) {
		free(maps);
		return rc;
	}
	*mapsp = maps;
	return 0;
}

static void name_advice(char *text, uint64_t advice)
{
	static const char names[] = CR_MAP_ADVICE;

	*text++ = ' ';
	for (size_t i = 0; names[2 * i]; i++) {
		if (!(advice >> i & 1))
			continue;
		*text++ = names[2 * i];
		*text++ = names[2 * i + 1];
		*text++ = ' ';
	}
	*text = '\0';
}

static void convert(struct cr_proc_map *map, const struct cr_ioc_map *from)
{
	_Static_assert(sizeof(CR_MAP_ADVICE) / 2 * 3 + 2 < sizeof(map->flags),
		       "all of them");
	memset(map, 0, offsetof(struct cr_proc_map, path));
	map->start = from->start;
	map->end = from->end;
	map->offset = from->offset;
	map->inode = from->inode;
	map->major = from->major;
	map->minor = from->minor;
	map->prot = from->prot;
	map->is_shared = (from->flags & CR_MAP_F_SHARED) != 0;
	map->page_size = from->page_size;
	if (from->flags & CR_MAP_F_OWN)
		map->resident = map->anonymous = map->shared =
			from->end - from->start;
	name_advice(map->flags, from->advice);
	strcpy(map->path, from->path);
}

int cr_maps_next(struct cr_maps *maps, struct cr_proc_map **mapp,
		 struct cr_error *err)
{
	const struct cr_ioc_map *from;
	int rc;

	*mapp = &maps->map;
	if (maps->file) {
		rc = cr_proc_next_map(maps->file, &maps->map);
		return rc < 0 ? cr_error_set(err, rc,
					     "/proc/%d/smaps is strange",
					     maps->pid) :
				rc;
	}
	if (maps->at == maps->call.length) {
		if (!maps->call.next)
			return 0;
		/* what has been told cannot be taken back */
		rc = cr_look_result(CR_ENGINE_KERNEL, ask(maps), maps->pid,
				    err);
		if (rc < 0 || !maps->call.length)
			return rc < 0 ? rc : 0;
	}
	from = (const void *)(maps->buffer + maps->at);
	maps->at += from->length;
	convert(&maps->map, from);
	return 1;
}

void cr_maps_close(struct cr_maps *maps)
{
	int saved_errno = errno;

	if (!maps)
		return;
	if (maps->file)
		fclose(maps->file);
	free(maps);
	errno = saved_errno;
}
