/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_hugetlb.c - huge pages from the kernel's pool, private and shared with a
 * child.  Skipped where the pool is empty.
 */
#include "program.h"

#define LENGTH (4ul << 20)

static char *shared;

static void child(void *arg)
{
	(void)arg;
	program_await("written");
	CHECK(shared[1] == 'p', "parent's byte");
	shared[2] = 'c';
}

int main(int argc, char **argv)
{
	char *private, before[256], after[256];
	pid_t pid;

	program_start(argc, argv);
	private = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	shared = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (private == MAP_FAILED || shared == MAP_FAILED)
		program_lacks("four free huge pages (vm.nr_hugepages)");
	program_fill(private, LENGTH, 1);
	program_fill(shared, LENGTH / 2, 2);
	pid = program_child(child, NULL);
	program_smaps(private, "VmFlags", before, sizeof(before));

	program_ready();

	program_smaps(private, "VmFlags", after, sizeof(after));
	CHECK(strcmp(before, after) == 0, "was %s is %s", before, after);
	CHECK(program_filled(private, LENGTH, 1), "private");
	CHECK(program_filled(shared, LENGTH / 2, 2), "shared");
	shared[1] = 'p';
	program_mark("written");
	program_join(pid);
	CHECK(shared[2] == 'c', "child's byte");
	return program_result();
}
