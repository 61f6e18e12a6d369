/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * manifest.c - write, read and check manifest.json; see manifest.h
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cr_fault.h"
#include "manifest.h"
#include "manifest_json.h"

#define RANKS_MAX 65536 /* characters */
#define SIZE_MAX_BYTES (32l << 20)

static json_t *pack_images(const struct cr_manifest *manifest)
{
	json_t *array = json_array();

	for (size_t i = 0; i < manifest->nr_images; i++) {
		const struct cr_manifest_image *image = &manifest->images[i];

		json_array_append_new(array,
				      json_pack("{sI ss sI ss*}", "node",
						(json_int_t)image->node, "name",
						image->name, "size",
						(json_int_t)image->size,
						"ranks", image->ranks));
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
static json_t *pack_command(const char *command)
{
	char text[CR_STEP_COMMAND_MAX];

	snprintf(text, sizeof(text), "%s", command);
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || (unsigned char)*c > '~')
			*c = '?';
	return json_string(text);
}

static json_t *pack(const struct cr_manifest *manifest)
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
		pack_command(manifest->command), "images",
		pack_images(manifest), "streams", pack_streams(manifest),
		"ended", pack_ended(manifest), "addresses",
		cr_manifest_pack_addresses(manifest), "connections",
		cr_manifest_pack_ends(manifest), "seal");
}

static int write_all(int fd, const char *text, size_t length)
{
	while (length) {
		ssize_t n = write(fd, text, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		text += n;
		length -= (size_t)n;
	}
	return 0;
}

/* Several nodes write into one folder: a name of its own for each. */
static void name_temporary(char temporary[NAME_MAX], const char *name)
{
	snprintf(temporary, NAME_MAX, ".%s.tmp", name);
}

static int write_temporary(int dirfd, const char *temporary, const char *text,
			   struct cr_error *err)
{
	int rc, fd;

	if (unlinkat(dirfd, temporary, 0) < 0 && errno != ENOENT)
		return cr_error_errno(err, "remove %s", temporary);
	fd = openat(dirfd, temporary,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return cr_error_errno(err, "create %s", temporary);
	rc = write_all(fd, text, strlen(text));
	if (!rc)
		rc = cr_fault(CR_FAULT_MANIFEST_SYNC) ? -1 : fsync(fd);
	if (rc)
		rc = cr_error_errno(err, "write %s", temporary);
	close(fd);
	return rc;
}

/* Never over what is there.  NFS has links for that, others renameat2. */
static int rename_once(int dirfd, const char *temporary, const char *name)
{
	if (linkat(dirfd, temporary, dirfd, name, 0) == 0)
		return unlinkat(dirfd, temporary, 0);
	if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS)
		return -1;
	return renameat2(dirfd, temporary, dirfd, name, RENAME_NOREPLACE);
}

/*
 * An error means that there is no generation: so no manifest stays.  But what
 * is written @once may have been seen by another node, which has decided by it.
 */
static int put_in_place(int dirfd, const char *temporary, const char *name,
			int once, struct cr_error *err)
{
	int rc;

	if (cr_fault(CR_FAULT_MANIFEST_RENAME))
		rc = -1;
	else if (once)
		rc = rename_once(dirfd, temporary, name);
	else
		rc = renameat(dirfd, temporary, dirfd, name);
	if (rc < 0)
		return cr_error_errno(err, "put %s in place", name);
	if (!cr_fault(CR_FAULT_MANIFEST_FOLDER) && fsync(dirfd) == 0)
		return 0;
	rc = cr_error_errno(err, "sync the folder of the manifest");
	if (!once)
		unlinkat(dirfd, name, 0);
	return rc;
}

static int write_durably(int dirfd, const char *name, int once,
			 const char *text, struct cr_error *err)
{
	char temporary[NAME_MAX];
	int rc;

	name_temporary(temporary, name);
	rc = write_temporary(dirfd, temporary, text, err);
	if (!rc)
		rc = put_in_place(dirfd, temporary, name, once, err);
	if (rc)
		unlinkat(dirfd, temporary, 0);
	return rc;
}

static int write_manifest(int dirfd, const char *name, int once,
			  const struct cr_manifest *manifest,
			  struct cr_error *err)
{
	json_t *json = pack(manifest);
	char *text;
	int rc;

	text = json ? json_dumps(json, JSON_INDENT(1)) : NULL;
	if (!text)
		rc = cr_error_set(err, -ENOMEM, "no memory for the manifest");
	else
		rc = write_durably(dirfd, name, once, text, err);
	free(text);
	json_decref(json);
	return rc;
}

int cr_manifest_write(int dirfd, const struct cr_manifest *manifest,
		      struct cr_error *err)
{
	return write_manifest(dirfd, CR_MANIFEST_NAME, 0, manifest, err);
}

int cr_manifest_write_as(int dirfd, const char *name,
			 const struct cr_manifest *manifest,
			 struct cr_error *err)
{
	return write_manifest(dirfd, name, 0, manifest, err);
}

int cr_manifest_commit(int dirfd, const struct cr_manifest *manifest,
		       struct cr_error *err)
{
	return write_manifest(dirfd, CR_MANIFEST_NAME, 1, manifest, err);
}

/* Whole file as text; owner, kind and size are checked. */
static int read_text(int dirfd, const char *name, char **textp,
		     struct cr_error *err)
{
	struct stat st;
	char *text = NULL;
	ssize_t n;
	int fd, rc = 0;

	fd = openat(dirfd, name,
		    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return cr_error_errno(err, "open %s", name);
	if (fstat(fd, &st) < 0)
		rc = cr_error_errno(err, "stat %s", name);
	else if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
		rc = cr_error_set(err, -EPERM,
				  "%s belongs to uid %u, not to root", name,
				  st.st_uid);
	else if (st.st_size > SIZE_MAX_BYTES)
		rc = cr_error_set(err, -EBADMSG, "%s is too large", name);
	else if (!(text = calloc(1, (size_t)st.st_size + 1)))
		rc = cr_error_set(err, -ENOMEM, "no memory for the manifest");
	if (rc)
		goto out;
	n = read(fd, text, (size_t)st.st_size);
	if (n != st.st_size)
		rc = cr_error_set(err, -EBADMSG, "%s is cut short", name);
out:
	close(fd);
	if (rc)
		free(text);
	else
		*textp = text;
	return rc;
}

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

static int unpack(const json_t *json, struct cr_manifest *manifest,
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

int cr_manifest_read_as(int dirfd, const char *name,
			struct cr_manifest *manifest, struct cr_error *err)
{
	json_error_t why;
	char *text = NULL;
	json_t *json;
	int rc;

	memset(manifest, 0, sizeof(*manifest));
	rc = read_text(dirfd, name, &text, err);
	if (rc)
		return rc;
	json = json_loads(text, JSON_REJECT_DUPLICATES, &why);
	if (!json)
		rc = cr_error_set(err, -EBADMSG, "%s is not JSON: %s", name,
				  why.text);
	else
		rc = unpack(json, manifest, err);
	json_decref(json);
	free(text);
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
		     struct cr_error *err)
{
	int rc = cr_manifest_read_as(dirfd, CR_MANIFEST_NAME, manifest, err);

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
	json_t *now = pack_command(step->command);
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
