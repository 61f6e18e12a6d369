/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_tcp.h - what the files of TCP sockets share
 *
 * file_tcp.c saves a socket but for its queues; file_tcp_peer.c finds the other
 * ends and gives the verdict, with file_tcp_diag.c's list of all sockets of the
 * node; file_tcp_tree.c reads the queues, shortly before the image is
 * written; file_tcp_options.c knows socket options, both directions;
 * file_tcp_make.c, file_tcp_name.c, file_tcp_connect.c and file_tcp_mirror.c
 * make sockets again, restart_tcp.c sets them going at the gate;
 * file_tcp_load.c checks what an image says; file_tcp_ends.c has the ends for
 * other nodes.
 */
#ifndef FILE_TCP_H
#define FILE_TCP_H

#include <stdint.h>
#include <sys/socket.h>

#include "cr_tcp.h"
#include "file.h"

/* The kernel's, which no header for user space has without libc's own. */
enum cr_tcp_state {
	CR_TCP_ESTABLISHED = 1,
	CR_TCP_SYN_SENT = 2,
	CR_TCP_SYN_RECV = 3,
	CR_TCP_FIN_WAIT1 = 4,
	CR_TCP_FIN_WAIT2 = 5,
	CR_TCP_TIME_WAIT = 6,
	CR_TCP_CLOSE = 7,
	CR_TCP_CLOSE_WAIT = 8,
	CR_TCP_LAST_ACK = 9,
	CR_TCP_LISTEN = 10,
	CR_TCP_CLOSING = 11,
	CR_TCP_BOUND = 13, /* sock_diag(7) only, of Linux 6.8 */
};

/* What is to be made of a socket. */
enum cr_tcp_kind {
	CR_TCP_UNCONNECTED = 1, /* may have a name */
	CR_TCP_LISTENING = 2,
	CR_TCP_CONNECTED = 3,
	CR_TCP_CONNECTING = 4, /* to be connected by a handshake, at the gate */
	CR_TCP_CLOSED = 5, /* was connected; both directions have ended */
};

#define CR_TCP_F_FIN_SENT 1u
#define CR_TCP_F_FIN_RECEIVED 2u
#define CR_TCP_F_RECEIVE_SHUT 4u /* as by shutdown(2) */
#define CR_TCP_F_TIMESTAMPS 8u
#define CR_TCP_F_SACK 16u
#define CR_TCP_F_SCALE 32u
#define CR_TCP_F_ELSEWHERE 64u /* the other end is in another image */
#define CR_TCP_F_PEER_GONE 128u /* nobody has the other end any more */
#define CR_TCP_F_WAITED_FOR                                  \
	256u /* CONNECTING: it had been connected; the other \
	      * end waits for accept(2) */
#define CR_TCP_F_ALL 511u

#define CR_TCP_OPTIONS 48 /* room for options, see file_tcp_options.c */
#define CR_TCP_WAITING_MAX 65536u
#define CR_TCP_BUFFER_MAX (1 << 30) /* bytes, while queues are filled */

/* The kind's own structure; wire.peer is the other end if it is here. */
struct cr_wire_tcp {
	uint32_t family; /* AF_INET, AF_INET6 */
	uint32_t kind; /* enum cr_tcp_kind */
	uint32_t flags; /* CR_TCP_F_* */
	uint32_t state; /* enum cr_tcp_state, when it was looked at; to be told
			 */
	struct cr_tcp_address local, remote;
	uint32_t backlog;
	uint32_t error; /* CLOSED: what SO_ERROR shall say; 0 or ECONNRESET */
	uint64_t receive_timeout_us, send_timeout_us;
	uint32_t linger_on, linger_s;
	uint32_t send_buffer, receive_buffer; /* bytes, as of getsockopt(2) */
	uint32_t buffer_locks; /* SO_BUF_LOCK */
	uint32_t nr_waiting; /* LISTENING */
	char congestion[16], device[16]; /* NUL-terminated */
	uint64_t options_set; /* bit i: options[i] holds a value */
	int32_t options[CR_TCP_OPTIONS];
	/* sequence numbers; FINs are in none of them */
	uint32_t send_first, send_length;
	uint32_t receive_end, receive_length;
	uint32_t window_begin, window; /* to be received: rcv_wup, rcv_wnd */
	uint32_t send_window, send_window_max; /* snd_wnd, max_window */
	uint32_t mss;
	uint32_t send_scale, receive_scale;
	uint32_t timestamp; /* TCP_TIMESTAMP */
	/* struct cr_tcp_address[nr_waiting] (who waits for accept(2)), bytes
	 * received, bytes to be sent; each padded to 8 */
};

static inline size_t cr_tcp_pad(size_t length)
{
	return (length + 7) & ~(size_t)7;
}

