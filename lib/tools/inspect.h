/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inspect.h - what the files of `cr inspect` share
 */
#ifndef INSPECT_H
#define INSPECT_H

#include <stddef.h>
#include <stdint.h>

#include "cr_image.h"
#include "saved.h"

struct inspect {
	const char *name; /* of the image, as given */
	struct cr_image *image;
	const struct cr_saved *saved;
	uint64_t file_bytes; /* 0: a stream */
	int show_maps; /* in the text; JSON always has them */
};

/* ---- inspect_text.c, inspect_json.c: all to stdout ---- */

void cr_inspect_text(const struct inspect *inspect);

/* Returns 0 or -ENOMEM. */
int cr_inspect_json(const struct inspect *inspect);

/* ---- inspect_names.c ---- */

/* Words for numbers of image_wire.h, "?" where there is none. */
const char *cr_inspect_file_kind(uint32_t kind);
const char *cr_inspect_space_kind(uint32_t kind);
const char *cr_inspect_vma_kind(uint32_t kind);
const char *cr_inspect_state(const struct cr_wire_link *link);

/* "rw-p" as in /proc/PID/maps. */
void cr_inspect_protection(const struct cr_wire_vma *vma, char text[5]);

const char *cr_inspect_tcp_kind(uint32_t kind);

/* Path of file @id; "" if 0. */
const char *cr_inspect_path(const struct cr_saved *saved, uint32_t id);

/*
 * Copy @from to @to, which has room for @max bytes, with everything but
 * printable ASCII and valid UTF-8 written as \xNN: names in an image are
 * untrusted, and a terminal obeys what it is shown.  Returns @to.
 */
const char *cr_inspect_printable(const char *from, char *to, size_t max);

#define INSPECT_TEXT_MAX 1024

#endif /* INSPECT_H */
