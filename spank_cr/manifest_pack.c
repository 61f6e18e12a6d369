/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * manifest_pack.c - a manifest as JSON
 */
#include <stdio.h>

#include "manifest_json.h"

static void pack_digest(const struct cr_manifest_image *image, json_t *json)
{
	if (!image->digest[0])
		return;
	json_object_set_new(json, "digest", json_string(image->digest));
	json_object_set_new(json, "monotonic_ns",
			    json_integer((json_int_t)image->monotonic_ns));
	json_object_set_new(json, "boottime_ns",
			    json_integer((json_int_t)image->boottime_ns));
}

static json_t *pack_images(const struct cr_manifest *manifest)
{
	json_t *array = json_array();

	for (size_t i = 0; i < manifest->nr_images; i++) {
		const struct cr_manifest_image *image = &manifest->images[i];
		json_t *json =
			json_pack("{sI ss sI ss*}", "node",
				  (json_int_t)image->node, "name", image->name,
				  "size", (json_int_t)image->size, "ranks",
				  image->ranks);

		pack_digest(image, json);
		json_array_append_new(array, json);
	}
	return array;
}

static json_t *pack_streams(const struct cr_manifest *manifest)
{
	json_t *array = json_array();

	for (size_t i = 0; i < manifest->nr_streams; i++) {
		const struct cr_manifest_stream *s = &manifest->streams[i];

		json_array_append_new(array,
				      json_pack("{sI sI sI sI sI sI}", "rank",
						(json_int_t)s->rank, "fd",
						(json_int_t)s->fd, "device",
						(json_int_t)s->device, "inode",
						(json_int_t)s->inode, "size",
						(json_int_t)s->size, "position",
						(json_int_t)s->position));
	}
	return array;
}

static json_t *pack_ended(const struct cr_manifest *manifest)
{
	json_t *array = json_array();

	for (size_t i = 0; i < manifest->nr_ended; i++)
		json_array_append_new(array,
				      json_pack("{sI sI}", "rank",
						(json_int_t)manifest->ended[i]
							.rank,
						"status",
						(json_int_t)manifest->ended[i]
							.status));
	return array;
}

/* The command may hold any bytes; JSON may not. */
json_t *cr_manifest_pack_command(const char *command)
{
	char text[CR_STEP_COMMAND_MAX];

	snprintf(text, sizeof(text), "%s", command);
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || (unsigned char)*c > '~')
			*c = '?';
	return json_string(text);
}

json_t *cr_manifest_pack(const struct cr_manifest *manifest)
{
	return json_pack(
		"{si sI sI sI sI sI sI sI sb sI ss so so so so so so sn}",
		"format", CR_MANIFEST_FORMAT, "generation",
		(json_int_t)manifest->generation, "job",
		(json_int_t)manifest->job, "step", (json_int_t)manifest->step,
		"uid", (json_int_t)manifest->uid, "nodes",
		(json_int_t)manifest->nr_nodes, "ranks",
		(json_int_t)manifest->nr_ranks, "restart_count",
		(json_int_t)manifest->restart_count, "final",
		manifest->is_final, "time", (json_int_t)manifest->time,
		"identity", manifest->identity, "command",
		cr_manifest_pack_command(manifest->command), "images",
		pack_images(manifest), "streams", pack_streams(manifest),
		"ended", pack_ended(manifest), "addresses",
		cr_manifest_pack_addresses(manifest), "connections",
		cr_manifest_pack_ends(manifest), "seal");
}
