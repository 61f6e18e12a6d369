/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * manifest.h - the file that makes a generation one
 *
 * manifest.json lies beside the images and says whose they are, how many
 * nodes have one, and what is needed to go on that is not in them.  It is
 * renamed into place last: a folder without it is no generation.
 */
#ifndef MANIFEST_H
#define MANIFEST_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cr_error.h"
#include "cr_tcp.h"
#include "image_digest.h"
#include "step.h"

#define CR_MANIFEST_NAME "manifest.json"
#define CR_MANIFEST_FORMAT 1
#define CR_MANIFEST_IMAGES_MAX 65536
#define CR_MANIFEST_NAME_MAX 32
#define CR_MANIFEST_ADDRESSES_MAX 64 /* of a node */
#define CR_MANIFEST_ENDS_MAX 100000 /* of a step */

/*
 * A step of several nodes: each node's agent writes its part, a manifest of one
 * node under another name; the lead puts them together (manifest_part.c).
 */

struct cr_manifest_image {
	uint32_t node; /* index in the step */
	uint64_t size; /* bytes */
	char name[CR_MANIFEST_NAME_MAX]; /* "": its ranks had all ended */
	char digest[CR_DIGEST_SIZE]; /* of the file; "": not known */
	/* of the saved tree, only with a digest: then nothing of the image has
	 * to be read before it is known to be genuine */
	uint64_t monotonic_ns, boottime_ns;
	/* Ranks of that node: "0-3,8".  NULL: not known (of one node).  Freed
	 * with the manifest. */
	char *ranks;
};

/* A standard stream of a rank that led to a regular file, or its input from
 * Slurm's pipe, as it was when the tree was frozen. */
struct cr_manifest_stream {
	uint32_t rank;
	uint32_t fd; /* 0..2 */
	uint64_t device, inode; /* 0: a pipe */
	uint64_t size; /* bytes; of a pipe 0 */
	uint64_t position; /* of a pipe: bytes that the rank had read */
};

/* A rank that had ended before. */
struct cr_manifest_ended {
	uint32_t rank;
	uint32_t status; /* as of wait(2) */
};

/* An address that a node had: no loopback, no link-local one. */
struct cr_manifest_address {
	uint32_t node;
	uint32_t prefix; /* length of the network's part, bits */
	char interface[16];
	struct cr_tcp_address address; /* port 0 */
};

/* An end of a TCP connection whose other end is in no image of its node.
 * ->file and ->has_peer are 0. */
struct cr_manifest_end {
	uint32_t node;
	struct cr_tcp_end end;
};

struct cr_manifest {
	uint32_t generation;
	uint32_t job, step;
	uint32_t nr_nodes, nr_ranks;
	uint32_t restart_count; /* of the job when it was saved */
	uid_t uid;
	int is_final; /* the tree was ended after it */
	int64_t time; /* seconds since 1970 */
	char identity[CR_IDENTITY_SIZE]; /* see identity.h */
	char command[CR_STEP_COMMAND_MAX];
	struct cr_manifest_image *images;
	size_t nr_images;
	uint32_t next_node; /* after the last whose part was added */
	struct cr_manifest_stream *streams;
	size_t nr_streams;
	struct cr_manifest_ended *ended;
	size_t nr_ended;
	struct cr_manifest_address *addresses; /* in the nodes' own order */
	size_t nr_addresses;
	struct cr_manifest_end *ends;
	size_t nr_ends;
};

/* What it takes over from the step, and the time; no arrays, all else 0. */
void cr_manifest_init(struct cr_manifest *manifest, const struct cr_step *step);

/*
 * What is written is sealed with @seal (peer_seal.h), and what is read must
 * have been, by root; NULL: neither.
 */
struct cr_seal;

/* Make @manifest durable in @dirfd under its name. 0 or a negative errno
 * (-ETIMEDOUT: munged does not answer). */
int cr_manifest_write(int dirfd, const struct cr_manifest *manifest,
		      struct cr_seal *seal, struct cr_error *err);

/*
 * Read and check the one in @dirfd.  On success the arrays belong to the
 * caller: cr_manifest_free().
 * Returns 0, -ENOENT (no generation), -EBADMSG (not a manifest, not
 * consistent, or altered since it was sealed), -EPROTONOSUPPORT (newer), -EPERM
 * (somebody else's file, or sealed by somebody else), -ENOKEY (not sealed, or
 * an image without a digest; or munge knows its key not or no more), -ETIMEDOUT
 * (munged does not answer).
 */
int cr_manifest_read(int dirfd, struct cr_manifest *manifest,
		     struct cr_seal *seal, struct cr_error *err);

/* The same under another name, and without ado: a part. */
int cr_manifest_write_as(int dirfd, const char *name,
			 const struct cr_manifest *manifest,
			 struct cr_seal *seal, struct cr_error *err);
int cr_manifest_read_as(int dirfd, const char *name,
			struct cr_manifest *manifest, struct cr_seal *seal,
			struct cr_error *err);

/*
 * Commit: as cr_manifest_write(), but never in place of anything that is
 * there.  -EEXIST: the generation was given up before (or is complete).
 */
int cr_manifest_commit(int dirfd, const struct cr_manifest *manifest,
		       struct cr_seal *seal, struct cr_error *err);

/*
 * Give the generation in @dirfd up for good: cr_manifest_commit() fails from
 * now on.  Whoever of the two is first decides.  0, -EEXIST if it is
 * complete, -ENOENT if its folder has gone (it will never be).
 */
int cr_manifest_forbid(int dirfd, struct cr_error *err);

/* Names of the part of @node, and of what it leaves when it is over. */
void cr_manifest_name_part(char name[CR_MANIFEST_NAME_MAX], uint32_t node);
void cr_manifest_name_left(char name[CR_MANIFEST_NAME_MAX], uint32_t node);

/*
 * Add what @part, a manifest of one image, says to @whole.  -ESTALE if it is
 * not of the same generation and step, or the node is in @whole already; -E2BIG
 * if that were more connections than a manifest can have.
 */
int cr_manifest_add(struct cr_manifest *whole, const struct cr_manifest *part,
		    struct cr_error *err);

void cr_manifest_free(struct cr_manifest *manifest);

/*
 * Is it of this step?  -EPERM: another user's or job's; -ESTALE: the step has
 * another shape or runs another program now.
 */
int cr_manifest_match(const struct cr_manifest *manifest,
		      const struct cr_step *step, struct cr_error *err);

/* The image of @node, or NULL. */
const struct cr_manifest_image *
cr_manifest_image(const struct cr_manifest *manifest, uint32_t node);

#endif /* MANIFEST_H */
