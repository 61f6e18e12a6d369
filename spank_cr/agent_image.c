/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_image.c - find and open the image that a restart is tried from
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "agent.h"
#include "cr_image.h"
#include "generation.h"
#include "image_wire.h"
#include "manifest.h"

void agent_image_close(struct agent *agent)
{
	cr_image_close(agent->image);
	agent->image = NULL;
	if (agent->manifest) {
		cr_manifest_free(agent->manifest);
		free(agent->manifest);
	}
	agent->manifest = NULL;
}

/* The image that the manifest speaks of, and nobody else's. */
static int check_image(const struct cr_image *image,
		       const struct cr_manifest_image *said,
		       struct cr_error *err)
{
	struct stat st;

	if (fstat(cr_image_fd(image), &st) < 0)
		return cr_error_errno(err, "stat %s", said->name);
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & 077))
		return cr_error_set(err, -EPERM,
				    "%s is of uid %u with mode %04o: not ours",
				    said->name, st.st_uid, st.st_mode & 07777);
	if ((uint64_t)st.st_size != said->size)
		return cr_error_set(err, -ENODATA,
				    "%s has %llu bytes, its manifest says %llu",
				    said->name, (unsigned long long)st.st_size,
				    (unsigned long long)said->size);
	return 0;
}

/* Reading uses an image up: another handle than that of the restart. */
static int read_clocks(struct agent *agent, struct cr_image *image,
		       struct cr_error *err)
{
	struct cr_record record;
	struct cr_wire_head head;
	int rc;

	rc = cr_image_next(image, &record, 0, err);
	if (rc < 0)
		return rc;
	if (rc == 0 || record.type != CR_RECORD_HEAD ||
	    record.length < sizeof(head))
		return cr_error_set(err, -EBADMSG, "the image has no head");
	memcpy(&head, record.payload, sizeof(head));
	agent->monotonic_ns = head.monotonic_ns;
	agent->boottime_ns = head.boottime_ns;
	return 0;
}

/* The lead looks whether all nodes' images are there, before any is tried. */
static int check_all(const struct agent *agent, int dirfd, struct cr_error *err)
{
	const struct cr_manifest *manifest = agent->manifest;
	struct stat st;

	for (size_t i = 0; agent->lead && i < manifest->nr_images; i++) {
		const struct cr_manifest_image *image = &manifest->images[i];

		if (!image->name[0])
			continue;
		if (fstatat(dirfd, image->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return cr_error_errno(err, "%s", image->name);
		if ((uint64_t)st.st_size != image->size)
			return cr_error_set(err, -ENODATA,
					    "%s has %llu bytes, its manifest "
					    "says %llu",
					    image->name,
					    (unsigned long long)st.st_size,
					    (unsigned long long)image->size);
	}
	return 0;
}

static int open_said(struct agent *agent, int dirfd,
		     const struct cr_manifest_image *said, struct cr_error *err)
{
	struct cr_image *image = NULL;
	int rc;

	rc = cr_image_open(dirfd, said->name, &image, err);
	if (!rc)
		rc = read_clocks(agent, image, err);
	cr_image_close(image);
	if (!rc)
		rc = cr_image_open(dirfd, said->name, &agent->image, err);
	if (!rc)
		rc = check_image(agent->image, said, err);
	return rc;
}

static int open_in(struct agent *agent, int dirfd, struct cr_error *err)
{
	const struct cr_manifest_image *said;
	int rc;

	rc = cr_manifest_read(dirfd, agent->manifest, err);
	if (!rc)
		rc = cr_manifest_match(agent->manifest, agent->step, err);
	if (!rc)
		rc = check_all(agent, dirfd, err);
	if (rc)
		return rc;
	said = cr_manifest_image(agent->manifest, agent->image_node);
	if (!said)
		return cr_error_set(err, -EBADMSG,
				    "the manifest has no image of node %u",
				    agent->image_node);
	/* without a name: all ranks had ended */
	return said->name[0] ? open_said(agent, dirfd, said, err) : 0;
}

int agent_image_open(struct agent *agent, uint32_t number, struct cr_error *err)
{
	int dirfd, rc;

	agent_image_close(agent);
	agent->manifest = calloc(1, sizeof(*agent->manifest));
	if (!agent->manifest)
		return cr_error_set(err, -ENOMEM, "no memory");
	dirfd = cr_generation_open(agent->step_dirfd, number, err);
	rc = dirfd < 0 ? dirfd : open_in(agent, dirfd, err);
	if (dirfd >= 0)
		close(dirfd);
	if (rc)
		agent_image_close(agent);
	return rc;
}

int agent_image_open_next(struct agent *agent)
{
	struct cr_error err = { 0 };
	uint32_t number;

	agent_image_close(agent);
	while (agent->next_candidate < agent->nr_candidates) {
		number = agent->candidates[agent->next_candidate++];
		if (!agent_image_open(agent, number, &err)) {
			agent_log(agent, LOG_INFO, "restart from checkpoint %u",
				  number);
			return 0;
		}
		agent_log(agent, LOG_ERR, "checkpoint %u is refused: %s",
			  number, err.text);
		if (!agent->refused.code)
			agent->refused = err;
	}
	return agent->refused.code ? agent->refused.code : -ENOENT;
}
