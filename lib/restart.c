/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restart.c - cr_restart(): prepare a restart, run it, clean up
 *
 * Before the first task is forked everything that all of them need is in
 * place: the checked image, the plan, the zone with the context and the memory
 * that relatives share, and descriptors that are out of every task's way.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cr_image.h"
#include "cr_namespace.h"
#include "kmod.h"
#include "restart_mm.h"

#define DEFAULT_TIMEOUT_NS 60000000000ull
#define NS_PER_BYTE 20 /* 50 MB/s */
#define SPARE_FDS 256 /* temporary descriptors of a task, at the most usual */

/* Descriptors from the floor up are ours, below it the tasks'. */
static int find_floor(struct cr_restarter *r, struct cr_error *err)
{
	const uint64_t limit = cr_files_raise_limit();
	const size_t nr_streams = 3 * r->options->nr_roots;
	uint32_t floor = 3;

	for (size_t i = 0; i < r->saved->nr_tasks; i++) {
		const struct cr_saved_task *task = &r->saved->tasks[i];

		if (task->nr_fds && task->fds[task->nr_fds - 1].fd >= floor)
			floor = task->fds[task->nr_fds - 1].fd + 1;
	}
	if (floor + SPARE_FDS + nr_streams > limit)
		return cr_error_set(err, -EMFILE,
				    "descriptor %u of the image is too high "
				    "for the limit of %llu, with those of %zu "
				    "ranks",
				    floor - 1, (unsigned long long)limit,
				    r->options->nr_roots);
	r->fd_floor = (int)floor;
	return cr_image_raise_fd(r->image, r->fd_floor, err);
}

/* *@raised is a duplicate of @fd out of the tasks' way; -1: @fd is none. */
static int raise_fd(const struct cr_restarter *r, int fd, int *raised)
{
	*raised = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, r->fd_floor);
	return fd >= 0 && *raised < 0 ? -errno : 0;
}

static int open_sockets(struct cr_restarter *r, struct cr_error *err)
{
	int fds[2], one = 1, rc;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return cr_error_errno(err, "socketpair");
	rc = raise_fd(r, fds[0], &r->coordinator_socket);
	if (!rc)
		rc = raise_fd(r, fds[1], &r->task_socket);
	close(fds[0]);
	close(fds[1]);
	if (!rc && setsockopt(r->coordinator_socket, SOL_SOCKET, SO_PASSCRED,
			      &one, sizeof(one)) < 0)
		rc = -errno;
	return rc ? cr_error_set(err, rc, "socket of the coordinator: %s",
				 strerror(-rc)) :
		    0;
}

static int open_namespace(struct cr_restarter *r, struct cr_error *err)
{
	int rc = 0;

	if (r->options->namespace_fd)
		rc = raise_fd(r, r->options->namespace_fd, &r->namespace_fd);
	return rc ? cr_error_set(err, rc, "namespaces to live in: %s",
				 strerror(-rc)) :
		    0;
}

/* As with memory: auto is user space. */
static int open_device(struct cr_restarter *r, struct cr_error *err)
{
	int device;

	if (r->options->engine != CR_ENGINE_KERNEL)
		return 0;
	device = cr_kmod_restart_open(r->fd_floor, err);
	if (device < 0)
		return device;
	r->device = device;
	return 0;
}

static int open_root(struct cr_restarter *r, size_t i, struct cr_error *err)
{
	const struct cr_restart_root *from = &r->options->roots[i];
	struct cr_restarter_root *root = &r->roots[i];
	int rc;

	root->rank = from->rank;
	for (int j = 0; j < 3; j++) {
		rc = raise_fd(r, from->stream[j], &root->stream[j]);
		if (rc < 0)
			return cr_error_set(err, rc, "stream %d of rank %u: %s",
					    j, root->rank, strerror(-rc));
	}
	if (from->cgroups_of &&
	    cr_cgroups_open(&root->cgroups, from->cgroups_of, r->fd_floor, err))
		return cr_error_prefix(err, "rank %u", root->rank);
	return 0;
}

