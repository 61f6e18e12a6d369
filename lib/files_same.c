/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * files_same.c - which descriptors lead to one open file description
 *
 * Two are the same description if kcmp(2) says so; it also gives an order, so
 * that a search tree finds it among thousands.  Files with different inodes
 * are told apart without kcmp.  What the module tells an identity of is met as
 * a new one once only.
 */
#include <errno.h>
#include <linux/kcmp.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "file.h"

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare_inodes(const struct cr_file *a, const struct cr_file *b)
{
	int rc = compare_numbers(a->stat.st_dev, b->stat.st_dev);

	return rc ? rc : compare_numbers(a->stat.st_ino, b->stat.st_ino);
}

static long same_description(int a, int b)
{
	pid_t self = getpid();

	return syscall(SYS_kcmp, self, self, KCMP_FILE, a, b);
}

static _Thread_local int compare_error; /* tsearch(3) cannot tell it */

/* kcmp gives 0 same, 1 less, 2 greater. */
static int compare_opened(const void *a, const void *b)
{
	const struct cr_file *left = a, *right = b;
	int rc = compare_inodes(left, right);

	if (rc)
		return rc;
	switch (same_description(left->fd, right->fd)) {
	case 0:
		return 0;
	case 1:
		return -1;
	case 2:
		return 1;
	default: /* files that are one would come back as two */
		compare_error = errno;
		return 1;
	}
}

static int compare_unopened(const void *a, const void *b)
{
	const struct cr_file *left = a, *right = b;
	int rc = compare_inodes(left, right);

	return rc ? rc : strcmp(left->link, right->link);
}

static struct cr_file *
find_or_insert(void **tree, struct cr_file *file,
	       int (*compare)(const void *, const void *), int *is_newp)
{
	struct cr_file **node;

	compare_error = 0;
	node = tsearch(file, tree, compare);
	if (!node || compare_error) {
		errno = node ? compare_error : ENOMEM;
		return NULL;
	}
	*is_newp = *node == file;
	if (!*is_newp)
		cr_file_free(file);
	return *node;
}

struct cr_file *cr_file_find_opened(struct cr_file_table *table,
				    struct cr_file *file, int *is_newp)
{
	return find_or_insert(&table->opened, file, compare_opened, is_newp);
}

struct cr_file *cr_file_find_unopened(struct cr_file_table *table,
				      struct cr_file *file, int *is_newp)
{
	return find_or_insert(&table->unopened, file, compare_unopened,
			      is_newp);
}

struct known {
	uint64_t identity;
	uint32_t id;
};

static int compare_known(const void *a, const void *b)
{
	const struct known *left = a, *right = b;

	return compare_numbers(left->identity, right->identity);
}

uint32_t cr_file_known(const struct cr_file_table *table, uint64_t identity)
{
	const struct known wanted = { .identity = identity };
	struct known **node;

	if (!identity)
		return 0;
	node = tfind(&wanted, &table->known, compare_known);
	return node ? (*node)->id : 0;
}

void cr_file_note_known(struct cr_file_table *table, uint64_t identity,
			uint32_t id)
{
	struct known *known = identity ? malloc(sizeof(*known)) : NULL;
	struct known **node;

	if (!known)
		return;
	*known = (struct known){ identity, id };
	node = tsearch(known, &table->known, compare_known);
	if (!node || *node != known)
		free(known);
}

int cr_file_table_add_path(struct cr_file_table *table, pid_t pid,
			   uint32_t vpid, const char *link, uint64_t identity,
			   uint32_t *idp, struct cr_error *err)
{
	int rc;

	*idp = cr_file_known(table, identity);
	if (*idp)
		return 0;
	rc = cr_file_table_add_link(table, pid, vpid, link, idp, err);
	if (rc == 0)
		cr_file_note_known(table, identity, *idp);
	return rc;
}

int cr_file_check_kcmp(struct cr_error *err)
{
	if (same_description(0, 0) == 0 || errno == EBADF)
		return 0;
	return cr_error_set(err, -EOPNOTSUPP, "this kernel has no kcmp(2): %s",
			    strerror(errno));
}

static void no_free(void *node)
{
	(void)node;
}

void cr_file_free_trees(struct cr_file_table *table)
{
	tdestroy(table->opened, no_free);
	tdestroy(table->unopened, no_free);
	tdestroy(table->known, free);
}
