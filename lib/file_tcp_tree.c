/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_tcp_tree.c - the TCP connections of a tree, all together
 *
 * The kernel goes on sending and receiving while the tree is frozen.  So all
 * send queues are read before any receive queue: a byte that has left the one
 * meanwhile is in the other, and one that is in both is cut off at restart by
 * its sequence number.
 *
 * A socket that is left in repair mode, since we are killed, is of no use to
 * its program: a guard takes them out of it when we die.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file_tcp.h"
#include "guard.h"

static int fail(const struct cr_file *file, int rc, struct cr_error *err)
{
	const struct cr_wire_tcp *head = file->data;
	char from[CR_TCP_ADDRESS_TEXT], to[CR_TCP_ADDRESS_TEXT];
	const char *why = rc == -EFBIG ?
				  "more is under way than fits a record" :
			  rc == -EPROTO ? "its queue cannot be read whole" :
			  rc == -EPERM	? "reading it takes CAP_NET_ADMIN" :
					  strerror(-rc);

	return cr_error_set(err, rc,
			    "vpid %u fd %d: TCP connection %s -> %s: %s",
			    file->vpid, file->number,
			    cr_tcp_print(&head->local, from),
			    cr_tcp_print(&head->remote, to), why);
}

/* Its send queue, of those that have one that counts. */
static int has_send_side(const struct cr_wire_tcp *head)
{
	return head && (head->kind == CR_TCP_CONNECTED ||
			(head->kind == CR_TCP_CONNECTING &&
			 head->flags & CR_TCP_F_WAITED_FOR));
}

static int has_receive_side(const struct cr_wire_tcp *head)
{
	return head &&
	       (head->kind == CR_TCP_CONNECTED || head->kind == CR_TCP_CLOSED);
}

static int read_all(struct cr_file_table *table, uint8_t **kept,
		    int (*between)(void *arg, struct cr_error *err), void *arg,
		    struct cr_error *err)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < table->nr_files && rc == 0; i++)
		if (has_send_side(cr_tcp_of(table->files[i]))) {
			rc = cr_tcp_save_send_side(table->files[i], &kept[i]);
			if (rc < 0)
				return fail(table->files[i], rc, err);
		}
	if (between)
		rc = between(arg, err);
	for (i = 0; i < table->nr_files && rc == 0; i++) {
		struct cr_file *file = table->files[i];
		struct cr_wire_tcp *head = cr_tcp_of(file);

		if (has_receive_side(head))
			rc = cr_tcp_save_receive_side(file);
		if (rc == 0 && kept[i]) {
			head = file->data;
			rc = cr_tcp_append(file, kept[i], head->send_length);
		}
		if (rc < 0)
			return fail(file, rc, err);
	}
	return rc;
}

static int has_connections(const struct cr_file_table *table)
{
	size_t i;

	for (i = 0; i < table->nr_files; i++) {
		const struct cr_wire_tcp *head = cr_tcp_of(table->files[i]);

		if (has_send_side(head) || has_receive_side(head))
			return 1;
	}
	return 0;
}

static void end_repair(const void *arg)
{
	const struct cr_file_table *table = arg;
	size_t i;

	for (i = 0; i < table->nr_files; i++) {
		const struct cr_wire_tcp *head = cr_tcp_of(table->files[i]);

		if (has_send_side(head))
			cr_tcp_repair(table->files[i]->fd, CR_TCP_REPAIR_OFF,
				      head);
	}
}

int cr_file_table_read_tcp(struct cr_file_table *table,
			   int (*between)(void *arg, struct cr_error *err),
			   void *arg, struct cr_error *err)
{
	uint8_t **kept;
	pid_t guard;
	size_t i;
	int rc;

	if (!has_connections(table))
		return between ? between(arg, err) : 0;
	kept = calloc(table->nr_files, sizeof(*kept));
	if (!kept)
		return cr_error_set(err, -ENOMEM, "out of memory");
	guard = cr_guard_start(end_repair, table);
	rc = read_all(table, kept, between, arg, err);
	cr_guard_end(guard);
	for (i = 0; i < table->nr_files; i++)
		free(kept[i]);
	free(kept);
	return rc;
}

void cr_file_table_silence_tcp(struct cr_file_table *table, int close_all)
{
	size_t i;

	if (!table)
		return;
	for (i = 0; i < table->nr_files; i++) {
		struct cr_file *file = table->files[i];
		const struct cr_wire_tcp *head = cr_tcp_of(file);

		if (!head || file->fd < 0)
			continue;
		if (head->kind == CR_TCP_CONNECTED ||
		    head->kind == CR_TCP_CONNECTING)
			cr_tcp_repair(file->fd, 1, NULL);
		if (close_all) {
			close(file->fd);
			file->fd = -1;
		}
	}
}
