// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * inspect_text.c - an image as text for people
 *
 * Not meant to be parsed: programs take --json.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "file_tcp.h"
#include "inspect.h"

#define SIZE_MAX_TEXT 32

/* "12.3 MiB" */
static const char *size_text(uint64_t bytes, char text[SIZE_MAX_TEXT])
{
	static const char *const units[] = { "B",   "KiB", "MiB",
					     "GiB", "TiB", "PiB" };
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		value /= 1024;
		unit++;
	}
	snprintf(text, SIZE_MAX_TEXT, unit ? "%.1f %s" : "%.0f %s", value,
		 units[unit]);
	return text;
}

static void print_time(uint64_t realtime_ns)
{
	time_t seconds = (time_t)(realtime_ns / 1000000000u);
	char text[64];
	struct tm tm;

	if (localtime_r(&seconds, &tm) &&
	    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z", &tm))
		printf("  saved     %s\n", text);
}

static uint64_t memory_bytes(const struct inspect *inspect)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < inspect->saved->nr_spaces; i++)
		sum += cr_image_space_bytes(inspect->image, (uint32_t)(i + 1));
	return sum;
}

static void print_head(const struct inspect *inspect)
{
	const struct cr_wire_head *head = inspect->saved->head;
	char text[INSPECT_TEXT_MAX], size[SIZE_MAX_TEXT];
	size_t nr_threads = 0;

	for (size_t i = 0; i < inspect->saved->nr_tasks; i++)
		nr_threads += inspect->saved->tasks[i].nr_threads;
	printf("%s\n", cr_inspect_printable(inspect->name, text, sizeof(text)));
	print_time(head->realtime_ns);
	printf("  node      %s\n",
	       cr_inspect_printable(head->node, text, sizeof(text)));
	printf("  kernel    %s\n",
	       cr_inspect_printable(head->release, text, sizeof(text)));
	if (head->job)
		printf("  job       %u step %u\n", head->job, head->step);
	printf("  tasks     %zu, %zu threads%s\n", inspect->saved->nr_tasks,
	       nr_threads,
	       head->flags & CR_HEAD_F_PIDNS ? ", in a PID namespace" : "");
	printf("  memory    %s\n", size_text(memory_bytes(inspect), size));
	if (inspect->file_bytes)
		printf("  image     %s, version %u\n",
		       size_text(inspect->file_bytes, size), head->version);
}

static int depth_of(const struct cr_saved *saved, size_t task)
{
	int depth = 0;
	long parent;

	while ((parent = cr_saved_find(saved, saved->links[task].parent)) >=
	       0) {
		task = (size_t)parent;
		depth++;
	}
	return depth;
}

static void print_task(const struct inspect *inspect, size_t i)
{
	const struct cr_saved_task *task = &inspect->saved->tasks[i];
	const struct cr_wire_link *link = task->link;
	char comm[INSPECT_TEXT_MAX], size[SIZE_MAX_TEXT] = "-";

	if (task->mm)
		size_text(cr_image_space_bytes(inspect->image, task->mm->space),
			  size);
	printf("%8u %8u %8u %8u %7u %10s  %-8s %*s%s", link->vpid, link->parent,
	       link->pgid, link->sid, link->nr_threads, size,
	       cr_inspect_state(link), 2 * depth_of(inspect->saved, i), "",
	       cr_inspect_printable(task->task->comm, comm, sizeof(comm)));
	if (link->rank != CR_RANK_NONE && link->parent == 0)
		printf(" (rank %u)", link->rank);
	if (link->flags & CR_LINK_F_ZOMBIE)
		printf(" (status %#x)", link->exit_status);
	printf("\n");
}

static void print_maps(const struct inspect *inspect,
		       const struct cr_saved_task *task)
{
	char path[INSPECT_TEXT_MAX], protection[5];

	printf("\nMaps of %u\n", task->link->vpid);
	for (size_t i = 0; i < task->nr_vmas; i++) {
		const struct cr_wire_vma *vma = &task->vmas[i];

		cr_inspect_protection(vma, protection);
		cr_inspect_printable(cr_inspect_path(inspect->saved, vma->file),
				     path, sizeof(path));
		printf("%12llx-%012llx %s %08llx %-12s %s",
		       (unsigned long long)vma->start,
		       (unsigned long long)vma->end, protection,
		       (unsigned long long)vma->offset,
		       cr_inspect_vma_kind(vma->kind), path);
		if (vma->space)
			printf(" [space %u]", vma->space);
		printf("\n");
	}
}

