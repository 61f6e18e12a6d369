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

static void unpack_image(const json_t *json, struct cr_manifest_image *image,
			 int *bad)
{
	image->node = cr_json_u32(json, "node", bad);
	image->size = get_u64(json, "size", bad);
	if (cr_json_text(json, "name", image->name, sizeof(image->name)) ||
	    image->name[0] == '.' || strchr(image->name, '/'))
		*bad = 1;
	unpack_ranks(json, image, bad);
}

static void unpack_stream(const json_t *json, struct cr_manifest_stream *s,
			  int *bad)
{
	s->rank = cr_json_u32(json, "rank", bad);
	s->fd = cr_json_u32(json, "fd", bad);
	s->device = get_u64(json, "device", bad);
	s->inode = get_u64(json, "inode", bad);
	s->size = get_u64(json, "size", bad);
	s->position = get_u64(json, "position", bad);
	if (s->fd > 2)
		*bad = 1;
}

static void unpack_ended(const json_t *json, struct cr_manifest_ended *ended,
			 int *bad)
{
	ended->rank = cr_json_u32(json, "rank", bad);
	ended->status = cr_json_u32(json, "status", bad);
}

static void unpack_arrays(const json_t *json, struct cr_manifest *manifest,
			  int *bad)
{
	const json_t *images = json_object_get(json, "images");
	const json_t *streams = json_object_get(json, "streams");
	size_t nr_images = json_array_size(images);
	const json_t *ended = json_object_get(json, "ended");
	size_t nr_streams = json_array_size(streams);
	size_t nr_ended = json_array_size(ended);

	if (!nr_images || nr_images > CR_MANIFEST_IMAGES_MAX ||
	    nr_images > manifest->nr_nodes ||
	    nr_streams > 3ul * CR_STEP_RANKS_MAX * manifest->nr_nodes ||
	    nr_ended > (size_t)CR_STEP_RANKS_MAX * manifest->nr_nodes) {
		*bad = 1;
		return;
	}
	manifest->images = calloc(nr_images, sizeof(*manifest->images));
	manifest->streams = calloc(nr_streams + 1, sizeof(*manifest->streams));
	manifest->ended = calloc(nr_ended + 1, sizeof(*manifest->ended));
	if (!manifest->images || !manifest->streams || !manifest->ended) {
		*bad = 1;
		return;
	}
	manifest->nr_images = nr_images;
	for (size_t i = 0; i < nr_images; i++)
		unpack_image(json_array_get(images, i), &manifest->images[i],
			     bad);
	for (size_t i = 0; i < nr_streams; i++)
		unpack_stream(json_array_get(streams, i), &manifest->streams[i],
			      bad);
	for (size_t i = 0; i < nr_ended; i++)
		unpack_ended(json_array_get(ended, i), &manifest->ended[i],
			     bad);
	manifest->nr_streams = nr_streams;
	manifest->nr_ended = nr_ended;
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
