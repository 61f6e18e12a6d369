/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * relay_credential.c - see relay_credential.h
 *
 * A munge credential is good once and for some minutes.  That of PMIx's
 * "native" module is the user's and group's number, and "none" has none.
 */
#include <errno.h>
#include <munge.h>
#include <stdlib.h>
#include <string.h>

#include "pmix_hello.h"
#include "relay_credential.h"

static int renew_munge(const uint8_t *hello, size_t hello_length,
		       uint8_t **datap, size_t *lengthp, struct cr_error *err)
{
	char *credential = NULL;
	munge_err_t code;
	int rc;

	code = munge_encode(&credential, NULL, NULL, 0);
	if (code != EMUNGE_SUCCESS)
		return cr_error_set(err, -EACCES, "munge: %s",
				    munge_strerror(code));
	/* with its NUL */
	rc = cr_pmix_hello_renew(hello, hello_length, credential,
				 (uint32_t)strlen(credential) + 1, datap,
				 lengthp, err);
	free(credential);
	return rc;
}

int relay_credential_renew(const uint8_t *hello, size_t hello_length,
			   uint8_t **datap, size_t *lengthp,
			   struct cr_error *err)
{
	struct cr_pmix_hello parsed;
	int rc;

	rc = cr_pmix_hello_parse(hello, hello_length, &parsed, err);
	if (rc)
		return rc;
	if (!strcmp(parsed.security, "munge"))
		return renew_munge(hello, hello_length, datap, lengthp, err);
	if (!strcmp(parsed.security, "native") ||
	    !strcmp(parsed.security, "none"))
		return cr_pmix_hello_renew(hello, hello_length,
					   parsed.credential,
					   parsed.credential_length, datap,
					   lengthp, err);
	return cr_error_set(err, -EOPNOTSUPP,
			    "unknown security module \"%.32s\" of PMIx",
			    parsed.security);
}
