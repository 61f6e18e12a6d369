/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restart_features.c - can this CPU run what the image's CPU ran, and may it be
 * run for this user?
 *
 * Only state components of XSAVE are known of an image.  Instructions without
 * state of their own cannot be told; a site's node features keep jobs on CPUs
 * of one kind.
 */
#include <cpuid.h>
#include <errno.h>
#include <string.h>

#include "restart_ctx.h"
#include "rights.h"

/* STATE_SAVE_MASK of glibc's sysdeps/x86/sysdep.h */
#define LINKER_COMPONENTS 0xeeull

static const char *const xfeature_names[] = {
	"x87",
	"SSE",
	"AVX",
	"MPX bounds",
	"MPX config",
	"AVX-512 opmask",
	"AVX-512 ZMM_Hi256",
	"AVX-512 Hi16_ZMM",
	"PT",
	"PKRU",
	"PASID",
	"CET user",
	"CET kernel",
	"HDC",
	"UINTR",
	"LBR",
	"HWP",
	"AMX config",
	"AMX data",
};

static uint64_t own_xfeatures(void)
{
	unsigned int eax, ebx, ecx, edx;

	if (!__get_cpuid_count(0xd, 0, &eax, &ebx, &ecx, &edx))
		return 3; /* x87 and SSE: every x86-64 */
	return (uint64_t)edx << 32 | eax;
}

static const char *name_of(uint64_t features)
{
	unsigned int first = (unsigned int)__builtin_ctzll(features);

	return first < sizeof(xfeature_names) / sizeof(xfeature_names[0]) ?
		       xfeature_names[first] :
		       "an unknown CPU feature";
}

/* State components in use (XSTATE_BV of the XSAVE header) that we lack. */
static int check_xfeatures(const struct cr_saved_task *task, uint64_t own,
			   struct cr_error *err)
{
	uint64_t in_use, lacking;

	for (size_t i = 0; i < task->nr_threads; i++) {
		const struct cr_saved_thread *thread = &task->threads[i];

		if (thread->thread->xstate_length < 576)
			return cr_error_set(err, -EBADMSG,
					    "vpid %u: no extended state",
					    task->link->vpid);
		memcpy(&in_use, (const char *)thread->xstate + 512, 8);
		lacking = in_use & ~own;
		if (!lacking)
			continue;
		return cr_error_set(err, -EOPNOTSUPP,
				    "vpid %u uses %s, which this CPU lacks",
				    task->link->vpid, name_of(lacking));
	}
	return 0;
}

/*
 * A dynamic linker that binds lazily saves these components with XSAVEC into
 * an area whose size it has asked the CPU for when the program started.  On a
 * CPU that has more of them it would write past that area, on the stack: a
 * program moved from an AVX2 node to an AVX-512 node died so.
 */
static int check_stack_area(const struct cr_wire_head *head, uint64_t own,
			    struct cr_error *err)
{
	uint64_t more = own & ~head->xfeatures & LINKER_COMPONENTS;

	if (!head->xfeatures || !more)
		return 0;
	return cr_error_set(err, -EOPNOTSUPP,
			    "this CPU has %s, which that of node %.63s lacked: "
			    "programs that bind lazily would overrun their "
			    "stacks",
			    name_of(more), head->node);
}

int cr_restart_check_cpu(const struct cr_saved *saved, struct cr_error *err)
{
	uint64_t own = own_xfeatures();
	int rc = check_stack_area(saved->head, own, err);

	for (size_t i = 0; i < saved->nr_tasks && !rc; i++)
		rc = check_xfeatures(&saved->tasks[i], own, err);
	return rc;
}

static int check_rights(const struct cr_saved_task *task, uint32_t user,
			struct cr_error *err)
{
	char what[64];

	for (size_t i = 0; i < task->nr_threads; i++)
		if (cr_rights_exceed(&task->threads[i].thread->creds, user,
				     what, sizeof(what)))
			return cr_error_set(err, -EPERM, "vpid %u has %s",
					    task->link->vpid, what);
	return 0;
}

int cr_restart_check_rights(const struct cr_saved *saved, uint32_t user,
			    struct cr_error *err)
{
	int rc = 0;

	for (size_t i = 0; user && i < saved->nr_tasks && !rc; i++)
		rc = check_rights(&saved->tasks[i], user, err);
	return rc;
}
