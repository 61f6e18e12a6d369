/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_unix_name.c - give AF_UNIX sockets their names again
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file_unix.h"

socklen_t cr_unix_address(const struct cr_saved_file *saved,
			  const uint8_t *name, uint32_t length,
			  struct sockaddr_un *address)
{
	char directory[4096];
	size_t path_length = strlen(saved->path);

	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	memcpy(address->sun_path, name, length);
	/* A relative name counts from where the program was then. */
	if (length && name[0] && name[0] != '/' && path_length > length) {
		snprintf(directory, sizeof(directory), "%.*s",
			 (int)(path_length - length), saved->path);
		if (chdir(directory) < 0)
			return 0;
	}
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
}

/* A path that is left over from a socket that nobody has any more. */
static int is_stale(const struct sockaddr_un *address, socklen_t length,
		    uint32_t type)
{
	int fd = socket(AF_UNIX, (int)type | SOCK_CLOEXEC, 0);
	int rc;

	if (fd < 0)
		return 0;
	rc = connect(fd, (const struct sockaddr *)address, length);
	rc = rc < 0 && errno == ECONNREFUSED;
	close(fd);
	return rc;
}

/* What the saved name was like, or that it was gone. */
static int set_mode(const struct cr_wire_unix *head, const char *path,
		    int is_roots)
{
	if (!(head->flags & CR_UNIX_F_NAME_EXISTS))
		return unlink(path);
	if (chmod(path, head->mode) < 0)
		return -1;
	return is_roots ? lchown(path, head->uid, head->gid) : 0;
}

/* With the task's rights: what lies on the way is its user's to change. */
static int bind_as_user(struct cr_file_restore *restore, int fd,
			const struct cr_wire_unix *head,
			const struct sockaddr_un *address, socklen_t length)
{
	struct cr_file_rights rights;
	int rc = cr_file_take_rights(restore, &rights);

	if (rc < 0)
		return rc;
	rc = bind(fd, (const struct sockaddr *)address, length);
	if (rc < 0 && errno == EADDRINUSE && address->sun_path[0] &&
	    is_stale(address, length, head->type) &&
	    unlink(address->sun_path) == 0)
		rc = bind(fd, (const struct sockaddr *)address, length);
	if (rc == 0 && address->sun_path[0])
		rc = set_mode(head, address->sun_path,
			      geteuid() == 0 && !rights.is_changed);
	rc = rc < 0 ? -errno : 0;
	cr_file_give_back_rights(&rights);
	return rc;
}

int cr_unix_bind(struct cr_file_restore *restore, uint32_t id, int fd,
		 struct cr_error *err)
{
	const struct cr_saved_file *saved = cr_file_saved(restore, id);
	const struct cr_wire_unix *head = saved->data;
	struct sockaddr_un address;
	socklen_t length;
	int rc;

	if (!head->name_length)
		return 0;
	length =
		cr_unix_address(saved, head->name, head->name_length, &address);
	rc = length ? bind_as_user(restore, fd, head, &address, length) :
		      -ENOENT;
	if (rc < 0)
		return cr_error_set(err, rc == -EADDRINUSE ? -ESTALE : rc,
				    "Unix socket %s: %s",
				    saved->path[0] ? saved->path :
						     "of an abstract name",
				    strerror(-rc));
	return 0;
}
