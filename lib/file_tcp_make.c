/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_tcp_make.c - TCP sockets: make them again
 *
 * A connection is made in repair mode, without a packet, and stays in it until
 * every task is at the gate (restart_tcp.c): so nobody speaks to somebody who
 * is not there yet.  Sockets with a name of their own come before all
 * connections, since a connection would be in the way of a listener at the
 * same port.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "file_tcp.h"

/* On the node where it was saved the closed other end may still linger, in the
 * place of the one that is to be made for the moment. */
static void end_remains(const struct cr_tcp_shape *shape)
{
	struct cr_wire_tcp other = { .local = shape->remote,
				     .remote = shape->local };

	other.family = cr_tcp_is_mapped(&other.local) ? AF_INET : AF_INET6;
	cr_tcp_end_orphan(&other);
}

static int make_connected(const struct cr_tcp_making *making, int fd,
			  struct cr_error *err)
{
	const struct cr_wire_tcp *head = making->tcp.head;
	struct cr_tcp_shape shape;
	int rc;

	cr_tcp_shape(making, &shape);
	if (making->is_gone)
		end_remains(&shape);
	rc = cr_tcp_connect(&shape, fd, err);
	if (rc == 0)
		rc = cr_tcp_fill(making, fd, err);
	if (rc == 0 && making->is_gone)
		return cr_tcp_mirror_fins(making, fd, err);
	if (rc < 0)
		return rc;
	rc = cr_tcp_set_window(fd, making->send_window, head->send_window_max,
			       head->window_begin, head->window);
	cr_tcp_update_mss(fd);
	return rc < 0 ? cr_error_set(err, rc, "window of a TCP connection: %s",
				     strerror(-rc)) :
			0;
}

/* The gate connects it; until then the name is kept. */
static int make_connecting(const struct cr_tcp_making *making, int fd,
			   struct cr_error *err)
{
	int rc = cr_tcp_bind(fd, making->tcp.head->family, &making->local, err);

	if (rc == 0 &&
	    cr_tcp_repair(fd, CR_TCP_REPAIR_OFF, making->tcp.head) < 0)
		rc = cr_error_errno(err, "leaving repair mode");
	return rc;
}

static int new_socket(const struct cr_wire_tcp *head,
		      const struct cr_wire_file *file, struct cr_error *err)
{
	int fd = socket((int)head->family, SOCK_STREAM | SOCK_CLOEXEC,
			IPPROTO_TCP);
	int rc;

	if (fd < 0)
		return cr_error_errno(err, "TCP socket");
	rc = fchown(fd, file->uid, file->gid); /* as lists of sockets show it */
	(void)rc;
	rc = cr_tcp_set_options(head, fd, err);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	return fd;
}

static int enter_repair(int fd, struct cr_error *err)
{
	int rc = cr_tcp_repair(fd, 1, NULL);

	if (rc == -EPERM)
		return cr_error_set(err, rc,
				    "restoring a TCP connection takes "
				    "CAP_NET_ADMIN");
	return rc < 0 ? cr_error_set(err, rc, "TCP_REPAIR: %s", strerror(-rc)) :
			0;
}

static int make_one(const struct cr_tcp_making *making, int fd,
		    struct cr_error *err)
{
	int rc = 0;

	if (making->kind != CR_TCP_UNCONNECTED)
		rc = enter_repair(fd, err);
	if (rc < 0)
		return rc;
	switch (making->kind) {
	case CR_TCP_CONNECTED:
		return make_connected(making, fd, err);
	case CR_TCP_CONNECTING:
		return make_connecting(making, fd, err);
	case CR_TCP_CLOSED:
		rc = cr_tcp_mirror_reset(making, fd, err);
		cr_tcp_set_late_options(making->tcp.head, fd);
		return rc;
	default:
		cr_tcp_set_late_options(making->tcp.head, fd);
		return 0;
	}
}

static int has_name(const struct cr_wire_tcp *head)
{
	return head->kind == CR_TCP_LISTENING ||
	       (head->kind == CR_TCP_UNCONNECTED &&
		(head->local.port || !cr_tcp_is_any(&head->local)));
}

static int is_to_be_named(const struct cr_file_restore *restore, uint32_t id)
{
	const struct cr_saved_file *file = cr_file_saved(restore, id);

	return file->file->kind == CR_FILE_TCP &&
	       !restore->places[id - 1].vpid && has_name(file->data);
}

static int make_named(struct cr_file_restore *restore, uint32_t id,
		      struct cr_error *err)
{
	const struct cr_wire_tcp *head;
	struct cr_tcp_making making;
	int fd, rc;

	rc = cr_tcp_prepare(restore->saved, restore->tcp, id, &making, err);
	if (rc < 0)
		return rc;
	head = making.tcp.head;
	fd = new_socket(head, cr_file_saved(restore, id)->file, err);
	if (fd < 0)
		return fd;
	cr_tcp_set_late_options(head, fd);
	if (restore->tcp && restore->tcp->renumber &&
	    !cr_tcp_is_loopback(&making.local))
		rc = cr_tcp_bind_any_port(fd, head->family, &making.local, err);
	else
		rc = cr_tcp_bind_name(fd, head->family, &making.local, err);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	return cr_file_park(restore, id, fd, err);
}

static int listen_again(struct cr_file_restore *restore, uint32_t id,
			struct cr_error *err)
{
	const struct cr_wire_tcp *head = cr_file_saved(restore, id)->data;
	char text[CR_TCP_ADDRESS_TEXT];
	int fd = cr_file_get(restore, id, err);

	if (fd < 0)
		return fd;
	if (listen(fd, (int)head->backlog) < 0)
		return cr_error_errno(err, "TCP address %s: listen",
				      cr_tcp_print(&head->local, text));
	return 0;
}

/* All names before the first of them listens: that takes a port for itself. */
static int make_all_named(struct cr_file_restore *restore, struct cr_error *err)
{
	const size_t nr = restore->saved->nr_files;
	int nr_made = 0, rc = 0;
	uint32_t id;

	for (id = 1; id <= nr && rc == 0; id++)
		if (is_to_be_named(restore, id)) {
			rc = make_named(restore, id, err);
			nr_made++;
		}
	for (id = 1; id <= nr && rc == 0 && nr_made; id++) {
		const struct cr_saved_file *file = cr_file_saved(restore, id);
		const struct cr_wire_tcp *head = file->data;

		if (file->file->kind == CR_FILE_TCP &&
		    head->kind == CR_TCP_LISTENING)
			rc = listen_again(restore, id, err);
	}
	return rc;
}

int cr_tcp_make(struct cr_file_restore *restore, uint32_t id,
		struct cr_error *err)
{
	struct cr_tcp_making making;
	int fd, rc;

	rc = make_all_named(restore, err);
	if (rc < 0 || restore->places[id - 1].vpid)
		return rc;
	rc = cr_tcp_prepare(restore->saved, restore->tcp, id, &making, err);
	if (rc == 0 && making.is_gone)
		rc = cr_tcp_come_home(&making, err);
	if (rc < 0)
		return rc;
	fd = new_socket(making.tcp.head, cr_file_saved(restore, id)->file, err);
	if (fd < 0)
		return fd;
	rc = make_one(&making, fd, err);
	if (rc < 0) {
		close(fd); /* in repair mode: nobody hears of it */
		return rc;
	}
	return cr_file_park(restore, id, fd, err);
}
