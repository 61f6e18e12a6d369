/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_streams.c - standard streams at a checkpoint and at a restart
 *
 * Streams are not in the image, they lead out of the tree.  What has to be
 * known of them is in the manifest: how much input a rank has had, and how
 * long its output files were.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "agent.h"
#include "generation.h"
#include "manifest.h"
#include "shepherd_input.h"

#define COUNTER_TRIES 10000

/* Bytes that the rank has read of its input, while it is frozen: what the
 * shepherd wrote to the pipe less what is still in it. */
static uint64_t count_read(const struct agent_rank *rank, const char *path)
{
	struct cr_input_counter before, after;
	int pipe_fd, left = 0;
	uint64_t count = 0;

	pipe_fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (pipe_fd < 0)
		return 0;
	for (int i = 0; i < COUNTER_TRIES; i++) {
		if (pread(rank->counter_fd, &before, sizeof(before), 0) !=
			    sizeof(before) ||
		    ioctl(pipe_fd, FIONREAD, &left) < 0 ||
		    pread(rank->counter_fd, &after, sizeof(after), 0) !=
			    sizeof(after))
			break;
		if (!before.is_busy && !after.is_busy &&
		    before.written == after.written) {
			count = before.written - (uint64_t)left;
			break;
		}
		sched_yield();
	}
	close(pipe_fd);
	return count;
}

static uint64_t read_position(pid_t pid, uint32_t fd)
{
	unsigned long long position = 0;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%u", pid, fd);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "pos: %llu", &position) != 1)
		position = 0;
	fclose(file);
	return position;
}

static int note(const struct agent_rank *rank, uint32_t fd,
		struct cr_manifest_stream *stream)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/fd/%u", rank->shepherd, fd);
	if (stat(path, &st) < 0)
		return 0;
	*stream = (struct cr_manifest_stream){ .rank = rank->rank, .fd = fd };
	if (S_ISREG(st.st_mode)) {
		stream->device = st.st_dev;
		stream->inode = st.st_ino;
		stream->size = (uint64_t)st.st_size;
		stream->position = read_position(rank->shepherd, fd);
		return 1;
	}
	if (fd != 0 || rank->counter_fd < 0)
		return 0;
	/* what a restarted program had before counts too */
	stream->position = rank->input_before + count_read(rank, path);
	return 1;
}

void agent_streams_note(const struct agent *agent, struct cr_manifest *manifest)
{
	manifest->nr_streams = 0;
	for (uint32_t i = 0; i < agent->step->nr_local_ranks; i++)
		for (uint32_t fd = 0; fd < 3; fd++)
			if (!agent->ranks[i].has_ended &&
			    note(&agent->ranks[i], fd,
				 &manifest->streams[manifest->nr_streams]))
				manifest->nr_streams++;
}

/* Take back what was written after the image. */
static void cut(const struct agent *agent, int fd, const struct stat *st,
		const struct cr_manifest_stream *stream)
{
	if (st->st_ino != stream->inode ||
	    (uint64_t)st->st_size <= stream->size ||
	    (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY)
		return;
	if (ftruncate(fd, (off_t)stream->size) < 0 ||
	    lseek(fd, (off_t)stream->size, SEEK_SET) < 0)
		agent_log(agent, LOG_WARNING, "rank %u: cut its output: %s",
			  stream->rank, strerror(errno));
}

/*
 * Did the ranks run on after their image, so that what they have written since
 * will be written again?  In the file of a script with steps of srun is also
 * what those have written, which will not.
 */
static int has_run_on(const struct agent *agent)
{
	const struct cr_manifest *manifest = agent->manifest;

	if (agent->step->step == CR_STEP_BATCH &&
	    cr_generation_has_steps(agent->dirfd, agent->step))
		return 0;
	return !manifest->is_final ||
	       agent->step->restart_count != manifest->restart_count + 1;
}

static void restore(const struct agent *agent, struct agent_rank *rank,
		    const struct cr_manifest_stream *stream)
{
	int fd = rank->streams[stream->fd];
	struct stat st;

	if (stream->fd == 0 && !stream->inode) {
		rank->input_before = stream->position;
		return;
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	if (stream->fd == 0 && lseek(fd, (off_t)stream->position, SEEK_SET) < 0)
		agent_log(agent, LOG_WARNING, "rank %u: seek its input: %s",
			  stream->rank, strerror(errno));
	if (stream->fd != 0 && has_run_on(agent))
		cut(agent, fd, &st, stream);
}

void agent_streams_restore(struct agent *agent)
{
	const struct cr_manifest *manifest = agent->manifest;

	for (uint32_t j = 0; j < agent->step->nr_local_ranks; j++) {
		agent->ranks[j].input_before = 0;
		for (size_t i = 0; i < manifest->nr_streams; i++)
			if (agent->ranks[j].rank == manifest->streams[i].rank)
				restore(agent, &agent->ranks[j],
					&manifest->streams[i]);
	}
}
