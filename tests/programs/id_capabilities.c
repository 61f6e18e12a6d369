/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * id_capabilities.c - an ordinary user with some capabilities, also inheritable
 * and ambient ones, a smaller bounding set, and secure bits
 */
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>

#include "program.h"

static void set_capabilities(unsigned int effective, unsigned int permitted,
			     unsigned int inheritable)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct data[2] = { { effective, permitted,
						    inheritable } };

	NEED(syscall(SYS_capset, &header, data));
}

int main(int argc, char **argv)
{
	static const char *const keys[] = { "Uid",    "CapInh", "CapPrm",
					    "CapEff", "CapBnd", "CapAmb" };
	char before[6][256], after[256];
	int bits, i;

	program_start(argc, argv);
	NEED(prctl(PR_CAPBSET_DROP, CAP_SYS_MODULE));
	NEED(prctl(PR_SET_SECUREBITS,
		   SECBIT_NO_SETUID_FIXUP | SECBIT_KEEP_CAPS));
	NEED(setresuid(1001, 1001, 1001));
	set_capabilities(1 << CAP_NET_ADMIN,
			 1 << CAP_NET_ADMIN | 1 << CAP_NET_RAW,
			 1 << CAP_NET_RAW);
	NEED(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0));
	bits = NEED(prctl(PR_GET_SECUREBITS));
	for (i = 0; i < 6; i++)
		program_line("/proc/self/status", keys[i], before[i],
			     sizeof(before[i]));

	program_ready();

	for (i = 0; i < 6; i++) {
		program_line("/proc/self/status", keys[i], after,
			     sizeof(after));
		CHECK(strcmp(before[i], after) == 0, "was %s is %s", before[i],
		      after);
	}
	CHECK(prctl(PR_GET_SECUREBITS) == bits, "secure bits %#x were %#x",
	      prctl(PR_GET_SECUREBITS), bits);
	return program_result();
}
