/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * crtest.h - tests of /dev/cr, run in the virtual machine
 *
 * `crtest SORT' runs all cases of a sort, each in a process of its own, and
 * exits with 1 if one has failed.
 */
#ifndef CRTEST_H
#define CRTEST_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "cr_ioctl.h"

struct crtest_case {
	const char *name; /* a sentence */
	void (*run)(void);
};

extern const struct crtest_case crtest_protocol[], crtest_memory[],
	crtest_checkpoint[], crtest_ask[], crtest_look[], crtest_mapped[],
	crtest_regs[], crtest_fuzz[];

/* End the case, as failed. */
#define crtest_fail(...)                                        \
	(fprintf(stderr, "  %s:%d: ", __FILE_NAME__, __LINE__), \
	 fprintf(stderr, __VA_ARGS__), fputc('\n', stderr), _exit(1))

/* @call is 0 or above, or returns -1 with errno: that, negative, is @want. */
#define crtest_is(call, want)                                              \
	do {                                                               \
		long is_ = (call), want_ = (want);                         \
		is_ = is_ == -1 ? -errno : is_;                            \
		if (is_ != want_)                                          \
			crtest_fail("%s is %ld (%s), not %ld", #call, is_, \
				    is_ < 0 ? strerror((int)-is_) : "",    \
				    want_);                                \
	} while (0)

#define crtest_true(condition)                                 \
	do {                                                   \
		if (!(condition))                              \
			crtest_fail("not so: %s", #condition); \
	} while (0)

/* Wait until @condition: a minute and more, for a slow machine. */
#define crtest_until(condition)                                       \
	do {                                                          \
		for (int left_ = 60000; !(condition); usleep(1000))   \
			if (!left_--)                                 \
				crtest_fail("never: %s", #condition); \
	} while (0)

int crtest_device(void); /* opens /dev/cr */
char crtest_state(pid_t pid); /* of /proc/PID/stat */
long crtest_in_use(const char *cache); /* objects of a slab cache */
uint32_t crtest_crc32c(const void *data, size_t length);
/* A file without a name that begins with HEAD and TREE of these tasks. */
int crtest_image(const uint32_t *vpids, const uint32_t *flags, uint32_t nr);

#endif /* CRTEST_H */
