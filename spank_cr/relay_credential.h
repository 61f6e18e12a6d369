/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * relay_credential.h - prove to another PMIx server who we are
 */
#ifndef RELAY_CREDENTIAL_H
#define RELAY_CREDENTIAL_H

#include <stddef.h>
#include <stdint.h>

#include "cr_error.h"

/*
 * The greeting @hello with a credential of this process' user, made now:
 * *@datap (free(3)) of *@lengthp bytes.  0, -EBADMSG, -EOPNOTSUPP: a security
 * module that we do not know, -EACCES: munge does not work.
 */
int relay_credential_renew(const uint8_t *hello, size_t hello_length,
			   uint8_t **datap, size_t *lengthp,
			   struct cr_error *err);

#endif /* RELAY_CREDENTIAL_H */
