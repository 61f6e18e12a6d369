/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_commit.c - the lead's work on the shared file system: make a
 * generation's folder, see whether all connections have two ends, and put its
 * manifest together and in place
 *
 * In workers: a file system may take long.  If the lead dies the one that
 * commits works on; the others see by the manifest what came of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent_hold.h"
#include "agent_peers.h"
#include "connections.h"
#include "generation.h"
#include "manifest.h"

void agent_commit_prepare(struct agent *agent, struct agent_result *result)
{
	int dirfd = cr_generation_create(agent->step_dirfd, &result->generation,
					 &result->err);

	if (dirfd >= 0)
		close(dirfd);
}

/* What a node that is over has left, as if it were of this generation. */
static int read_left(const struct agent *agent, uint32_t node,
		     struct cr_manifest *part, struct cr_error *err)
{
	char name[CR_MANIFEST_NAME_MAX];
	int rc;

	cr_manifest_name_left(name, node);
	rc = cr_manifest_read_as(agent->step_dirfd, name, part,
				 agent_manifest_seal(agent), err);
	if (!rc)
		part->generation = agent->lead->generation;
	return rc;
}

/* Is the image there, and what the part says? */
static int check_image(int dirfd, const struct cr_manifest *part,
		       struct cr_error *err)
{
	const struct cr_manifest_image *image = part->images;
	struct stat st;

	if (!image->name[0])
		return 0;
	if (fstatat(dirfd, image->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return cr_error_errno(err, "stat %s", image->name);
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    (uint64_t)st.st_size != image->size)
		return cr_error_set(err, -ESTALE,
				    "%s is not what its node has written",
				    image->name);
	return 0;
}

/* It is sealed when its image is saved. */
static int read_part(const struct agent *agent, int dirfd, uint32_t node,
		     int is_saved, struct cr_manifest *part,
		     struct cr_error *err)
{
	const struct agent_peer *peer = &agent->lead->peers[node];
	char name[CR_MANIFEST_NAME_MAX];
	int rc;

	cr_manifest_name_part(name, node);
	rc = cr_manifest_read_as(dirfd, name, part,
				 is_saved ? agent_manifest_seal(agent) : NULL,
				 err);
	if (rc || !is_saved)
		return rc;
	if (part->images[0].size != peer->image_size)
		rc = cr_error_set(err, -ESTALE, "%s is not its last one", name);
	return rc ? rc : check_image(dirfd, part, err);
}

static int add_node(const struct agent *agent, int dirfd, uint32_t node,
		    int is_saved, struct cr_manifest *whole,
		    struct cr_error *err)
{
	const struct agent_peer *peer = &agent->lead->peers[node];
	struct cr_manifest part = { 0 };
	int rc;

	if (peer->state == AGENT_PEER_LEFT)
		rc = read_left(agent, node, &part, err);
	else
		rc = read_part(agent, dirfd, node, is_saved, &part, err);
	if (!rc && part.images[0].node != node)
		rc = cr_error_set(err, -ESTALE, "a part of node %u",
				  part.images[0].node);
	if (!rc)
		rc = cr_manifest_add(whole, &part, err);
	cr_manifest_free(&part);
	return rc ? cr_error_prefix(err, "node %u", node) : 0;
}

/* Put all parts together; returns the generation's folder. */
static int gather(const struct agent *agent, int is_saved,
		  struct cr_manifest *whole, struct cr_error *err)
{
	int dirfd, rc = 0;

	cr_manifest_init(whole, agent->step);
	whole->generation = agent->lead->generation;
	whole->is_final = agent->lead->is_final;
	dirfd = cr_generation_open(agent->step_dirfd, agent->lead->generation,
				   err);
	if (dirfd < 0)
		return dirfd;
	for (uint32_t i = 0; i < agent->step->nr_nodes && !rc; i++)
		rc = add_node(agent, dirfd, i, is_saved, whole, err);
	if (!rc)
		return dirfd;
	close(dirfd);
	return rc;
}

void agent_commit_match(struct agent *agent, struct agent_result *result)
{
	struct cr_manifest whole;
	int dirfd = gather(agent, 0, &whole, &result->err);

	if (dirfd >= 0) {
		close(dirfd);
		cr_connections_check(&whole, &result->err);
	}
	cr_manifest_free(&whole);
}

static void remove_parts(const struct agent *agent, int dirfd)
{
	char name[CR_MANIFEST_NAME_MAX];

	for (uint32_t i = 0; i < agent->step->nr_nodes; i++) {
		cr_manifest_name_part(name, i);
		unlinkat(dirfd, name, 0);
	}
}

void agent_commit(struct agent *agent, struct agent_result *result)
{
	struct cr_manifest whole;
	int dirfd, rc;

	dirfd = gather(agent, 1, &whole, &result->err);
	agent_hold("commit", NULL);
	rc = dirfd < 0 ? dirfd :
			 cr_manifest_commit(dirfd, &whole,
					    agent_manifest_seal(agent),
					    &result->err);
	agent_hold("committed", NULL);
	if (rc == -EEXIST)
		cr_error_set(&result->err, rc,
			     "a node has given the checkpoint up meanwhile");
	if (!rc) {
		result->generation = whole.generation;
		remove_parts(agent, dirfd);
		cr_generation_prune(agent->step_dirfd, agent->config->keep,
				    &result->err);
	}
	cr_manifest_free(&whole);
	if (dirfd >= 0)
		close(dirfd);
}