static int open_roots(struct cr_restarter *r, struct cr_error *err)
{
	const size_t nr = r->options->nr_roots;
	int rc = 0;

	r->roots = calloc(nr + 1, sizeof(*r->roots));
	if (!r->roots)
		return cr_error_set(err, -ENOMEM, "out of memory");
	/* to be closed if one fails: none so far */
	for (size_t i = 0; i < nr; i++)
		for (int j = 0; j < 3; j++)
			r->roots[i].stream[j] = -1;
	for (size_t i = 0; i < nr && !rc; i++)
		rc = open_root(r, i, err);
	return rc;
}

/* Ask the caller for what takes the place of external socket @id. */
static int open_external(struct cr_restarter *r, uint32_t id,
			 struct cr_error *err)
{
	struct cr_restart_external external;
	int fd, rc;

	cr_files_external(r->saved, id, &external);
	if (!r->options->external)
		return cr_error_set(err, -EOPNOTSUPP,
				    "file %u is the socket \"%s\", which only "
				    "whoever saved it can bring again",
				    id, external.name);
	fd = r->options->external(r->options->external_arg, &external, err);
	if (fd < 0)
		return fd;
	rc = raise_fd(r, fd, &r->externals[id - 1]);
	close(fd);
	return rc ? cr_error_set(err, rc, "socket \"%s\": %s", external.name,
				 strerror(-rc)) :
		    0;
}

static int open_externals(struct cr_restarter *r, struct cr_error *err)
{
	int rc = 0;

	r->externals = malloc((r->saved->nr_files + 1) * sizeof(int));
	if (!r->externals)
		return cr_error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < r->saved->nr_files; i++)
		r->externals[i] = -1;
	for (uint32_t id = 1; id <= r->saved->nr_files && !rc; id++)
		if (r->saved->files[id - 1].file->kind ==
		    CR_FILE_EXTERNAL_SOCKET)
			rc = open_external(r, id, err);
	return rc;
}

static int map_ctx(struct cr_restarter *r, struct cr_error *err)
{
	size_t nr_places = r->saved->nr_files + r->saved->nr_spaces;
	uint64_t at;

	r->ctx_length = sizeof(*r->ctx) + nr_places * sizeof(*r->file_places) +
			r->saved->nr_tasks * sizeof(*r->turns);
	at = cr_zone_take(&r->zone, r->ctx_length, 0);
	if (!at || mmap((void *)at, r->ctx_length, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
			0) == MAP_FAILED)
		return cr_error_errno(err, "mapping the restart context");
	r->ctx = (struct cr_restart_ctx *)at;
	r->ctx->state = CR_RESTART_NEW;
	r->file_places = (struct cr_file_place *)(r->ctx + 1);
	r->space_places = r->file_places + r->saved->nr_files;
	r->turns = (uint32_t *)(r->file_places + nr_places);
	return 0;
}

static int reserve_arena(struct cr_restarter *r, struct cr_error *err)
{
	size_t bound;

	for (size_t i = 0; i < r->saved->nr_tasks; i++) {
		bound = cr_arena_bound(r, &r->saved->tasks[i]);
		if (bound > r->arena_length)
			r->arena_length = bound;
	}
	r->arena_start = cr_zone_take(&r->zone, r->arena_length, 0);
	return r->arena_start ? 0 :
				cr_error_set(err, -ENOMEM, "no free addresses");
}

static int prepare(struct cr_restarter *r, struct cr_error *err)
{
	int rc;

	rc = cr_restart_check_rights(r->saved, r->options->user, err);
	if (!rc)
		rc = cr_restart_check_cpu(r->saved, err);
	if (!rc)
		rc = cr_plan_make(r->saved->links, r->saved->nr_tasks, &r->plan,
				  err);
	if (rc < 0)
		return rc;
	rc = find_floor(r, err);
	if (!rc)
		rc = open_namespace(r, err);
	if (!rc)
		cr_restart_choose_vpids(r);
	if (!rc)
		rc = open_sockets(r, err);
	if (!rc)
		rc = open_device(r, err);
	if (!rc)
		rc = open_roots(r, err);
	if (!rc)
		rc = open_externals(r, err);
	if (!rc)
		rc = cr_zone_find(r->saved, &r->zone, err);
	if (!rc)
		rc = cr_vdso_prepare(r, err);
	if (!rc)
		rc = map_ctx(r, err);
	if (!rc)
		rc = reserve_arena(r, err);
	if (!rc)
		rc = cr_mm_map_families(r, err);
	if (!rc)
		rc = cr_restart_make_terminals(r, err);
	return rc;
}

