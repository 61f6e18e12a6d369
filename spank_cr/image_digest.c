/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * image_digest.c - digest a file by several threads; see image_digest.h
 */
#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image_digest.h"

#define DIGEST 32 /* bytes of SHA-256 */
#define THREADS_MAX 8u

struct digesting {
	int fd;
	uint64_t size;
	size_t nr_pieces;
	uint8_t *digests; /* [nr_pieces] of DIGEST bytes */
	atomic_size_t next;
	atomic_int rc; /* the first error */
	int (*is_given_up)(void);
};

static int digest(const void *bytes, size_t length, uint8_t *to)
{
	return EVP_Digest(bytes, length, to, NULL, EVP_sha256(), NULL) == 1 ?
		       0 :
		       -ENOMEM;
}

static void print(const uint8_t *bytes, char text[2 * DIGEST + 1])
{
	for (size_t i = 0; i < DIGEST; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

int cr_digest_is_valid(const char *text)
{
	const size_t name = strlen(CR_DIGEST_NAME);

	return !strncmp(text, CR_DIGEST_NAME, name) &&
	       strlen(text) == CR_DIGEST_SIZE - 1 &&
	       strspn(text + name, "0123456789abcdef") == 2ul * DIGEST;
}

int cr_digest_bytes(const void *bytes, uint64_t length, char text[65])
{
	uint8_t of_all[DIGEST];

	if (digest(bytes, length, of_all))
		return -ENOMEM;
	print(of_all, text);
	return 0;
}

static int read_piece(const struct digesting *all, size_t i, uint8_t *to,
		      size_t *lengthp)
{
	const uint64_t at = (uint64_t)i * CR_DIGEST_PIECE;
	size_t left = CR_DIGEST_PIECE;
	size_t done = 0;

	if (all->size - at < left)
		left = (size_t)(all->size - at);
	*lengthp = left;
	while (left) {
		ssize_t n = pread(all->fd, to + done, left, (off_t)(at + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENODATA;
		done += (size_t)n;
		left -= (size_t)n;
	}
	return 0;
}

static int do_piece(struct digesting *all, size_t i, uint8_t *buffer)
{
	size_t length;
	int rc = read_piece(all, i, buffer, &length);

	return rc ? rc : digest(buffer, length, all->digests + i * DIGEST);
}

/* Pieces, as long as there are any. */
static void work(struct digesting *all, int (*is_given_up)(void))
{
	uint8_t *buffer = malloc(CR_DIGEST_PIECE);
	int rc = buffer ? 0 : -ENOMEM, none = 0;
	size_t i;

	while (!rc && !atomic_load(&all->rc)) {
		i = atomic_fetch_add(&all->next, 1);
		if (i >= all->nr_pieces)
			break;
		rc = is_given_up && is_given_up() ? -ECANCELED :
						    do_piece(all, i, buffer);
	}
	if (rc)
		atomic_compare_exchange_strong(&all->rc, &none, rc);
	free(buffer);
}

static void *run(void *arg)
{
	work(arg, NULL);
	return NULL;
}

static unsigned int choose_threads(const struct digesting *all)
{
	unsigned int nr = THREADS_MAX;
	cpu_set_t cpus;

	if (!sched_getaffinity(0, sizeof(cpus), &cpus) &&
	    (unsigned int)CPU_COUNT(&cpus) < nr)
		nr = (unsigned int)CPU_COUNT(&cpus);
	return all->nr_pieces < nr ? (unsigned int)all->nr_pieces : nr;
}

/* One that cannot be had is done without. */
static void do_all(struct digesting *all)
{
	const unsigned int wanted = choose_threads(all);
	pthread_t threads[THREADS_MAX];
	unsigned int nr = 0;

	while (nr + 1 < wanted && !pthread_create(&threads[nr], NULL, run, all))
		nr++;
	work(all, all->is_given_up);
	while (nr)
		pthread_join(threads[--nr], NULL);
}

static int explain(int rc, struct cr_error *err)
{
	if (rc == -ENODATA)
		return cr_error_set(err, rc,
				    "digest the image: it is cut "
				    "short");
	return cr_error_set(err, rc, "digest the image: %s", strerror(-rc));
}

int cr_digest_file(int fd, uint64_t size, int (*is_given_up)(void),
		   char text[CR_DIGEST_SIZE], struct cr_error *err)
{
	struct digesting all = {
		.fd = fd,
		.size = size,
		.nr_pieces = (size_t)(size / CR_DIGEST_PIECE +
				      (size % CR_DIGEST_PIECE != 0)),
		.is_given_up = is_given_up,
	};
	/* the length, little-endian, and the pieces' digests behind it */
	uint8_t *bytes = calloc(all.nr_pieces + 1, DIGEST);
	uint8_t of_all[DIGEST];
	int rc;

	if (!bytes)
		return explain(-ENOMEM, err);
	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(size >> (8 * i));
	all.digests = bytes + 8;
	do_all(&all);
	rc = atomic_load(&all.rc);
	if (!rc)
		rc = digest(bytes, 8 + all.nr_pieces * DIGEST, of_all);
	free(bytes);
	if (rc)
		return explain(rc, err);
	strcpy(text, CR_DIGEST_NAME);
	print(of_all, text + strlen(CR_DIGEST_NAME));
	return 0;
}
