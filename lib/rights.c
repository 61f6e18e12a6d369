/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rights.c - see rights.h
 */
#include <linux/securebits.h>
#include <stdio.h>

#include "rights.h"

int cr_rights_exceed(const struct cr_wire_creds *creds, uint32_t user,
		     char *text, size_t size)
{
	const uint32_t uids[] = { creds->ruid, creds->euid, creds->suid,
				  creds->fsuid };

	for (size_t i = 0; i < sizeof(uids) / sizeof(*uids); i++) {
		if (uids[i] == user)
			continue;
		snprintf(text, size, "the rights of uid %u, not of uid %u",
			 uids[i], user);
		return 1;
	}
	/* which of its groups a user may have is not known; but only a setgid
	 * program has others than its own in effect */
	if (creds->egid != creds->rgid || creds->fsgid != creds->rgid) {
		snprintf(text, size, "the rights of group %u, by setgid",
			 creds->egid != creds->rgid ? creds->egid :
						      creds->fsgid);
		return 1;
	}
	/* this one means nothing without capabilities, and anybody may set it
	 */
	if (creds->securebits & ~(uint32_t)SECBIT_KEEP_CAPS) {
		snprintf(text, size, "securebits (%#x)", creds->securebits);
		return 1;
	}
	if (!creds->cap_permitted)
		return 0;
	snprintf(text, size, "capabilities (%#llx)",
		 (unsigned long long)creds->cap_permitted);
	return 1;
}
