/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * manifest_seal.c - that a manifest is what root of this cluster has written
 *
 * The seal is the last member of the JSON: a munge credential over all of the
 * text, with null in its place.  It is in the file itself, so that the one
 * rename that makes a generation brings both.  What is compared are bytes: no
 * JSON is parsed before it is known whose it is.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image_digest.h"
#include "manifest_json.h"
#include "peer_seal.h"

#define KEY "\n \"seal\": "
#define NONE "null\n}"
#define ACCEPT "seal=no in plugstack.conf would accept it"
#define WORDS_SIZE 96

/* What root says: another credential of root's does not say the same. */
static int make_words(const char *text, char words[WORDS_SIZE])
{
	char digest[65];
	int rc = cr_digest_bytes(text, strlen(text), digest);

	if (!rc)
		snprintf(words, WORDS_SIZE, "spank_cr manifest sha256 %s",
			 digest);
	return rc;
}

/* Where the seal's value begins; NULL: there is none. */
static const char *find_value(const char *text)
{
	const char *found = NULL, *at = text;

	while ((at = strstr(at, KEY)))
		found = at += strlen(KEY);
	return found;
}

char *cr_manifest_seal(struct cr_seal *seal, const char *text,
		       struct cr_error *err)
{
	const char *value = find_value(text);
	char words[WORDS_SIZE], *credential = NULL, *sealed = NULL;

	if (!value || strcmp(value, NONE) || make_words(text, words)) {
		cr_error_set(err, -ENOMEM, "no memory for the manifest's seal");
		return NULL;
	}
	if (cr_seal_sign(seal, words, &credential, err))
		return NULL;
	if (asprintf(&sealed, "%.*s\"%s\"\n}", (int)(value - text), text,
		     credential) < 0) {
		cr_error_set(err, -ENOMEM, "no memory for the manifest's seal");
		sealed = NULL;
	}
	free(credential);
	return sealed;
}

/* Take @text apart: as it was before it was sealed, and the credential. */
static int take_off(const char *text, char **plainp, char **credentialp)
{
	const char *value = find_value(text);
	const char *end =
		value && *value == '"' ? strchr(value + 1, '"') : NULL;

	if (!end || strcmp(end, "\"\n}"))
		return -ENOKEY;
	if (end - value > CR_SEAL_TEXT_MAX)
		return -EBADMSG;
	*credentialp = strndup(value + 1, (size_t)(end - value - 1));
	if (!*credentialp ||
	    asprintf(plainp, "%.*s" NONE, (int)(value - text), text) < 0) {
		free(*credentialp);
		return -ENOMEM;
	}
	return 0;
}

static int verify(struct cr_seal *seal, const char *name, const char *plain,
		  const char *credential, struct cr_error *err)
{
	struct cr_error why = { 0 }; /* @err cannot be printed into itself */
	char words[WORDS_SIZE];
	int rc = make_words(plain, words);

	if (rc)
		return cr_error_set(err, rc, "no memory for %s", name);
	rc = cr_seal_verify(seal, credential, geteuid(), words, &why);
	if (rc == -ENOKEY)
		return cr_error_set(err, rc,
				    "the seal of %s is not of this cluster, or "
				    "of before munge's key was changed "
				    "(%.100s); " ACCEPT,
				    name, why.text);
	if (rc == -EBADMSG)
		return cr_error_set(err, rc,
				    "%s has been altered since it was sealed",
				    name);
	return rc ? cr_error_set(err, rc, "the seal of %s: %s", name,
				 why.text) :
		    0;
}

int cr_manifest_check_seal(struct cr_seal *seal, const char *name,
			   const char *text, struct cr_error *err)
{
	struct cr_error own = { 0 };
	char *plain = NULL, *credential = NULL;
	int rc = take_off(text, &plain, &credential);

	if (rc == -ENOKEY)
		return cr_error_set(err, rc,
				    "%s is not sealed: written by somebody "
				    "else, with seal=no, or before there were "
				    "seals; " ACCEPT,
				    name);
	if (rc)
		return cr_error_set(err, rc, "the seal of %s: %s", name,
				    strerror(-rc));
	rc = verify(seal, name, plain, credential, &own);
	free(plain);
	free(credential);
	return rc ? cr_error_set(err, rc, "%s", own.text) : 0;
}
