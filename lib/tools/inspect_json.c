// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * inspect_json.c - an image as JSON for programs
 *
 * The members are described in cr(1).  Addresses and masks are strings in
 * hexadecimal, since they do not fit the numbers of every JSON reader.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>

#include "file_tcp.h"
#include "inspect.h"

static json_t *hex(uint64_t number)
{
	return json_sprintf("%#llx", (unsigned long long)number);
}

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static json_t *text(const char *from)
{
	char printable[4 * INSPECT_TEXT_MAX];

	return json_string(
		cr_inspect_printable(from, printable, sizeof(printable)));
}

static json_t *vma_json(const struct cr_wire_vma *vma)
{
	char protection[5];

	cr_inspect_protection(vma, protection);
	return json_pack("{s:o,s:o,s:s,s:s,s:o,s:i,s:i,s:o,s:o}", "start",
			 hex(vma->start), "end", hex(vma->end), "protection",
			 protection, "kind", cr_inspect_vma_kind(vma->kind),
			 "offset", hex(vma->offset), "file", (int)vma->file,
			 "space", (int)vma->space, "map_flags",
			 hex(vma->map_flags), "advice", hex(vma->advice));
}

static json_t *fd_json(const struct cr_wire_fd *fd)
{
	return json_pack("{s:i,s:i,s:b}", "fd", (int)fd->fd, "file",
			 (int)fd->file, "cloexec", (int)fd->cloexec);
}

static json_t *thread_json(const struct cr_saved_thread *thread)
{
	const struct cr_wire_thread *wire = thread->thread;

	return json_pack("{s:i,s:o,s:o,s:i,s:o,s:i,s:i}", "tid", (int)wire->tid,
			 "name", text(wire->comm), "instruction",
			 hex(wire->regs.ip), "pending", (int)wire->nr_pending,
			 "signal_mask", hex(wire->signal_mask), "uid",
			 (int)wire->creds.euid, "xstate_bytes",
			 (int)wire->xstate_length);
}

static json_t *vmas_json(const struct cr_saved_task *task)
{
	json_t *array = json_array();

	for (size_t i = 0; i < task->nr_vmas; i++)
		json_array_append_new(array, vma_json(&task->vmas[i]));
	return array;
}

static json_t *fds_json(const struct cr_saved_task *task)
{
	json_t *array = json_array();

	for (size_t i = 0; i < task->nr_fds; i++)
		json_array_append_new(array, fd_json(&task->fds[i]));
	return array;
}

static json_t *threads_json(const struct cr_saved_task *task)
{
	json_t *array = json_array();

	for (size_t i = 0; i < task->nr_threads; i++)
		json_array_append_new(array, thread_json(&task->threads[i]));
	return array;
}

/* What a task that is no zombie has besides its link. */
static json_t *living_json(const struct inspect *inspect,
			   const struct cr_saved_task *task)
{
	const struct cr_saved *saved = inspect->saved;

	return json_pack("{s:o,s:o,s:i,s:o,s:i,s:i,s:i,s:o,s:o,s:o}", "program",
			 text(cr_inspect_path(saved, task->mm->exe)),
			 "directory",
			 text(cr_inspect_path(saved, task->task->cwd)), "space",
			 (int)task->mm->space, "memory_bytes",
			 number(cr_image_space_bytes(inspect->image,
						     task->mm->space)),
			 "pending", (int)task->signals->nr_pending, "timers",
			 (int)task->nr_timers, "locks", (int)task->nr_locks,
			 "threads", threads_json(task), "fds", fds_json(task),
			 "vmas", vmas_json(task));
}

static json_t *task_json(const struct inspect *inspect,
			 const struct cr_saved_task *task)
{
	const struct cr_wire_link *link = task->link;
	json_t *object =
		json_pack("{s:i,s:i,s:i,s:i,s:s,s:o}", "vpid", (int)link->vpid,
			  "parent", (int)link->parent, "pgid", (int)link->pgid,
			  "sid", (int)link->sid, "state",
			  cr_inspect_state(link), "name",
			  text(task->task->comm));

	if (link->parent == 0 && link->rank != CR_RANK_NONE)
		json_object_set_new(object, "rank", number(link->rank));
	if (link->flags & CR_LINK_F_ZOMBIE)
		json_object_set_new(object, "exit_status",
				    number(link->exit_status));
	else
		json_object_update_new(object, living_json(inspect, task));
	return object;
}

static json_t *address_json(const struct cr_tcp_address *address)
{
	char printed[CR_TCP_ADDRESS_TEXT];

	return json_string(cr_tcp_print(address, printed));
}

