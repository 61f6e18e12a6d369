/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmix_said.h - messages as a PMIx client sends them
 */
#ifndef PMIX_SAID_H
#define PMIX_SAID_H

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

#define SAID_MAX 1024
#define SAID_COMMIT 2
#define SAID_FENCE 3
#define SAID_GET 4
#define SAID_AFTER_VERSION (4 + 1 + 5) /* "v41", a type, "hash" */

/* A greeting into @to; returns its length. */
static inline size_t say_hello(uint8_t *to, const char *security,
			       const void *credential, uint32_t length,
			       uint32_t rank)
{
	static const char name[] = "slurm.pmix.1.0", version[] = "4.2.2";
	static const char rest[] = "v41\0\1hash";
	size_t at = 16, n = strlen(security) + 1;
	uint32_t number;

	memset(to, 0xff, 8);
	memset(to + 8, 0, 8);
	memcpy(to + at, security, n);
	at += n;
	number = htonl(length);
	memcpy(to + at, &number, 4);
	at += 4;
	memcpy(to + at, credential, length);
	at += length;
	to[at++] = 0; /* a client */
	memcpy(to + at, name, sizeof(name));
	at += sizeof(name);
	number = htonl(rank);
	memcpy(to + at, &number, 4);
	at += 4;
	memcpy(to + at, version, sizeof(version));
	at += sizeof(version);
	memcpy(to + at, rest, sizeof(rest));
	at += sizeof(rest);
	number = (uint32_t)at - 16;
	memcpy(to + 8, &number, 4);
	return at;
}

/* A message with @tag: one @command and @body.  Returns its length. */
static inline size_t say(uint8_t *to, uint32_t tag, uint8_t command,
			 const char *body)
{
	uint32_t header[4] = { 0, htonl(tag), 0, 0 };
	size_t length = 2 + strlen(body);

	header[2] = htonl((uint32_t)length);
	memcpy(to, header, sizeof(header));
	to[16] = 2;
	to[17] = command;
	memcpy(to + 18, body, strlen(body));
	return 16 + length;
}

#endif /* PMIX_SAID_H */
