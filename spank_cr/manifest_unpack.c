/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * manifest_unpack.c - a manifest from JSON, which is not trusted
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "manifest_json.h"

#define RANKS_MAX 65536 /* characters */

uint32_t cr_json_u32(const json_t *object, const char *key, int *bad)
{
	const json_t *value = json_object_get(object, key);
	json_int_t number = json_integer_value(value);

	if (json_is_integer(value) && number >= 0 && number <= UINT32_MAX)
		return (uint32_t)number;
	*bad = 1;
	return 0;
}

static uint64_t get_u64(const json_t *object, const char *key, int *bad)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_integer(value))
		*bad = 1;
	return (uint64_t)json_integer_value(value);
}

int cr_json_text(const json_t *object, const char *key, char *text, size_t size)
{
	const char *value = json_string_value(json_object_get(object, key));

	if (!value || strlen(value) >= size)
		return 1;
	memcpy(text, value, strlen(value) + 1);
	return 0;
}

void *cr_json_array(const json_t *object, const char *key, size_t max,
		    size_t size, cr_json_unpack_fn *unpack, size_t *nrp,
		    int *bad)
{
	const json_t *array = json_object_get(object, key);
	const size_t nr = json_array_size(array);
	char *all = nr > max ? NULL : calloc(nr + 1, size);

	if (!all) {
		*bad = 1;
		return NULL;
	}
	for (size_t i = 0; i < nr; i++)
		unpack(json_array_get(array, i), all + i * size, bad);
	*nrp = nr;
	return all;
}

static void unpack_ranks(const json_t *json, struct cr_manifest_image *image,
			 int *bad)
{
	const char *ranks = json_string_value(json_object_get(json, "ranks"));

	if (!ranks)
		return;
	if (strlen(ranks) > RANKS_MAX ||
	    strspn(ranks, "0123456789,-") != strlen(ranks) ||
	    !(image->ranks = strdup(ranks)))
		*bad = 1;
}

static void unpack_digest(const json_t *json, struct cr_manifest_image *image,
			  int *bad)
{
	if (!json_object_get(json, "digest"))
		return;
	if (cr_json_text(json, "digest", image->digest,
			 sizeof(image->digest)) ||
	    !cr_digest_is_valid(image->digest))
		*bad = 1;
	image->monotonic_ns = get_u64(json, "monotonic_ns", bad);
	image->boottime_ns = get_u64(json, "boottime_ns", bad);
}

static void unpack_image(const json_t *json, void *to, int *bad)
{
	struct cr_manifest_image *image = to;

	image->node = cr_json_u32(json, "node", bad);
	image->size = get_u64(json, "size", bad);
	if (cr_json_text(json, "name", image->name, sizeof(image->name)) ||
	    image->name[0] == '.' || strchr(image->name, '/'))
		*bad = 1;
	unpack_digest(json, image, bad);
	unpack_ranks(json, image, bad);
}

static void unpack_stream(const json_t *json, void *to, int *bad)
{
	struct cr_manifest_stream *s = to;

	s->rank = cr_json_u32(json, "rank", bad);
	s->fd = cr_json_u32(json, "fd", bad);
	s->device = get_u64(json, "device", bad);
	s->inode = get_u64(json, "inode", bad);
	s->size = get_u64(json, "size", bad);
	s->position = get_u64(json, "position", bad);
	if (s->fd > 2)
		*bad = 1;
}

static void unpack_ended(const json_t *json, void *to, int *bad)
{
	struct cr_manifest_ended *ended = to;

	ended->rank = cr_json_u32(json, "rank", bad);
	ended->status = cr_json_u32(json, "status", bad);
}

static void unpack_arrays(const json_t *json, struct cr_manifest *manifest,
			  int *bad)
{
	const size_t nr_nodes = manifest->nr_nodes;

	manifest->images =
		cr_json_array(json, "images",
			      nr_nodes < CR_MANIFEST_IMAGES_MAX ?
				      nr_nodes :
				      CR_MANIFEST_IMAGES_MAX,
			      sizeof(*manifest->images), unpack_image,
			      &manifest->nr_images, bad);
	if (!manifest->nr_images)
		*bad = 1;
	manifest->streams =
		cr_json_array(json, "streams",
			      3ul * CR_STEP_RANKS_MAX * nr_nodes,
			      sizeof(*manifest->streams), unpack_stream,
			      &manifest->nr_streams, bad);
	manifest->ended =
		cr_json_array(json, "ended", CR_STEP_RANKS_MAX * nr_nodes,
			      sizeof(*manifest->ended), unpack_ended,
			      &manifest->nr_ended, bad);
}

int cr_manifest_unpack(const json_t *json, struct cr_manifest *manifest,
		       struct cr_error *err)
{
	int bad = 0;

	if (cr_json_u32(json, "format", &bad) != CR_MANIFEST_FORMAT || bad)
		return cr_error_set(err, bad ? -EBADMSG : -EPROTONOSUPPORT,
				    CR_MANIFEST_NAME " is of an unknown "
						     "format");
	manifest->generation = cr_json_u32(json, "generation", &bad);
	manifest->job = cr_json_u32(json, "job", &bad);
	manifest->step = cr_json_u32(json, "step", &bad);
	manifest->uid = cr_json_u32(json, "uid", &bad);
	manifest->nr_nodes = cr_json_u32(json, "nodes", &bad);
	manifest->nr_ranks = cr_json_u32(json, "ranks", &bad);
	manifest->restart_count = cr_json_u32(json, "restart_count", &bad);
	manifest->is_final = json_is_true(json_object_get(json, "final"));
	manifest->time = (int64_t)get_u64(json, "time", &bad);
	if (cr_json_text(json, "identity", manifest->identity,
			 sizeof(manifest->identity)) ||
	    (manifest->identity[0] &&
	     !cr_identity_is_valid(manifest->identity)))
		bad = 1;
	if (cr_json_text(json, "command", manifest->command,
			 sizeof(manifest->command)))
		bad = 1;
	unpack_arrays(json, manifest, &bad);
	cr_manifest_unpack_tcp(json, manifest, &bad);
	if (bad) {
		cr_manifest_free(manifest);
		return cr_error_set(err, -EBADMSG,
				    CR_MANIFEST_NAME " is inconsistent");
	}
	return 0;
}
