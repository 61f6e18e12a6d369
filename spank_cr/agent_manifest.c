/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_manifest.c - this node's part of a manifest, as far as it is known
 * before the trees are looked at; and the image's size and digest afterwards
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent_peers.h"
#include "agent_sync.h"
#include "manifest.h"

static void note_ended(const struct agent *agent, struct cr_manifest *manifest)
{
	for (uint32_t i = 0; i < agent->step->nr_local_ranks; i++)
		if (agent->ranks[i].has_ended)
			manifest->ended[manifest->nr_ended++] =
				(struct cr_manifest_ended){
					.rank = agent->ranks[i].rank,
					.status =
						(uint32_t)agent->ranks[i].status
				};
}

int agent_manifest_init(const struct agent *agent, struct cr_manifest *manifest,
			struct cr_error *err)
{
	const struct cr_step *step = agent->step;

	cr_manifest_init(manifest, step);
	manifest->is_final = agent->save_is_final;
	manifest->images = calloc(1, sizeof(*manifest->images));
	manifest->streams =
		calloc(3ul * step->nr_local_ranks, sizeof(*manifest->streams));
	manifest->ended =
		calloc(step->nr_local_ranks, sizeof(*manifest->ended));
	if (!manifest->images || !manifest->streams || !manifest->ended)
		return cr_error_set(err, -ENOMEM, "no memory");
	manifest->nr_images = 1;
	manifest->images[0].node = step->node;
	snprintf(manifest->images[0].name, sizeof(manifest->images[0].name),
		 "node_%u.img", step->node);
	manifest->images[0].ranks = agent_ranks_print(agent);
	note_ended(agent, manifest);
	return agent_tcp_note_addresses(agent, manifest, err);
}

int agent_manifest_note_size(int dirfd, struct cr_manifest *manifest,
			     struct cr_error *err)
{
	struct stat st;

	if (fstatat(dirfd, manifest->images[0].name, &st, AT_SYMLINK_NOFOLLOW) <
	    0)
		return cr_error_errno(err, "stat the image");
	manifest->images[0].size = (uint64_t)st.st_size;
	return 0;
}

struct cr_seal *agent_manifest_seal(const struct agent *agent)
{
	return agent->config->seal ? agent->seal : NULL;
}

/* Asked before each piece. */
static int is_given_up(void)
{
	agent_worker_get_on();
	return agent_sync_is_aborted();
}

int agent_manifest_note_digest(struct agent *agent, int dirfd,
			       const struct cr_checkpoint *checkpoint,
			       struct cr_manifest *manifest,
			       struct cr_error *err)
{
	struct cr_manifest_image *image = &manifest->images[0];
	const int64_t began_us = agent_now_us();
	struct cr_checkpoint_stats stats;
	int fd, rc;

	if (!agent->config->seal)
		return 0;
	fd = openat(dirfd, image->name,
		    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return cr_error_errno(err, "open %s", image->name);
	rc = cr_digest_file(fd, image->size, is_given_up, image->digest, err);
	close(fd);
	agent->digest_us = agent_now_us() - began_us;
	cr_checkpoint_stats(checkpoint, &stats);
	image->monotonic_ns = stats.monotonic_ns;
	image->boottime_ns = stats.boottime_ns;
	return rc;
}
