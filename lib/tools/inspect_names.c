// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * inspect_names.c - words for the numbers of an image
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "file_tcp.h"
#include "inspect.h"

#define NAME_OF(names, number)                                              \
	((number) < sizeof(names) / sizeof((names)[0]) && (names)[number] ? \
		 (names)[number] :                                          \
		 "?")

static const char *const file_kinds[] = {
	[CR_FILE_REGULAR] = "regular",
	[CR_FILE_DIRECTORY] = "directory",
	[CR_FILE_FIFO] = "fifo",
	[CR_FILE_PIPE] = "pipe",
	[CR_FILE_DEVICE] = "device",
	[CR_FILE_EVENTFD] = "eventfd",
	[CR_FILE_EPOLL] = "epoll",
	[CR_FILE_SIGNALFD] = "signalfd",
	[CR_FILE_TIMERFD] = "timerfd",
	[CR_FILE_PTY_MASTER] = "pty-master",
	[CR_FILE_PTY_SLAVE] = "pty-slave",
	[CR_FILE_UNIX] = "unix-socket",
	[CR_FILE_MEMFD] = "memfd",
	[CR_FILE_EXTERNAL] = "stream",
	[CR_FILE_PROC] = "proc",
	[CR_FILE_PIDFD] = "pidfd",
	[CR_FILE_INOTIFY] = "inotify",
	[CR_FILE_TCP] = "tcp-socket",
	[CR_FILE_EXTERNAL_SOCKET] = "external",
};

static const char *const tcp_kinds[] = {
	[CR_TCP_UNCONNECTED] = "unconnected",
	[CR_TCP_LISTENING] = "listening",
	[CR_TCP_CONNECTED] = "connected",
	[CR_TCP_CONNECTING] = "connecting",
	[CR_TCP_CLOSED] = "closed",
};

static const char *const space_kinds[] = {
	[CR_SPACE_MM] = "private",     [CR_SPACE_FAMILY] = "copy-on-write",
	[CR_SPACE_SHMEM] = "shared",   [CR_SPACE_SYSV] = "sysv",
	[CR_SPACE_FILE] = "file",      [CR_SPACE_SEMAPHORES] = "semaphores",
	[CR_SPACE_QUEUE] = "messages",
};

static const char *const vma_kinds[] = {
	[CR_VMA_ANON] = "anonymous",
	[CR_VMA_FILE_PRIVATE] = "file-private",
	[CR_VMA_FILE_SHARED] = "file-shared",
	[CR_VMA_SHMEM] = "shared",
	[CR_VMA_SYSV] = "sysv",
	[CR_VMA_VDSO] = "vdso",
	[CR_VMA_VVAR] = "vvar",
};

const char *cr_inspect_file_kind(uint32_t kind)
{
	return NAME_OF(file_kinds, kind);
}

const char *cr_inspect_tcp_kind(uint32_t kind)
{
	return NAME_OF(tcp_kinds, kind);
}

const char *cr_inspect_space_kind(uint32_t kind)
{
	return NAME_OF(space_kinds, kind);
}

const char *cr_inspect_vma_kind(uint32_t kind)
{
	return NAME_OF(vma_kinds, kind);
}

const char *cr_inspect_state(const struct cr_wire_link *link)
{
	if (link->flags & CR_LINK_F_ZOMBIE)
		return "zombie";
	return link->flags & CR_LINK_F_STOPPED ? "stopped" : "running";
}

void cr_inspect_protection(const struct cr_wire_vma *vma, char text[5])
{
	text[0] = vma->prot & PROT_READ ? 'r' : '-';
	text[1] = vma->prot & PROT_WRITE ? 'w' : '-';
	text[2] = vma->prot & PROT_EXEC ? 'x' : '-';
	text[3] = vma->map_flags & MAP_SHARED ? 's' : 'p';
	text[4] = '\0';
}

const char *cr_inspect_path(const struct cr_saved *saved, uint32_t id)
{
	return id ? saved->files[id - 1].path : "";
}

/* Length of the UTF-8 sequence at @at, 0 if it is none or not printable. */
static size_t sequence(const unsigned char *at)
{
	size_t length = *at >= 0xf0 ? 4 : *at >= 0xe0 ? 3 : 2;

	if (*at < 0x80)
		return *at >= 0x20 && *at != 0x7f && *at != '\\';
	/* 0xc2 would begin the C1 controls, which terminals obey as well;
	 * the others left out begin overlong forms and surrogates. */
	if (*at < 0xc3 || *at > 0xf3 || *at == 0xe0 || *at == 0xed ||
	    *at == 0xf0)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	return length;
}

const char *cr_inspect_printable(const char *from, char *to, size_t max)
{
	const unsigned char *at = (const unsigned char *)from;
	size_t used = 0;

	while (*at && used + 5 <= max) {
		size_t length = sequence(at);

		if (length == 0) {
			used += (size_t)snprintf(to + used, max - used,
						 "\\x%02x", *at++);
			continue;
		}
		memcpy(to + used, at, length);
		used += length;
		at += length;
	}
	to[used] = '\0';
	return to;
}