static void print_space(const struct inspect *inspect,
			const struct cr_wire_space *space)
{
	char path[INSPECT_TEXT_MAX], size[SIZE_MAX_TEXT];

	size_text(cr_image_space_bytes(inspect->image, space->id), size);
	cr_inspect_printable(cr_inspect_path(inspect->saved, space->file), path,
			     sizeof(path));
	printf("%8u  %-13s %10s  ", space->id,
	       cr_inspect_space_kind(space->kind), size);
	if (space->start)
		printf("%#llx-%#llx ", (unsigned long long)space->start,
		       (unsigned long long)(space->start + space->length));
	if (space->kind == CR_SPACE_SYSV ||
	    space->kind == CR_SPACE_SEMAPHORES || space->kind == CR_SPACE_QUEUE)
		printf("key %#x id %d ", (unsigned int)space->sysv_key,
		       space->sysv_id);
	printf("%s\n", path);
}

/* Its checks have been made when the image was loaded. */
static void print_external(const struct cr_wire_external *external)
{
	char raw[CR_EXTERNAL_NAME_MAX + 1] = "", name[4 * sizeof(raw)];

	memcpy(raw, external + 1, external->name_length);
	cr_inspect_printable(raw, name, sizeof(name));
	printf("socket %s%s, note of %u bytes, %u bytes not read", name,
	       external->flags & CR_EXTERNAL_F_LISTENS ? ", listens" : "",
	       external->note_length, external->unread_length);
}

static void print_tcp(const struct cr_saved_file *file)
{
	char local[CR_TCP_ADDRESS_TEXT], remote[CR_TCP_ADDRESS_TEXT];
	const struct cr_wire_tcp *head = file->data;

	printf("%s %s", cr_inspect_tcp_kind(head->kind),
	       cr_tcp_print(&head->local, local));
	if (head->kind == CR_TCP_LISTENING)
		printf(", %u wait", head->nr_waiting);
	if (head->kind != CR_TCP_CONNECTED && head->kind != CR_TCP_CONNECTING)
		return;
	printf(" -> %s, %u bytes received, %u to be sent",
	       cr_tcp_print(&head->remote, remote), head->receive_length,
	       head->send_length);
	if (head->flags & CR_TCP_F_ELSEWHERE)
		printf(", to another image");
}

static void print_file(const struct cr_saved_file *file)
{
	char path[INSPECT_TEXT_MAX];

	cr_inspect_printable(file->path, path, sizeof(path));
	printf("%8u  %-11s %12llu  %s", file->file->id,
	       cr_inspect_file_kind(file->file->kind),
	       (unsigned long long)file->file->position, path);
	if (file->file->kind == CR_FILE_EXTERNAL)
		printf("stream %u of rank %u", file->file->peer,
		       file->file->rank);
	if (file->file->kind == CR_FILE_EXTERNAL_SOCKET)
		print_external(file->data);
	if (file->file->kind == CR_FILE_TCP)
		print_tcp(file);
	if (file->file->flags & CR_FILE_F_UNLINKED)
		printf(" (deleted)");
	if (file->file->space)
		printf(" [space %u]", file->file->space);
	printf("\n");
}

static void print_fds(const struct cr_saved_task *task)
{
	if (task->nr_fds == 0)
		return;
	printf("%8u ", task->link->vpid);
	for (size_t i = 0; i < task->nr_fds; i++)
		printf(" %u:%u", task->fds[i].fd, task->fds[i].file);
	printf("\n");
}

void cr_inspect_text(const struct inspect *inspect)
{
	const struct cr_saved *saved = inspect->saved;

	print_head(inspect);
	printf("\nTasks\n%8s %8s %8s %8s %7s %10s  %-8s %s\n", "vpid", "parent",
	       "pgid", "sid", "threads", "memory", "state", "name");
	for (size_t i = 0; i < saved->nr_tasks; i++)
		print_task(inspect, i);
	printf("\nMemory\n%8s  %-13s %10s\n", "space", "kind", "pages");
	for (size_t i = 0; i < saved->nr_spaces; i++)
		print_space(inspect, saved->spaces[i]);
	printf("\nFiles\n%8s  %-11s %12s  %s\n", "file", "kind", "position",
	       "path");
	for (size_t i = 0; i < saved->nr_files; i++)
		print_file(&saved->files[i]);
	printf("\nDescriptors\n%8s  descriptor:file\n", "vpid");
	for (size_t i = 0; i < saved->nr_tasks; i++)
		print_fds(&saved->tasks[i]);
	for (size_t i = 0; inspect->show_maps && i < saved->nr_tasks; i++)
		if (saved->tasks[i].mm)
			print_maps(inspect, &saved->tasks[i]);
}
