/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_tcp_peer.c - who is at the other end of a TCP socket?
 *
 * In the tree: fine.  In the kernel alone, because it has not been accepted yet
 * or has been closed: fine if nothing can be lost.  Anywhere else: refused by
 * name, unless the caller says that other images may have it, or that such
 * connections may be reset.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "file_tcp.h"

#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK 72
#endif

#define TAKE_MS 3000
#define NAP_NS 2000000

static int need_list(struct cr_file_table *table, struct cr_error *err)
{
	int rc;

	if (table->tcp)
		return 0;
	table->tcp = calloc(1, sizeof(*table->tcp));
	if (!table->tcp)
		return cr_error_set(err, -ENOMEM, "out of memory");
	rc = cr_tcp_list_open(table->tcp, err);
	if (rc < 0) {
		free(table->tcp);
		table->tcp = NULL;
	}
	return rc;
}

static int is_connection(const struct cr_wire_tcp *head)
{
	return head->kind == CR_TCP_CONNECTED ||
	       head->kind == CR_TCP_CONNECTING;
}

/* The file whose ends are those of @head the other way round. */
static struct cr_file *find_other(const struct cr_file_table *table,
				  const struct cr_tcp_address *local,
				  const struct cr_tcp_address *remote)
{
	size_t i;

	for (i = 0; i < table->nr_files; i++) {
		const struct cr_wire_tcp *head = cr_tcp_of(table->files[i]);

		if (head && is_connection(head) &&
		    cr_tcp_is_same(&head->local, local) &&
		    cr_tcp_is_same(&head->remote, remote))
			return table->files[i];
	}
	return NULL;
}

struct cr_file *cr_tcp_find_listener(const struct cr_file_table *table,
				     const struct cr_tcp_address *to)
{
	size_t i;

	for (i = 0; i < table->nr_files; i++) {
		const struct cr_wire_tcp *head = cr_tcp_of(table->files[i]);

		if (head && head->kind == CR_TCP_LISTENING &&
		    cr_tcp_is_for(&head->local, to) &&
		    !(cr_tcp_is_only6(head) && cr_tcp_is_mapped(to)))
			return table->files[i];
	}
	return NULL;
}

static int refuse(struct cr_file_table *table, const struct cr_file *file,
		  const struct cr_tcp_address *local,
		  const struct cr_tcp_address *remote, const char *what)
{
	char from[CR_TCP_ADDRESS_TEXT], to[CR_TCP_ADDRESS_TEXT];

	return cr_file_refuse(table, file, "TCP connection %s -> %s, %s",
			      cr_tcp_print(local, from),
			      cr_tcp_print(remote, to), what);
}

int cr_tcp_is_elsewhere(const struct cr_file_table *table,
			const struct cr_tcp_address *remote)
{
	return table->options.peers_here ? !cr_tcp_is_loopback(remote) :
					   !cr_tcp_is_own(remote);
}

/* Nobody of this tree has the other end. */
static int is_elsewhere(struct cr_file_table *table, struct cr_file *file,
			struct cr_wire_tcp *head)
{
	if (table->options.peers_elsewhere &&
	    cr_tcp_is_elsewhere(table, &head->remote)) {
		head->flags |= CR_TCP_F_ELSEWHERE;
		return 0;
	}
	if (!table->options.tcp_close)
		return refuse(table, file, &head->local, &head->remote,
			      "whose other end is not in the tree");
	head->kind = CR_TCP_CLOSED;
	head->error = ECONNRESET;
	return 0;
}

static int is_accepted(const struct cr_tcp_entry *entry)
{
	return entry->inode || (entry->state != CR_TCP_ESTABLISHED &&
				entry->state != CR_TCP_CLOSE_WAIT &&
				entry->state != CR_TCP_SYN_RECV);
}

/* The other end @entry is at a listener of the tree. */
static int is_waiting(struct cr_file_table *table, const struct cr_file *file,
		      struct cr_wire_tcp *head,
		      const struct cr_tcp_entry *entry)
{
	char from[CR_TCP_ADDRESS_TEXT], to[CR_TCP_ADDRESS_TEXT];

	if (entry->state != CR_TCP_SYN_RECV &&
	    entry->received > (entry->state == CR_TCP_CLOSE_WAIT))
		return cr_file_refuse_for_now(
			table, file,
			"TCP connection %s -> %s, not accepted yet, but with "
			"data received",
			cr_tcp_print(&head->local, from),
			cr_tcp_print(&head->remote, to));
	head->kind = CR_TCP_CONNECTING;
	head->flags |= CR_TCP_F_WAITED_FOR;
	return 0;
}

/* What the other end @of has not got through yet; 0 if it is gone. */
static uint32_t unsent_by_other(const struct cr_wire_tcp *of)
{
	struct cr_wire_tcp other = { .local = of->remote, .remote = of->local };
	struct cr_tcp_entry entry;

	other.family = cr_tcp_is_mapped(&other.local) ? AF_INET : AF_INET6;
	if (cr_tcp_diag(&other, &entry) < 0 || entry.inode ||
	    entry.state == CR_TCP_FIN_WAIT2 || entry.state == CR_TCP_TIME_WAIT)
		return 0;
	return entry.unsent;
}

static void set_buffer(int fd, uint32_t size, uint32_t locks)
{
	const int half = (int)(size / 2), lock = (int)locks;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &half, sizeof(half));
	setsockopt(fd, SOL_SOCKET, SO_BUF_LOCK, &lock, sizeof(lock));
}

