/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * manifest_json.h - what the files that write and read manifests share
 *
 * Private to manifest*.c.  Reading never trusts: whatever is not as it should
 * be sets *@bad.
 */
#ifndef MANIFEST_JSON_H
#define MANIFEST_JSON_H

#include <jansson.h>

#include "manifest.h"

/* --- manifest_file.c --- */
/* Write @name durably, or leave none.  @once: never over what is there; then it
 * stays on failure, too, if another node may have seen it. */
int cr_manifest_write_text(int dirfd, const char *name, int once,
			   const char *text, struct cr_error *err);
/* Whole file as text, freed with free(3); owner, kind and size are checked. */
int cr_manifest_read_text(int dirfd, const char *name, char **textp,
			  struct cr_error *err);

/* --- manifest_seal.c --- */
/* @text, which cr_manifest_pack() has made, sealed; free(3) it.  NULL: it
 * cannot be. */
char *cr_manifest_seal(struct cr_seal *seal, const char *text,
		       struct cr_error *err);
/* Is @text, of file @name, sealed?  As cr_manifest_read(). */
int cr_manifest_check_seal(struct cr_seal *seal, const char *name,
			   const char *text, struct cr_error *err);

/* --- manifest_pack.c; NULL without memory --- */
json_t *cr_manifest_pack(const struct cr_manifest *manifest);
/* A step's command as manifests have it. */
json_t *cr_manifest_pack_command(const char *command);

/* --- manifest_unpack.c --- */
/* Fill *@manifest, which is all zeros; on failure there is nothing to free.
 * Returns 0, -EPROTONOSUPPORT or -EBADMSG. */
int cr_manifest_unpack(const json_t *json, struct cr_manifest *manifest,
		       struct cr_error *err);
/* An unsigned number that fits into 32 bits, or 0 with *@bad set. */
uint32_t cr_json_u32(const json_t *object, const char *key, int *bad);
/* Copy a text that is shorter than @size.  Not 0: there is none. */
int cr_json_text(const json_t *object, const char *key, char *text,
		 size_t size);

/* One object into its structure, which is all zeros. */
typedef void cr_json_unpack_fn(const json_t *json, void *to, int *bad);
/* The array @key, of structures of @size bytes, freed with free(3); *@nrp: how
 * many; none if it is not there.  NULL, with *@bad set: more than @max. */
void *cr_json_array(const json_t *object, const char *key, size_t max,
		    size_t size, cr_json_unpack_fn *unpack, size_t *nrp,
		    int *bad);

/* --- manifest_tcp.c --- */
json_t *cr_manifest_pack_addresses(const struct cr_manifest *manifest);
json_t *cr_manifest_pack_ends(const struct cr_manifest *manifest);
/* Both; a manifest from before they were there has none. */
void cr_manifest_unpack_tcp(const json_t *json, struct cr_manifest *manifest,
			    int *bad);

#endif /* MANIFEST_JSON_H */