static uint64_t deadline(const struct cr_restarter *r, uint64_t memory)
{
	uint64_t length = DEFAULT_TIMEOUT_NS + memory * NS_PER_BYTE;

	if (r->options->timeout_ms)
		length = r->options->timeout_ms * 1000000ull;
	return cr_now_ns() + length;
}

static uint64_t memory_bytes(const struct cr_restarter *r)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < r->saved->nr_spaces; i++)
		bytes += cr_image_space_bytes(r->image, (uint32_t)i + 1);
	return bytes;
}

static int fill_result(const struct cr_restarter *r, const pid_t *pids,
		       struct cr_restart_result *result)
{
	struct cr_restarted_root *roots;

	roots = calloc(r->saved->nr_tasks + 1, sizeof(*roots));
	if (!roots)
		return -ENOMEM;
	result->roots = roots;
	result->nr_roots = 0;
	for (size_t i = 0; i < r->saved->nr_tasks; i++) {
		const struct cr_wire_link *link = &r->saved->links[i];

		if (link->parent == 0)
			roots[result->nr_roots++] = (struct cr_restarted_root){
				link->rank, link->vpid, pids[i]
			};
	}
	return 0;
}

static void close_restarter(struct cr_restarter *r)
{
	for (size_t i = 0; r->roots && i < r->options->nr_roots; i++) {
		for (int j = 0; j < 3; j++)
			if (r->roots[i].stream[j] >= 0)
				close(r->roots[i].stream[j]);
		cr_cgroups_close(&r->roots[i].cgroups);
	}
	free(r->roots);
	for (size_t i = 0; r->externals && i < r->saved->nr_files; i++)
		if (r->externals[i] >= 0)
			close(r->externals[i]);
	free(r->externals);
	if (r->namespace_fd >= 0)
		close(r->namespace_fd);
	cr_mm_unmap_families(r);
	cr_restart_close_terminals(r);
	if (r->device >= 0)
		close(r->device);
	if (r->coordinator_socket >= 0)
		close(r->coordinator_socket);
	if (r->task_socket >= 0)
		close(r->task_socket);
	if (r->zone.next > r->zone.start)
		munmap((void *)r->zone.start, r->zone.next - r->zone.start);
	cr_zone_free(&r->zone);
	cr_plan_free(r->plan);
	cr_saved_free(r->saved);
}

/* Tasks inherit it: no signal may run a handler of ours in them. */
static int run_blocked(struct cr_restarter *r, uint64_t until, pid_t *pids,
		       struct cr_error *err)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	rc = cr_restart_coordinate(r, until, pids, err);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return rc;
}

int cr_restart(struct cr_image *image, const struct cr_restart_options *options,
	       struct cr_restart_result *result, struct cr_error *err)
{
	struct cr_restarter r = { .options = options,
				  .image = image,
				  .coordinator_socket = -1,
				  .task_socket = -1,
				  .device = -1,
				  .namespace_fd = -1 };
	uint64_t begin, prepared;
	struct cr_error local = { 0 };
	pid_t *pids = NULL;
	int rc;

	err = err ? err : &local;
	cr_image_set_engine(image, options->engine);
	rc = cr_saved_load(image, &r.saved, err);
	if (!rc && options->namespace_fd)
		rc = cr_namespace_enter_processes(options->namespace_fd, err);
	begin = cr_now_ns(); /* by the clock of the tree from here on */
	if (!rc)
		rc = prepare(&r, err);
	if (rc < 0)
		goto out;
	pids = calloc(r.saved->nr_tasks, sizeof(*pids));
	if (!pids) {
		rc = cr_error_set(err, -ENOMEM, "out of memory");
		goto out;
	}
	result->memory_bytes = memory_bytes(&r);
	prepared = cr_now_ns();
	rc = run_blocked(&r, deadline(&r, result->memory_bytes), pids, err);
	if (rc < 0)
		goto out;
	result->prepare_ns = prepared - begin;
	result->restore_ns = cr_now_ns() - prepared;
	rc = fill_result(&r, pids, result);
out:
	free(pids);
	if (r.saved)
		close_restarter(&r);
	return rc;
}