/* ---- addresses: file_tcp_address.c ---- */

int cr_tcp_is_same(const struct cr_tcp_address *a,
		   const struct cr_tcp_address *b);
int cr_tcp_is_any(const struct cr_tcp_address *address);
int cr_tcp_is_mapped(const struct cr_tcp_address *address); /* IPv4 */
/* Does a socket bound to @name get what is sent to @to? */
int cr_tcp_is_for(const struct cr_tcp_address *name,
		  const struct cr_tcp_address *to);
/* Is it an address of this node? */
int cr_tcp_is_own(const struct cr_tcp_address *address);
void cr_tcp_from_sockaddr(const struct sockaddr_storage *from,
			  struct cr_tcp_address *to);
/* Returns the length, 0 if an AF_INET socket cannot have that address. */
socklen_t cr_tcp_to_sockaddr(const struct cr_tcp_address *from, uint32_t family,
			     struct sockaddr_storage *to);

/* ---- sock_diag(7): file_tcp_diag.c ---- */

struct cr_tcp_entry {
	struct cr_tcp_address local, remote;
	uint32_t state; /* enum cr_tcp_state */
	uint32_t inode; /* 0: no process has it */
	uint32_t uid; /* of whom */
	uint32_t received; /* bytes that nobody has read, a FIN counts */
	uint32_t unsent; /* bytes not acknowledged, a FIN counts */
	uint32_t is_only6; /* leaves IPv4 free; only without a connection */
};

struct cr_tcp_list {
	struct cr_tcp_entry *entries; /* sorted by addresses */
	size_t nr;
	uint64_t network; /* cookie of our network namespace */
	int may_repair; /* we have CAP_NET_ADMIN */
};

uint64_t cr_tcp_network_of(int fd); /* cookie of its network namespace */

/* All TCP sockets of our network namespace; freed with cr_tcp_list_free(). */
int cr_tcp_list_open(struct cr_tcp_list *list, struct cr_error *err);
void cr_tcp_list_free(struct cr_tcp_list *list);
const struct cr_tcp_entry *
cr_tcp_list_find(const struct cr_tcp_list *list,
		 const struct cr_tcp_address *local,
		 const struct cr_tcp_address *remote);
/* What the list says about the connection @head alone.  Returns 0 or a negative
 * errno. */
int cr_tcp_diag(const struct cr_wire_tcp *head, struct cr_tcp_entry *entry);
/* End the connection @head (its family and addresses count) if no process has
 * it. */
void cr_tcp_end_orphan(const struct cr_wire_tcp *head);
/* ---- saving ---- */

/* The listener of the tree that takes connections to @to, or NULL. */
struct cr_file *cr_tcp_find_listener(const struct cr_file_table *table,
				     const struct cr_tcp_address *to);

/* The structure of a file being saved, NULL if it is none of TCP. */
static inline struct cr_wire_tcp *cr_tcp_of(const struct cr_file *file)
{
	return file->wire.kind == CR_FILE_TCP ? file->data : NULL;
}

void cr_tcp_get_options(int fd, struct cr_wire_tcp *head);
/* Was it for IPv6 alone (IPV6_V6ONLY)? */
int cr_tcp_is_only6(const struct cr_wire_tcp *head);
/* 1: @fd has something attached that cannot be saved; *@whatp says what. */
int cr_tcp_has_more(int fd, const char **whatp);

/* file_tcp_peer.c */
/* If other images may have ends of connections (cr_checkpoint_options
 * .peers_elsewhere): the one at @remote?  On this node it is mostly a
 * stranger's. */
int cr_tcp_is_elsewhere(const struct cr_file_table *table,
			const struct cr_tcp_address *remote);
/* The verdict about one socket. */
int cr_tcp_find_peer(struct cr_file_table *table, struct cr_file *file,
		     struct cr_error *err);

/* file_tcp_queue.c, each 0 or a negative errno: take *@keptp, head->send_length
 * bytes of the send queue, which is freed with free(3) ... */
int cr_tcp_save_send_side(struct cr_file *file, uint8_t **keptp);
/* ... and append what has been received to the file's data. */
int cr_tcp_save_receive_side(struct cr_file *file);
/* Put @length bytes behind the file's data, padded. */
int cr_tcp_append(struct cr_file *file, const void *bytes, size_t length);

/* TCP_REPAIR; leaving it (@value CR_TCP_REPAIR_OFF) loses SO_REUSEADDR, which
 * is set again. */
#define CR_TCP_REPAIR_OFF (-1) /* TCP_REPAIR_OFF_NO_WP: tell nobody */
int cr_tcp_repair(int fd, int value, const struct cr_wire_tcp *head);

/* ---- the image ---- */

