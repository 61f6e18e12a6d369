/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * files_task.c - the descriptors of one frozen task
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "array.h"
#include "file.h"
#include "kmod.h"
#include "look.h"
#include "uapi/cr_ioctl.h"

static int compare_fds(const void *a, const void *b)
{
	const struct cr_wire_fd *left = a, *right = b;

	return (left->fd > right->fd) - (left->fd < right->fd);
}

/* Descriptors of a task. */
struct listed {
	struct cr_wire_fd *fds; /* [nr], sorted */
	uint64_t *identities; /* [nr] by the module; NULL: not known */
	size_t nr;
};

/* The descriptors that /proc/@pid/fd lists, sorted. */
static int list_descriptors(pid_t pid, struct listed *listed,
			    struct cr_error *err)
{
	struct dirent *entry;
	char name[64];
	int rc = 0;
	DIR *dir;

	snprintf(name, sizeof(name), "/proc/%d/fd", pid);
	dir = opendir(name);
	if (!dir)
		return cr_error_errno(err, "open %s", name);
	while (rc == 0 && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		rc = cr_array_grow(&listed->fds, listed->nr,
				   sizeof(*listed->fds));
		if (rc == 0)
			listed->fds[listed->nr++] = (struct cr_wire_fd){
				.fd = (uint32_t)strtoul(entry->d_name, NULL, 10)
			};
	}
	closedir(dir);
	if (rc < 0)
		return cr_error_set(err, rc, "out of memory");
	if (listed->nr)
		qsort(listed->fds, listed->nr, sizeof(*listed->fds),
		      compare_fds);
	return 0;
}

/* Close-on-exec belongs to the descriptor, which only fdinfo shows. */
static int is_cloexec(pid_t pid, int number, uint32_t *cloexecp,
		      struct cr_error *err)
{
	char *text = cr_file_fdinfo(pid, number, err);
	uint64_t flags = 0;

	if (!text)
		return err ? err->code : -EIO;
	cr_fdinfo_number(text, "flags:", 8, &flags);
	free(text);
	*cloexecp = (flags & O_CLOEXEC) != 0;
	return 0;
}

/* What the module has told. */
static int append(struct listed *listed, const struct cr_ioc_descriptor *part,
		  size_t nr)
{
	const size_t all = listed->nr + nr;
	struct cr_wire_fd *fds;
	uint64_t *identities;

	fds = reallocarray(listed->fds, all + 1, sizeof(*fds));
	if (fds)
		listed->fds = fds;
	identities =
		reallocarray(listed->identities, all + 1, sizeof(*identities));
	if (identities)
		listed->identities = identities;
	if (!fds || !identities)
		return -ENOMEM;
	for (size_t i = 0; i < nr; i++, listed->nr++) {
		fds[listed->nr] = (struct cr_wire_fd){
			.fd = part[i].fd,
			.cloexec = part[i].flags & CR_DESCRIPTOR_F_CLOEXEC,
		};
		identities[listed->nr] = part[i].identity;
	}
	return 0;
}

/* The same by the module: 1; 0: it has not told.  *@identitiesp are of the
 * descriptions. */
static int ask_descriptors(const struct cr_file_table *table, pid_t pid,
			   struct listed *listed, struct cr_error *err)
{
	struct cr_ioc_descriptor part[CR_FILES_MAX];
	struct cr_ioc_files call = { .list = (uintptr_t)part };
	int rc = 0;

	do {
		call.nr = CR_FILES_MAX;
		rc = table->options.kmod ?
			     cr_kmod_files(table->options.kmod, pid, &call) :
			     -ENODEV;
		if (rc == 0)
			rc = append(listed, part, call.nr);
		call.first = call.next;
	} while (rc == 0 && call.next);
	if (rc < 0) {
		free(listed->fds);
		free(listed->identities);
		*listed = (struct listed){ 0 };
	}
	return table->options.kmod ?
		       cr_look_result(table->options.engine, rc, pid, err) :
		       0;
}

/* One descriptor whose description has not been met, for all that is known.
 * *@pidfdp is opened if it is -1. */
static int fetch(struct cr_file_table *table, int *pidfdp, pid_t pid,
		 uint32_t vpid, struct cr_wire_fd *wire, struct cr_error *err)
{
	int number = (int)wire->fd, fd;

	if (*pidfdp < 0)
		*pidfdp = (int)syscall(SYS_pidfd_open, pid, 0);
	if (*pidfdp < 0)
		return cr_error_errno(err, "vpid %u: pidfd_open", vpid);
	fd = (int)syscall(SYS_pidfd_getfd, *pidfdp, number, 0);
	if (fd < 0)
		return cr_error_errno(err, "vpid %u fd %d: pidfd_getfd", vpid,
				      number);
	return cr_file_add_descriptor(table, pid, vpid, number, fd, &wire->file,
				      err);
}

static int add_descriptors(struct cr_file_table *table, int *pidfdp, pid_t pid,
			   uint32_t vpid, struct listed *listed,
			   struct cr_error *err)
{
	const uint64_t *identities = listed->identities;
	int rc = 0;

	for (size_t i = 0; i < listed->nr && rc == 0; i++) {
		struct cr_wire_fd *wire = &listed->fds[i];

		if (identities)
			wire->file = cr_file_known(table, identities[i]);
		if (wire->file)
			continue;
		rc = fetch(table, pidfdp, pid, vpid, wire, err);
		if (rc == 0 && identities)
			cr_file_note_known(table, identities[i], wire->file);
		else if (rc == 0)
			rc = is_cloexec(pid, (int)wire->fd, &wire->cloexec,
					err);
	}
	return rc;
}

/* Keep a copy of a task's descriptors. */
static int remember_task(struct cr_file_table *table, pid_t pid, uint32_t vpid,
			 const struct cr_wire_fd *fds, size_t nr_fds,
			 struct cr_error *err)
{
	struct cr_file_task *task;

	if (cr_array_grow(&table->tasks, table->nr_tasks, sizeof(*task)) < 0)
		return cr_error_set(err, -ENOMEM, "out of memory");
	task = &table->tasks[table->nr_tasks];
	task->pid = pid;
	task->vpid = vpid;
	task->nr_fds = nr_fds;
	task->fds = malloc(nr_fds * sizeof(*fds) + 1);
	if (!task->fds)
		return cr_error_set(err, -ENOMEM, "out of memory");
	if (nr_fds)
		memcpy(task->fds, fds, nr_fds * sizeof(*fds));
	table->nr_tasks++;
	return 0;
}

int cr_file_table_add_task(struct cr_file_table *table, pid_t pid,
			   uint32_t vpid, struct cr_wire_fd **fdsp,
			   size_t *nr_fdsp, struct cr_error *err)
{
	struct listed listed = { 0 };
	int pidfd = -1, rc;

	rc = ask_descriptors(table, pid, &listed, err);
	if (rc == 0)
		rc = list_descriptors(pid, &listed, err);
	if (rc >= 0)
		rc = add_descriptors(table, &pidfd, pid, vpid, &listed, err);
	if (rc == 0)
		rc = remember_task(table, pid, vpid, listed.fds, listed.nr,
				   err);
	if (pidfd >= 0)
		close(pidfd);
	free(listed.identities);
	if (rc < 0) {
		free(listed.fds);
		return rc;
	}
	*fdsp = listed.fds;
	*nr_fdsp = listed.nr;
	return 0;
}
