/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_tcp_ends.c - the ends of connections in an image, for other nodes
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "cr_image.h"
#include "file_tcp.h"

struct ends {
	struct cr_tcp_end *ends;
	size_t nr;
};

/* Who has it: any will do. */
struct holder {
	uint32_t vpid, fd;
};

static struct cr_tcp_end *grow(struct ends *list)
{
	struct cr_tcp_end *end;

	if (cr_array_grow(&list->ends, list->nr, sizeof(*end)) < 0)
		return NULL;
	end = &list->ends[list->nr++];
	memset(end, 0, sizeof(*end));
	return end;
}

static int add_socket(struct ends *list, const struct cr_wire_tcp *head,
		      const struct cr_wire_file *file,
		      const struct holder *holder)
{
	struct cr_tcp_end *end = grow(list);

	if (!end)
		return -ENOMEM;
	*end = (struct cr_tcp_end){
		.kind = head->kind == CR_TCP_CONNECTED ? CR_TCP_END :
							 CR_TCP_END_CONNECTING,
		.file = file->id,
		.vpid = holder->vpid,
		.fd = holder->fd,
		.local = head->local,
		.remote = head->remote,
		.send_first = head->send_first,
		.send_end = head->send_first + head->send_length,
		.received = head->receive_end,
		.window_end = head->window_begin + head->window,
		.fin_sent = (head->flags & CR_TCP_F_FIN_SENT) != 0,
		.fin_received = (head->flags & CR_TCP_F_FIN_RECEIVED) != 0,
		.has_peer = !(head->flags & CR_TCP_F_ELSEWHERE),
	};
	return 0;
}

static int add_waiting(struct ends *list, const struct cr_wire_tcp *head,
		       const struct cr_tcp_address *waiting,
		       const struct cr_wire_file *file,
		       const struct holder *holder)
{
	uint32_t i;

	for (i = 0; i < head->nr_waiting; i++) {
		struct cr_tcp_end *end = grow(list);

		if (!end)
			return -ENOMEM;
		end->kind = CR_TCP_END_WAITING;
		end->file = file->id;
		end->vpid = holder->vpid;
		end->fd = holder->fd;
		end->local = head->local;
		end->remote = waiting[i];
	}
	return 0;
}

static int add(struct ends *list, const struct cr_wire_tcp *head,
	       const struct cr_wire_file *file, const struct holder *holder)
{
	if (head->kind == CR_TCP_LISTENING)
		return add_waiting(list, head, (const void *)(head + 1), file,
				   holder);
	if (head->kind == CR_TCP_CONNECTED || head->kind == CR_TCP_CONNECTING)
		return add_socket(list, head, file, holder);
	return 0;
}

static int is_known(const struct cr_wire_tcp *head,
		    const struct cr_tcp_address *who)
{
	const struct cr_tcp_address *waiting = (const void *)(head + 1);
	uint32_t i;

	for (i = 0; i < head->nr_waiting; i++)
		if (cr_tcp_is_same(&waiting[i], who))
			return 1;
	return 0;
}

/*
 * A packet may be late or lost: one end takes the connection for made, the
 * other still waits to hear that.  What has come since the listener was looked
 * at counts too, as long as nothing was received on it.
 */
static int add_half(struct ends *list, const struct cr_file_table *table,
		    const struct cr_tcp_entry *entry)
{
	const struct cr_file *file = cr_tcp_find_listener(table, &entry->local);
	const struct cr_wire_tcp *head = file ? cr_tcp_of(file) : NULL;
	struct cr_tcp_end *end;

	if (!head || is_known(head, &entry->remote))
		return 0;
	end = grow(list);
	if (!end)
		return -ENOMEM;
	end->kind = CR_TCP_END_HALF;
	end->file = file->wire.id;
	end->vpid = file->vpid;
	end->fd = (uint32_t)file->number;
	end->local = head->local;
	end->remote = entry->remote;
	return 0;
}