/* A checked structure and the arrays behind it. */
struct cr_tcp_saved {
	const struct cr_wire_tcp *head;
	const struct cr_tcp_address *waiting; /* [head->nr_waiting] */
	const uint8_t *received; /* [head->receive_length] */
	const uint8_t *sent; /* [head->send_length] */
};

/* Take @file apart.  Returns 0 or -EBADMSG. */
int cr_tcp_parse(const struct cr_saved_file *file, struct cr_tcp_saved *tcp,
		 struct cr_error *err);
/* Does it fit the other end, if that is in the image? */
int cr_tcp_check(const struct cr_saved *saved, const struct cr_saved_file *file,
		 struct cr_error *err);

/* ---- restoring ---- */

/* A socket that is being made. */
struct cr_tcp_making {
	struct cr_tcp_saved tcp;
	struct cr_tcp_address local, remote; /* moved */
	uint32_t send_first; /* nothing before it is to be sent again */
	uint32_t send_window;
	uint32_t kind; /* enum cr_tcp_kind: may be CLOSED by the peers' table */
	uint32_t error;
	int is_gone; /* no other end */
};

/* All that is known about object @id; see struct cr_tcp_restart.  Returns 0,
 * -EBADMSG, or -ENOTCONN if the other end is in no image. */
int cr_tcp_prepare(const struct cr_saved *saved,
		   const struct cr_tcp_restart *restart, uint32_t id,
		   struct cr_tcp_making *making, struct cr_error *err);

/* Before it has an address; and when its queues are full. */
int cr_tcp_set_options(const struct cr_wire_tcp *head, int fd,
		       struct cr_error *err);
void cr_tcp_set_late_options(const struct cr_wire_tcp *head, int fd);

/* ---- one end, in repair mode: file_tcp_connect.c ---- */

/*
 * How long whoever has a port or a connection may take to go: processes of an
 * attempt at this restart that was given up, or a connection that the kernel
 * gave this very port.  And a nap meanwhile; returns its ms.
 */
#define CR_TCP_HELD_MS 5000
int cr_tcp_nap(void);

int cr_tcp_bind(int fd, uint32_t family, const struct cr_tcp_address *address,
		struct cr_error *err);
/* The same for a socket without a connection, with all its options: waits for
 * what is left of closed connections to go (file_tcp_name.c). */
int cr_tcp_bind_name(int fd, uint32_t family,
		     const struct cr_tcp_address *address,
		     struct cr_error *err);
/* ... or takes another port if that one is taken, at once: see
 * cr_tcp_restart.renumber. */
int cr_tcp_bind_any_port(int fd, uint32_t family,
			 const struct cr_tcp_address *address,
			 struct cr_error *err);

/* One end of a connection, as repair mode makes it. */
struct cr_tcp_shape {
	uint32_t family;
	struct cr_tcp_address local, remote;
	uint32_t send_first, receive_first; /* next byte to be sent, received */
	uint32_t flags; /* CR_TCP_F_TIMESTAMPS, _SACK, _SCALE */
	uint32_t mss, send_scale, receive_scale, timestamp;
};

/* @fd, in repair mode, becomes the end that @shape says. */
int cr_tcp_connect(const struct cr_tcp_shape *shape, int fd,
		   struct cr_error *err);
/* Its windows, in bytes: what may be sent, what may be received from sequence
 * number @begin on. */
int cr_tcp_set_window(int fd, uint32_t send, uint32_t send_max, uint32_t begin,
		      uint32_t receive);
/* Have the size of its segments worked out again. */
void cr_tcp_update_mss(int fd);
void cr_tcp_shape(const struct cr_tcp_making *making,
		  struct cr_tcp_shape *shape);

/* Put the bytes received of @making into the queue of @fd. */
int cr_tcp_fill(const struct cr_tcp_making *making, int fd,
		struct cr_error *err);

/*
 * file_tcp_mirror.c: another end, made for the moment, says what @fd has heard,
 * and vanishes without a word.
 *
 * The FINs of @making, whose other end is gone; @fd is connected, in repair
 * mode, and has left it if it has sent a FIN itself.
 */
int cr_tcp_mirror_fins(const struct cr_tcp_making *making, int fd,
		       struct cr_error *err);
/* Of a connection that nobody has the other end of: have that at an address of
 * ours, whose packets stay here. */
int cr_tcp_come_home(struct cr_tcp_making *making, struct cr_error *err);
/* @fd, in repair mode and without an address, becomes one whose connection has
 * been reset, with the bytes received of @making. */
int cr_tcp_mirror_reset(const struct cr_tcp_making *making, int fd,
			struct cr_error *err);

int cr_tcp_make(struct cr_file_restore *restore, uint32_t id,
		struct cr_error *err);

#endif /* FILE_TCP_H */