static json_t *tcp_json(const struct cr_wire_tcp *head)
{
	return json_pack("{s:s,s:o,s:o,s:o,s:o,s:o,s:b,s:b,s:b}", "kind",
			 cr_inspect_tcp_kind(head->kind), "local",
			 address_json(&head->local), "remote",
			 address_json(&head->remote), "received_bytes",
			 number(head->receive_length), "send_bytes",
			 number(head->send_length), "waiting",
			 number(head->nr_waiting), "fin_sent",
			 (head->flags & CR_TCP_F_FIN_SENT) != 0, "fin_received",
			 (head->flags & CR_TCP_F_FIN_RECEIVED) != 0,
			 "elsewhere", (head->flags & CR_TCP_F_ELSEWHERE) != 0);
}

static json_t *file_json(const struct cr_saved_file *file)
{
	const struct cr_wire_file *wire = file->file;
	json_t *object;

	object = json_pack("{s:i,s:s,s:o,s:b,s:b,s:b,s:o,s:o,s:o,s:i,s:i,s:i}",
			   "id", (int)wire->id, "kind",
			   cr_inspect_file_kind(wire->kind), "path",
			   text(file->path), "unlinked",
			   (wire->flags & CR_FILE_F_UNLINKED) != 0, "content",
			   (wire->flags & CR_FILE_F_CONTENT) != 0, "unopened",
			   (wire->flags & CR_FILE_F_UNOPENED) != 0,
			   "open_flags", hex(wire->open_flags), "position",
			   number(wire->position), "size", number(wire->size),
			   "space", (int)wire->space, "peer", (int)wire->peer,
			   "rank", (int)wire->rank);
	if (wire->kind == CR_FILE_TCP)
		json_object_set_new(object, "tcp", tcp_json(file->data));
	return object;
}

static json_t *space_json(const struct inspect *inspect,
			  const struct cr_wire_space *space)
{
	return json_pack("{s:i,s:s,s:o,s:o,s:i,s:o}", "id", (int)space->id,
			 "kind", cr_inspect_space_kind(space->kind), "start",
			 hex(space->start), "length", number(space->length),
			 "file", (int)space->file, "memory_bytes",
			 number(cr_image_space_bytes(inspect->image,
						     space->id)));
}

static json_t *head_json(const struct inspect *inspect)
{
	const struct cr_wire_head *head = inspect->saved->head;

	return json_pack("{s:i,s:o,s:o,s:o,s:o,s:o,s:i,s:i,s:b,s:o,s:o}",
			 "version", (int)head->version, "node",
			 text(head->node), "kernel", text(head->release),
			 "realtime_ns", number(head->realtime_ns),
			 "monotonic_ns", number(head->monotonic_ns),
			 "boottime_ns", number(head->boottime_ns), "job",
			 (int)head->job, "step", (int)head->step,
			 "pid_namespace", (head->flags & CR_HEAD_F_PIDNS) != 0,
			 "xfeatures", hex(head->xfeatures), "file_bytes",
			 number(inspect->file_bytes));
}

/* A failed allocation leaves a NULL in an array, which jansson refuses, so
 * that the array is shorter than it must be. */
static int is_complete(json_t *root, const char *key, size_t nr)
{
	return json_array_size(json_object_get(root, key)) == nr;
}

int cr_inspect_json(const struct inspect *inspect)
{
	const struct cr_saved *saved = inspect->saved;
	json_t *root = head_json(inspect), *tasks = json_array(),
	       *files = json_array(), *spaces = json_array();
	int rc = -ENOMEM;

	for (size_t i = 0; i < saved->nr_tasks; i++)
		json_array_append_new(tasks,
				      task_json(inspect, &saved->tasks[i]));
	for (size_t i = 0; i < saved->nr_files; i++)
		json_array_append_new(files, file_json(&saved->files[i]));
	for (size_t i = 0; i < saved->nr_spaces; i++)
		json_array_append_new(spaces,
				      space_json(inspect, saved->spaces[i]));
	json_object_set_new(root, "tasks", tasks);
	json_object_set_new(root, "files", files);
	json_object_set_new(root, "spaces", spaces);
	if (is_complete(root, "tasks", saved->nr_tasks) &&
	    is_complete(root, "files", saved->nr_files) &&
	    is_complete(root, "spaces", saved->nr_spaces) &&
	    !json_dumpf(root, stdout, JSON_INDENT(2)))
		rc = 0;
	printf("\n");
	json_decref(root);
	return rc;
}
