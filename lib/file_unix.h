/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_unix.h - what the files of AF_UNIX sockets share
 *
 * file_unix.c saves a socket, file_unix_queue.c what is in its receive queue,
 * both directions; file_unix_renew.c hides that it was looked at;
 * file_unix_make.c, _name.c and _datagram.c make, bind and
 * connect sockets again; file_unix_diag.c asks the kernel what no descriptor
 * tells.
 */
#ifndef FILE_UNIX_H
#define FILE_UNIX_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "file.h"

#define CR_UNIX_F_LISTEN 1u
#define CR_UNIX_F_CONNECTED 2u /* to wire.peer; 0: it has been closed */
#define CR_UNIX_F_CONNECT_NAME 4u /* to peer_name, outside the tree */
#define CR_UNIX_F_PASSCRED 8u
#define CR_UNIX_F_NAME_EXISTS 16u /* the path leads to this socket */

#define CR_UNIX_NAME_MAX sizeof(((struct sockaddr_un *)0)->sun_path)

/* The kind's own structure; wire.path is the absolute path if it has one. */
struct cr_wire_unix {
	uint32_t type; /* SOCK_* */
	uint32_t flags; /* CR_UNIX_F_* */
	uint32_t backlog;
	uint32_t shutdown; /* 1: receive, 2: send */
	uint32_t send_buffer, receive_buffer; /* bytes, as of getsockopt(2) */
	uint32_t receive_low;
	int32_t peek_offset;
	uint64_t receive_timeout_us, send_timeout_us;
	uint32_t peer_uid, peer_gid; /* SO_PEERCRED */
	uint32_t mode, uid, gid; /* of the path */
	uint32_t name_length, peer_name_length; /* of sun_path, bytes */
	uint32_t nr_messages;
	uint8_t name[112], peer_name[112];
	/* messages: struct cr_wire_message, then bytes padded to 8 */
};

struct cr_wire_message {
	uint32_t length;
	uint32_t has_creds;
	uint32_t vpid, uid, gid; /* SCM_CREDENTIALS */
	uint32_t sender; /* object with the sender's name, 0: nameless */
};

/* What sock_diag(7) says about a socket of this network namespace. */
struct cr_unix_diag {
	uint32_t inode;
	uint32_t id; /* of the object that has it; 0: none, or not met yet */
	uint32_t state; /* TCP_* */
	uint32_t peer_inode; /* 0: none, closed or not accepted yet */
	int has_peer;
	uint32_t pending; /* connections of a listener */
	uint32_t backlog;
	uint32_t shutdown;
	uint32_t path_inode; /* of the bound path, 0: none */
};

/* *@diagp is the table's, and good until the next call.  -ENOENT: there is no
 * such socket; or errors of sendmsg(2). */
int cr_unix_diag(struct cr_file_table *table, uint32_t inode,
		 struct cr_unix_diag **diagp, struct cr_error *err);
/* Object of the socket, by what has been noted in its diag->id; or 0. */
uint32_t cr_unix_find_inode(const struct cr_file_table *table, uint32_t inode);

/* NULL is allowed. */
void cr_unix_list_free(struct cr_unix_list *list);

/* A file's data is built up here while it is saved. */
struct cr_unix_saving {
	struct cr_wire_unix head;
	uint8_t *messages;
	size_t length; /* bytes */
	int is_refused; /* a message cannot be saved; the rest was looked at */
	int is_fixed; /* nor be sent again; it is the last one looked at */
};

#define CR_UNIX_CONTROL_MAX 4096 /* bytes; more than 253 descriptors take */

/* Close the descriptors that have come with a message. */
void cr_unix_close_rights(struct msghdr *header);

/* The object whose socket has the given name, or 0. */
uint32_t cr_unix_find_name(const struct cr_file_table *table, const void *name,
			   size_t length);

/* Copy what is in the receive queue.  1: refused. */
int cr_unix_queue_save(struct cr_file_table *table, struct cr_file *file,
		       struct cr_unix_saving *saving, struct cr_error *err);

/* Bytes of a message with what follows up to the next one. */
static inline size_t cr_unix_pad(size_t length)
{
	return (length + 7) & ~(size_t)7;
}

/*
 * file_unix_renew.c: make the messages of @file, which have been looked at
 * and are in @saving, visible for the next look; @buffer of @size bytes holds
 * the largest of them.  Where one could not be sent again all stay as they
 * are: those before it are received before there can be an image.
 */
int cr_unix_renew(struct cr_file_table *table, const struct cr_file *file,
		  const struct cr_unix_saving *saving, void *buffer,
		  size_t size, struct cr_error *err);

/* The checked structure of object @id, NULL if it is damaged. */
const struct cr_wire_unix *cr_unix_saved(const struct cr_file_restore *restore,
					 uint32_t id);

/*
 * Send the messages of object @id again.  @sender is connected to it, or -1:
 * each message is sent by its own sender to the name of @id.
 */
int cr_unix_queue_fill(struct cr_file_restore *restore, uint32_t id, int sender,
		       struct cr_error *err);

/* Address of the name of @saved; 0 if that is a path whose directory is not
 * there.  May change the working directory. */
socklen_t cr_unix_address(const struct cr_saved_file *saved,
			  const uint8_t *name, uint32_t length,
			  struct sockaddr_un *address);

/* Give @fd the name of object @id, and the path its mode. */
int cr_unix_bind(struct cr_file_restore *restore, uint32_t id, int fd,
		 struct cr_error *err);

/* What was set with setsockopt(2) and shutdown(2); after its queue is full. */
void cr_unix_set_options(const struct cr_wire_unix *head, int fd);

/* Do @id and its peer name each other? */
int cr_unix_is_mutual(const struct cr_file_restore *restore, uint32_t id);

int cr_unix_make(struct cr_file_restore *restore, uint32_t id,
		 struct cr_error *err);
int cr_unix_connect(struct cr_file_restore *restore, uint32_t id, int fd,
		    struct cr_error *err);

#endif /* FILE_UNIX_H */
