// SPDX-License-Identifier: GPL-2.0-only
/*
 * identity.c - numbers by which user space tells things of the kernel apart
 *
 * Addresses, but nobody can tell those from them: a hash with a key that is
 * chosen when the module is loaded.
 */
#include <linux/path.h>
#include <linux/random.h>
#include <linux/siphash.h>

#include "cr.h"

static siphash_key_t key __ro_after_init;

/**
 * cr_identity_init() - choose the key
 */
void __init cr_identity_init(void)
{
	get_random_bytes(&key, sizeof(key));
}

/**
 * cr_identity() - the identity of a thing
 * @thing: its address; NULL: none
 *
 * Return: the identity, 0: none.
 */
u64 cr_identity(const void *thing)
{
	return thing ? siphash_1u64((uintptr_t)thing, &key) | 1 : 0;
}

/**
 * cr_identity_of_path() - the identity of a place in the tree of files
 * @path: the place; with neither part: none
 *
 * Return: the identity, 0: none.
 */
u64 cr_identity_of_path(const struct path *path)
{
	if (!path->dentry)
		return 0;
	return siphash_2u64((uintptr_t)path->mnt, (uintptr_t)path->dentry,
			    &key) |
	       1;
}

/**
 * cr_identity_of_namespaces() - the identity of all namespaces of a task
 * @proxy: its struct nsproxy; NULL: it has none any more
 * @users: its user namespace
 * @pids: the PID namespace that it is in
 *
 * Return: the identity, 0: none.
 */
u64 cr_identity_of_namespaces(const void *proxy, const void *users,
			      const void *pids)
{
	if (!proxy)
		return 0;
	return siphash_3u64((uintptr_t)proxy, (uintptr_t)users, (uintptr_t)pids,
			    &key) |
	       1;
}
