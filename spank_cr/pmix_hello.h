/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmix_hello.h - how a PMIx client greets its server
 *
 * The first message on a connection: a header in the client's byte order and
 * the name of a security module, a credential, who the client is, and which
 * modules it speaks through.  A greeting that has been kept can be said again
 * to another server, with a new credential.  PMIx 3 and 4 greet alike.
 */
#ifndef PMIX_HELLO_H
#define PMIX_HELLO_H

#include <stddef.h>
#include <stdint.h>

#include "cr_error.h"

#define CR_PMIX_HEADER 16 /* bytes in front of every message */
#define CR_PMIX_HELLO_MAX (1u << 20)

/* Points into the greeting. */
struct cr_pmix_hello {
	const char *security; /* module: "munge", "native" */
	const uint8_t *credential;
	uint32_t credential_length;
	uint8_t flag; /* 0: a client that its server has started */
	const char *name; /* namespace */
	uint32_t rank;
	const char *version; /* of the client's library */
	size_t rest; /* offset of all behind the credential */
};

/* Bytes of the greeting that begins with @header, or -EBADMSG. */
long cr_pmix_hello_length(const uint8_t header[CR_PMIX_HEADER]);

/* Look into the greeting @data of @length bytes.  0, or -EBADMSG: not one of a
 * client as we know them. */
int cr_pmix_hello_parse(const uint8_t *data, size_t length,
			struct cr_pmix_hello *hello, struct cr_error *err);

/*
 * The same greeting with another credential, as *@datap (free(3)) of *@lengthp
 * bytes.  0, -EBADMSG, -ENOMEM.
 */
int cr_pmix_hello_renew(const uint8_t *data, size_t length,
			const void *credential, uint32_t credential_length,
			uint8_t **datap, size_t *lengthp, struct cr_error *err);

#endif /* PMIX_HELLO_H */
