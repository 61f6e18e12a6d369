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

#include "agent_hold.h"
#include "agent_peers.h"
#include "agent_sync.h"
#include "cr_image.h"
#include "generation.h"
#include "image_wire.h"
#include "manifest.h"

void agent_image_close(struct agent *agent)
{
	cr_image_close(agent->image);
	agent->image = NULL;
	if (agent->image_fd >= 0)
		close(agent->image_fd);
	agent->image_fd = -1;
	if (agent->manifest) {
		cr_manifest_free(agent->manifest);
		free(agent->manifest);
	}
	agent->manifest = NULL;
}

/* The image that the manifest speaks of, and nobody else's. */
static int check_image(int fd, const struct cr_manifest_image *said,
		       struct cr_error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
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

static int take_clocks(struct agent *agent, struct cr_image *image,
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

/* Only with seal=no: of an image that nobody vouches for. */
static int read_clocks(struct agent *agent, int image_fd, struct cr_error *err)
{
	int fd = fcntl(image_fd, F_DUPFD_CLOEXEC, 0), rc;
	struct cr_image *image;

	if (fd < 0)
		return cr_error_errno(err, "the image's descriptor");
	rc = cr_image_open_fd(fd, &image, err);
	if (rc) {
		close(fd);
		return rc;
	}
	rc = take_clocks(agent, image, err);
	cr_image_close(image);
	return rc;
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
	int fd, rc;

	fd = openat(dirfd, said->name,
		    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return cr_error_errno(err, "open %s", said->name);
	agent->image_fd = fd;
	rc = check_image(fd, said, err);
	if (rc)
		return rc;
	if (!said->digest[0])
		return read_clocks(agent, fd, err);
	agent->monotonic_ns = said->monotonic_ns;
	agent->boottime_ns = said->boottime_ns;
	return 0;
}

static int check_digest(struct agent *agent,
			const struct cr_manifest_image *said,
			struct cr_error *err)
{
	const int64_t began_us = agent_now_us();
	char digest[CR_DIGEST_SIZE];
	int rc;

	rc = cr_digest_file(agent->image_fd, said->size, agent_sync_is_aborted,
			    digest, err);
	agent->digest_us = agent_now_us() - began_us;
	if (!rc && strcmp(digest, said->digest) != 0)
		rc = cr_error_set(err, -EBADMSG,
				  "%s is not what was saved: it has been "
				  "altered since its manifest was sealed",
				  said->name);
	return rc;
}

/* Whoever else has the file open: it is this descriptor that is read. */
int agent_image_verify(struct agent *agent, struct cr_error *err)
{
	const struct cr_manifest_image *said =
		cr_manifest_image(agent->manifest, agent->image_node);
	int rc;

	if (!said)
		return cr_error_set(err, -ENOENT, "no image is open");
	rc = said->digest[0] ? check_digest(agent, said, err) : 0;
	if (!rc)
		rc = cr_image_open_fd(agent->image_fd, &agent->image, err);
	if (!rc)
		agent->image_fd = -1;
	return rc;
}

/* A genuine one of another generation would be in the wrong place. */
static int check_number(const struct agent *agent, uint32_t number,
			struct cr_error *err)
{
	if (agent->manifest->generation == number)
		return 0;
	return cr_error_set(err, -EBADMSG,
			    "its manifest is that of checkpoint %u",
			    agent->manifest->generation);
}

static int open_in(struct agent *agent, int dirfd, uint32_t number,
		   struct cr_error *err)
{
	const struct cr_manifest_image *said;
	int rc;

	rc = cr_manifest_read(dirfd, agent->manifest,
			      agent_manifest_seal(agent), err);
	if (!rc)
		rc = check_number(agent, number, err);
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
	rc = dirfd < 0 ? dirfd : agent_hold("image", err);
	if (!rc)
		rc = open_in(agent, dirfd, number, err);
	if (dirfd >= 0)
		close(dirfd);
	if (rc)
		agent_image_close(agent);
	return rc;
}

/* Nothing is wrong with one that cannot be opened for the moment: an older one
 * would lose what it has.  While munged is silent others are no better. */
static int is_to_wait(const struct agent *agent, int rc)
{
	return rc == -ETIMEDOUT || agent_retry_is_left(agent, rc);
}

int agent_image_open_next(struct agent *agent)
{
	struct cr_error err = { 0 };
	uint32_t number;
	int rc;

	agent_image_close(agent);
	while (agent->next_candidate < agent->nr_candidates) {
		number = agent->candidates[agent->next_candidate++];
		rc = agent_image_open(agent, number, &err);
		if (!rc) {
			agent_log(agent, LOG_INFO, "restart from checkpoint %u",
				  number);
			return 0;
		}
		agent_log(agent, LOG_ERR, "checkpoint %u is refused: %s",
			  number, err.text);
		if (!agent->refused.code || is_to_wait(agent, rc))
			agent->refused = err;
		if (is_to_wait(agent, rc))
			break;
	}
	return agent->refused.code ? agent->refused.code : -ENOENT;
}
