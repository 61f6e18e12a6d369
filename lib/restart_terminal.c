/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restart_terminal.c - the controlling terminals of the tree's sessions
 *
 * Only a session leader can take a terminal, and only those get it that are
 * born afterwards: so terminals of the tree that control a session are made
 * before the first task, and every task inherits both sides, above the floor.
 * A leader takes its terminal as soon as it leads.  Both sides stay open until
 * the gate: a terminal that is closed is nobody's any more.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cr_fault.h"
#include "cr_namespace.h"
#include "file_pty.h"
#include "restart_list.h"

static int is_wanted(const struct cr_restarter *r, uint32_t session)
{
	for (size_t i = 0; i < r->saved->nr_tasks; i++) {
		const struct cr_wire_link *link = &r->saved->links[i];

		if (link->vpid == session && link->sid == session)
			return !(link->flags & CR_LINK_F_ZOMBIE);
	}
	return 0;
}

static size_t count_masters(const struct cr_saved *saved)
{
	size_t nr = 0;

	for (size_t i = 0; i < saved->nr_files; i++)
		nr += saved->files[i].file->kind == CR_FILE_PTY_MASTER;
	return nr;
}

static int make_all(struct cr_restarter *r, struct cr_error *err)
{
	struct cr_terminal terminal;
	int rc = 0;

	for (uint32_t id = 1; id <= r->saved->nr_files && !rc; id++) {
		const struct cr_saved_file *file = &r->saved->files[id - 1];

		if (file->file->kind != CR_FILE_PTY_MASTER)
			continue;
		rc = cr_terminal_read(file, &terminal, err);
		if (rc < 0 || !is_wanted(r, terminal.session))
			continue;
		rc = cr_fault(CR_FAULT_TERMINAL) ?
			     cr_error_errno(err, "terminal /dev/pts/%u",
					    terminal.index) :
			     cr_terminal_open(file, r->fd_floor, &terminal,
					      err);
		if (rc == 0)
			r->terminals->terminal[r->terminals->nr++] = terminal;
	}
	return rc;
}

/*
 * Names of terminals are those of the tree's mounts, where we are not: a child
 * that goes there puts the descriptors into our table.
 */
static void __attribute__((noreturn)) make_inside(struct cr_restarter *r)
{
	struct cr_error *err = &r->terminals->error;
	int rc = 0;

	if (r->namespace_fd >= 0)
		rc = cr_namespace_enter_mounts(r->namespace_fd, err);
	if (rc == 0)
		rc = make_all(r, err);
	_exit(rc < 0);
}

int cr_restart_make_terminals(struct cr_restarter *r, struct cr_error *err)
{
	size_t nr = count_masters(r->saved);
	long pid;
	int status;

	if (!nr)
		return 0;
	r->terminals_length =
		sizeof(*r->terminals) + nr * sizeof(r->terminals->terminal[0]);
	r->terminals = mmap(NULL, r->terminals_length, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (r->terminals == MAP_FAILED) {
		r->terminals = NULL;
		return cr_error_errno(err, "mapping the terminals");
	}
	pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, 0);
	if (pid < 0)
		return cr_error_errno(err, "making the terminals");
	if (pid == 0)
		make_inside(r);
	while (waitpid((pid_t)pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r->terminals->error.code)
		return cr_error_set(err, r->terminals->error.code, "%s",
				    r->terminals->error.text);
	return status == 0 ? 0 :
			     cr_error_set(err, -ECANCELED,
					  "who makes the terminals has died");
}

void cr_restart_close_terminals(struct cr_restarter *r)
{
	if (!r->terminals)
		return;
	for (size_t i = 0; i < r->terminals->nr; i++) {
		close(r->terminals->terminal[i].master);
		close(r->terminals->terminal[i].slave);
	}
	munmap(r->terminals, r->terminals_length);
}

static const struct cr_terminal *find(const struct cr_restarter *r,
				      uint32_t session)
{
	for (size_t i = 0; r->terminals && i < r->terminals->nr; i++)
		if (r->terminals->terminal[i].session == session)
			return &r->terminals->terminal[i];
	return NULL;
}

int cr_restart_terminal_master(const struct cr_restarter *r, uint32_t id)
{
	for (size_t i = 0; r->terminals && i < r->terminals->nr; i++)
		if (r->terminals->terminal[i].id == id)
			return r->terminals->terminal[i].master;
	return -1;
}

int cr_restart_take_terminal(const struct cr_restarter *r,
			     const struct cr_wire_link *link,
			     struct cr_error *err)
{
	const struct cr_terminal *terminal = find(r, link->vpid);

	if (!terminal || link->sid != link->vpid)
		return 0;
	return ioctl(terminal->slave, TIOCSCTTY, 0) < 0 ?
		       cr_error_errno(err,
				      "vpid %u: controlling terminal "
				      "/dev/pts/%u",
				      link->vpid, terminal->index) :
		       0;
}

void cr_restart_leave_terminal(const struct cr_restarter *r,
			       const struct cr_wire_link *link)
{
	const struct cr_terminal *terminal = find(r, link->sid);

	if (terminal && link->flags & CR_LINK_F_NO_TERMINAL)
		ioctl(terminal->slave, TIOCNOTTY);
}

/* A group whose members are all dead leaves it with the leader's own. */
void cr_restart_add_terminal(const struct cr_restarter *r,
			     const struct cr_wire_link *link,
			     struct cr_arena *arena, struct cr_list *list)
{
	const struct cr_terminal *terminal = find(r, link->vpid);

	if (terminal && link->sid == link->vpid && terminal->foreground)
		cr_list_add(list, CR_OP_CALL_ANY, CR_STEP_OTHER, SYS_ioctl,
			    (uint64_t)terminal->slave, TIOCSPGRP,
			    (uint64_t)
				    cr_arena_copy(arena, &terminal->foreground,
						  sizeof(terminal->foreground)),
			    0);
}