static int add_halves(struct ends *list, const struct cr_file_table *table)
{
	struct cr_tcp_list sockets;
	size_t i;
	int rc = cr_tcp_list_open(&sockets, NULL);

	if (rc < 0)
		return rc;
	for (i = 0; i < sockets.nr && rc == 0; i++) {
		const struct cr_tcp_entry *entry = &sockets.entries[i];

		if (!entry->inode && !entry->received &&
		    (entry->state == CR_TCP_SYN_RECV ||
		     entry->state == CR_TCP_ESTABLISHED) &&
		    cr_tcp_is_elsewhere(table, &entry->remote))
			rc = add_half(list, table, entry);
	}
	cr_tcp_list_free(&sockets);
	return rc;
}

static int give(struct ends *list, int rc, struct cr_tcp_end **endsp,
		size_t *nr_endsp, struct cr_error *err)
{
	if (rc < 0) {
		free(list->ends);
		return cr_error_set(err, rc, "ends of TCP connections: %s",
				    strerror(-rc));
	}
	*endsp = list->ends;
	*nr_endsp = list->nr;
	return 0;
}

int cr_file_table_ends(const struct cr_file_table *table,
		       struct cr_tcp_end **endsp, size_t *nr_endsp,
		       struct cr_error *err)
{
	struct ends list = { 0 };
	size_t i;
	int rc = 0;

	for (i = 0; i < table->nr_files && rc == 0; i++) {
		const struct cr_file *file = table->files[i];
		const struct holder holder = { file->vpid,
					       (uint32_t)file->number };
		const struct cr_wire_tcp *head = cr_tcp_of(file);

		if (head)
			rc = add(&list, head, &file->wire, &holder);
	}
	if (rc == 0 && table->tcp)
		rc = add_halves(&list, table);
	return give(&list, rc, endsp, nr_endsp, err);
}

static struct holder find_holder(const struct cr_saved *saved, uint32_t file)
{
	size_t i, j;

	for (i = 0; i < saved->nr_tasks; i++)
		for (j = 0; j < saved->tasks[i].nr_fds; j++)
			if (saved->tasks[i].fds[j].file == file)
				return (struct holder){
					saved->tasks[i].link->vpid,
					saved->tasks[i].fds[j].fd
				};
	return (struct holder){ 0, 0 };
}

int cr_image_connections(struct cr_image *image, struct cr_tcp_end **endsp,
			 size_t *nr_endsp, struct cr_error *err)
{
	struct ends list = { 0 };
	struct cr_saved *saved;
	uint32_t id;
	int rc = cr_saved_load(image, &saved, err);

	if (rc < 0)
		return rc;
	for (id = 1; id <= saved->nr_files && rc == 0; id++) {
		const struct cr_saved_file *file = &saved->files[id - 1];
		struct holder holder;

		if (file->file->kind != CR_FILE_TCP)
			continue;
		holder = find_holder(saved, id);
		rc = add(&list, file->data, file->file, &holder);
	}
	cr_saved_free(saved);
	return give(&list, rc, endsp, nr_endsp, err);
}

int cr_tcp_end_waits(const struct cr_tcp_end *end)
{
	return end->kind == CR_TCP_END_WAITING || end->kind == CR_TCP_END_HALF;
}

int cr_tcp_is_match(const struct cr_tcp_end *a, const struct cr_tcp_end *b)
{
	/* somebody may wait at a listener of all addresses */
	const int is_local = cr_tcp_end_waits(a) ?
				     cr_tcp_is_for(&a->local, &b->remote) :
				     cr_tcp_is_same(&a->local, &b->remote);
	const int is_remote = cr_tcp_end_waits(b) ?
				      cr_tcp_is_for(&b->local, &a->remote) :
				      cr_tcp_is_same(&a->remote, &b->local);

	return is_local && is_remote && !a->has_peer && !b->has_peer;
}