/*
 * Nobody can read what a closed socket still has to send, but it goes on
 * sending: let this one take it all.  The kernel asks for more room by itself,
 * after some hundred milliseconds.  Returns what is left.
 */
static uint32_t take_all(const struct cr_file *file,
			 const struct cr_wire_tcp *head)
{
	const struct timespec nap = { .tv_nsec = NAP_NS };
	uint32_t left = unsent_by_other(head);
	unsigned int waited_ms;

	if (!left)
		return 0;
	set_buffer(file->fd, CR_TCP_BUFFER_MAX, head->buffer_locks);
	for (waited_ms = 0; left && waited_ms < TAKE_MS; waited_ms += 2) {
		nanosleep(&nap, NULL);
		left = unsent_by_other(head);
	}
	set_buffer(file->fd, head->receive_buffer, head->buffer_locks);
	return left;
}

/* The other end has no process any more. */
static int is_closed(struct cr_file_table *table, const struct cr_file *file,
		     struct cr_wire_tcp *head)
{
	if (take_all(file, head))
		return refuse(table, file, &head->local, &head->remote,
			      "that the other end has closed with more under "
			      "way than the receive queue takes");
	head->flags |= CR_TCP_F_PEER_GONE;
	return 0;
}

static int find_end(struct cr_file_table *table, struct cr_file *file,
		    struct cr_wire_tcp *head)
{
	const struct cr_tcp_entry *entry;
	struct cr_file *other;

	if (cr_tcp_is_same(&head->local, &head->remote))
		return refuse(table, file, &head->local, &head->remote,
			      "connected to itself");
	other = find_other(table, &head->remote, &head->local);
	if (other) {
		file->wire.peer = other->wire.id;
		return 0;
	}
	if (cr_file_try_external(table, file))
		return 0;
	entry = cr_tcp_list_find(table->tcp, &head->remote, &head->local);
	if (entry && !is_accepted(entry) &&
	    cr_tcp_find_listener(table, &head->remote))
		return is_waiting(table, file, head, entry);
	if ((entry && (entry->inode || !is_accepted(entry))) ||
	    !cr_tcp_is_own(&head->remote))
		return is_elsewhere(table, file, head);
	return is_closed(table, file, head);
}

/* getpeername(2) does not tell where a connect(2) leads that is under way. */
static void find_destination(const struct cr_file_table *table,
			     const struct cr_file *file,
			     struct cr_wire_tcp *head)
{
	size_t i;

	for (i = 0; i < table->tcp->nr; i++)
		if (table->tcp->entries[i].inode == (uint32_t)file->stat.st_ino)
			head->remote = table->tcp->entries[i].remote;
}

static int add_waiting(struct cr_file *file, struct cr_wire_tcp **headp,
		       const struct cr_tcp_address *who, struct cr_error *err)
{
	struct cr_wire_tcp *head = *headp;
	size_t length = sizeof(*head) + head->nr_waiting * sizeof(*who);
	size_t room = sizeof(*head) +
		      cr_tcp_pad((head->nr_waiting + 1) * sizeof(*who));

	head = realloc(head, room);
	if (!head)
		return cr_error_set(err, -ENOMEM, "out of memory");
	memset((char *)head + length, 0, room - length);
	memcpy((char *)head + length, who, sizeof(*who));
	head->nr_waiting++;
	file->data = *headp = head;
	file->wire.data_length = (uint32_t)room;
	return 0;
}

/* @entry waits at @file: is its other end ours, or may it come again? */
static int look_at_waiting(struct cr_file_table *table, struct cr_file *file,
			   struct cr_wire_tcp **headp,
			   const struct cr_tcp_entry *entry,
			   struct cr_error *err)
{
	if (find_other(table, &entry->remote, &entry->local))
		return 0;
	if (table->options.peers_elsewhere &&
	    cr_tcp_is_elsewhere(table, &entry->remote)) {
		if (entry->received > (entry->state == CR_TCP_CLOSE_WAIT))
			return refuse(table, file, &entry->remote,
				      &entry->local,
				      "not accepted yet, but with data "
				      "received");
		return add_waiting(file, headp, &entry->remote, err);
	}
	if (table->options.tcp_close)
		return 0;
	return refuse(table, file, &entry->remote, &entry->local,
		      "not accepted yet, whose other end is not in the tree");
}

static int look_at_listener(struct cr_file_table *table, struct cr_file *file,
			    struct cr_error *err)
{
	struct cr_wire_tcp *head = file->data;
	size_t i;
	int rc = 0;

	for (i = 0; i < table->tcp->nr && rc == 0; i++) {
		const struct cr_tcp_entry *entry = &table->tcp->entries[i];

		if (!is_accepted(entry) && entry->state != CR_TCP_SYN_RECV &&
		    cr_tcp_find_listener(table, &entry->local) == file)
			rc = look_at_waiting(table, file, &head, entry, err);
	}
	return rc;
}

int cr_tcp_find_peer(struct cr_file_table *table, struct cr_file *file,
		     struct cr_error *err)
{
	struct cr_wire_tcp *head = file->data;
	int rc = need_list(table, err);

	if (rc < 0)
		return rc;
	switch (head->kind) {
	case CR_TCP_LISTENING:
		return look_at_listener(table, file, err);
	case CR_TCP_CONNECTING:
		find_destination(table, file, head);
		if (cr_tcp_find_listener(table, &head->remote))
			return 0;
		if (cr_file_try_external(table, file))
			return 0;
		return is_elsewhere(table, file, head);
	case CR_TCP_CONNECTED:
		return find_end(table, file, head);
	default:
		return 0;
	}
}
