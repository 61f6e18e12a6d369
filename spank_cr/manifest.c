/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * manifest.c - write, read and check manifest.json; see manifest.h
 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "manifest.h"
#include "manifest_json.h"

void cr_manifest_init(struct cr_manifest *manifest, const struct cr_step *step)
{
	*manifest = (struct cr_manifest){
		.job = step->job,
		.step = step->step,
		.uid = step->uid,
		.nr_nodes = step->nr_nodes,
		.nr_ranks = step->nr_ranks,
		.restart_count = step->restart_count,
		.time = time(NULL),
	};
	strcpy(manifest->command, step->command);
	strcpy(manifest->identity, step->identity);
}

/* Sealed, if it is to be; free(3) it.  NULL: it cannot be. */
static char *make_text(const struct cr_manifest *manifest, struct cr_seal *seal,
		       struct cr_error *err)
{
	json_t *json = cr_manifest_pack(manifest);
	char *text = json ? json_dumps(json, JSON_INDENT(1)) : NULL;
	char *sealed;

	json_decref(json);
	if (!text)
		cr_error_set(err, -ENOMEM, "no memory for the manifest");
	if (!text || !seal)
		return text;
	sealed = cr_manifest_seal(seal, text, err);
	free(text);
	return sealed;
}

static int write_manifest(int dirfd, const char *name, int once,
			  const struct cr_manifest *manifest,
			  struct cr_seal *seal, struct cr_error *err)
{
	struct cr_error why = { 0 };
	char *text = make_text(manifest, seal, &why);
	int rc;

	if (!text)
		return cr_error_set(err, why.code, "%s", why.text);
	rc = cr_manifest_write_text(dirfd, name, once, text, err);
	free(text);
	return rc;
}

int cr_manifest_write(int dirfd, const struct cr_manifest *manifest,
		      struct cr_seal *seal, struct cr_error *err)
{
	return write_manifest(dirfd, CR_MANIFEST_NAME, 0, manifest, seal, err);
}

int cr_manifest_write_as(int dirfd, const char *name,
			 const struct cr_manifest *manifest,
			 struct cr_seal *seal, struct cr_error *err)
{
	return write_manifest(dirfd, name, 0, manifest, seal, err);
}

int cr_manifest_commit(int dirfd, const struct cr_manifest *manifest,
		       struct cr_seal *seal, struct cr_error *err)
{
	return write_manifest(dirfd, CR_MANIFEST_NAME, 1, manifest, seal, err);
}

static int parse(const char *name, const char *text,
		 struct cr_manifest *manifest, struct cr_error *err)
{
	json_error_t why;
	json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &why);
	int rc;

	if (!json)
		return cr_error_set(err, -EBADMSG, "%s is not JSON: %s", name,
				    why.text);
	rc = cr_manifest_unpack(json, manifest, err);
	json_decref(json);
	return rc;
}

/* A seal says nothing about an image without a digest. */
static int check_digests(const struct cr_manifest *manifest, const char *name,
			 struct cr_error *err)
{
	for (size_t i = 0; i < manifest->nr_images; i++)
		if (manifest->images[i].name[0] &&
		    !manifest->images[i].digest[0])
			return cr_error_set(err, -ENOKEY,
					    "%s has no digest of %s", name,
					    manifest->images[i].name);
	return 0;
}

int cr_manifest_read_as(int dirfd, const char *name,
			struct cr_manifest *manifest, struct cr_seal *seal,
			struct cr_error *err)
{
	char *text = NULL;
	int rc;

	memset(manifest, 0, sizeof(*manifest));
	rc = cr_manifest_read_text(dirfd, name, &text, err);
	if (rc)
		return rc;
	if (seal)
		rc = cr_manifest_check_seal(seal, name, text, err);
	if (!rc)
		rc = parse(name, text, manifest, err);
	free(text);
	if (!rc && seal && (rc = check_digests(manifest, name, err)))
		cr_manifest_free(manifest);
	return rc;
}

/* All nodes are there; without an image only where all ranks had ended. */
static int is_whole(const struct cr_manifest *manifest)
{
	if (manifest->nr_images != manifest->nr_nodes)
		return 0;
	for (size_t i = 0; i < manifest->nr_images; i++)
		if (manifest->images[i].node >= manifest->nr_nodes ||
		    (!manifest->images[i].name[0] && manifest->nr_nodes == 1))
			return 0;
	return 1;
}

int cr_manifest_read(int dirfd, struct cr_manifest *manifest,
		     struct cr_seal *seal, struct cr_error *err)
{
	int rc = cr_manifest_read_as(dirfd, CR_MANIFEST_NAME, manifest, seal,
				     err);

	if (rc || is_whole(manifest))
		return rc;
	cr_manifest_free(manifest);
	return cr_error_set(err, -EBADMSG, CR_MANIFEST_NAME " is inconsistent");
}

void cr_manifest_free(struct cr_manifest *manifest)
{
	for (size_t i = 0; i < manifest->nr_images; i++)
		free(manifest->images[i].ranks);
	free(manifest->images);
	free(manifest->streams);
	free(manifest->ended);
	free(manifest->addresses);
	free(manifest->ends);
	manifest->addresses = NULL;
	manifest->ends = NULL;
	manifest->nr_addresses = manifest->nr_ends = 0;
	manifest->images = NULL;
	manifest->streams = NULL;
	manifest->ended = NULL;
	manifest->nr_images = manifest->nr_streams = manifest->nr_ended = 0;
}

static int same_command(const struct cr_manifest *manifest,
			const struct cr_step *step)
{
	json_t *now = cr_manifest_pack_command(step->command);
	int same;

	same = now && !strcmp(manifest->command, json_string_value(now));
	json_decref(now);
	return same;
}

/* Steps of srun may get other numbers, but stay who they are. */
static int same_step(const struct cr_manifest *manifest,
		     const struct cr_step *step)
{
	if (manifest->step == step->step)
		return !*manifest->identity || !*step->identity ||
		       cr_identity_same_place(manifest->identity,
					      step->identity);
	return cr_identity_same_place(manifest->identity, step->identity);
}

int cr_manifest_match(const struct cr_manifest *manifest,
		      const struct cr_step *step, struct cr_error *err)
{
	if (manifest->uid != step->uid)
		return cr_error_set(err, -EPERM, "it is of uid %u, not %u",
				    manifest->uid, step->uid);
	if (manifest->job != step->job || !same_step(manifest, step))
		return cr_error_set(err, -EPERM,
				    "it is of job %u step %u, not of %s",
				    manifest->job, manifest->step, step->name);
	if (manifest->nr_nodes != step->nr_nodes ||
	    manifest->nr_ranks != step->nr_ranks)
		return cr_error_set(err, -ESTALE,
				    "it has %u ranks on %u nodes, the step "
				    "has %u on %u",
				    manifest->nr_ranks, manifest->nr_nodes,
				    step->nr_ranks, step->nr_nodes);
	if (!same_command(manifest, step))
		return cr_error_set(err, -ESTALE,
				    "it is of another program: %.200s",
				    manifest->command);
	return 0;
}

const struct cr_manifest_image *
cr_manifest_image(const struct cr_manifest *manifest, uint32_t node)
{
	for (size_t i = 0; i < manifest->nr_images; i++)
		if (manifest->images[i].node == node)
			return &manifest->images[i];
	return NULL;
}
