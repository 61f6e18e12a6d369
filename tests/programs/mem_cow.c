/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_cow.c - pages that relatives share copy-on-write have the right contents
 * and are still one physical page; written ones are each one's own
 */
#include "program.h"

#define NR_PAGES 512ul
#define NR_CHILDREN 3

static char *memory;

static char *page(unsigned long i)
{
	return memory + i * PROGRAM_PAGE;
}

/* Child n has written pages n, n + 10, n + 20, ... */
static int is_own(unsigned long n, unsigned long i)
{
	return i % 10 == n;
}

static void check_contents(unsigned long n)
{
	unsigned long i;

	for (i = 0; i < NR_PAGES; i++)
		CHECK(program_filled(page(i), PROGRAM_PAGE,
				     is_own(n, i) ? n * 7777 + i : i),
		      "page %lu of child %lu", i, n);
}

static void child(void *arg)
{
	unsigned long n = (unsigned long)arg, i;
	char name[32];

	for (i = 0; i < NR_PAGES; i++)
		if (is_own(n, i))
			program_fill(page(i), PROGRAM_PAGE, n * 7777 + i);
	snprintf(name, sizeof(name), "child%lu", n);
	program_mark(name);
	program_await("compared");
	check_contents(n);
	memset(memory, (int)n, NR_PAGES * PROGRAM_PAGE);
	program_mark(name);
}

static unsigned long count_shared(pid_t pid)
{
	unsigned long i, nr = 0;

	for (i = 0; i < NR_PAGES; i++)
		nr += program_frame(pid, page(i)) ==
		      program_frame(getpid(), page(i));
	return nr;
}

int main(int argc, char **argv)
{
	unsigned long n, before[NR_CHILDREN + 1], after;
	pid_t pids[NR_CHILDREN + 1];
	char name[32];

	program_start(argc, argv);
	memory =
		NEED(mmap(NULL, NR_PAGES * PROGRAM_PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	NEED(madvise(memory, NR_PAGES * PROGRAM_PAGE, MADV_NOHUGEPAGE));
	for (n = 0; n < NR_PAGES; n++)
		program_fill(page(n), PROGRAM_PAGE, n);
	for (n = 1; n <= NR_CHILDREN; n++) {
		pids[n] = program_child(child, (void *)n);
		snprintf(name, sizeof(name), "child%lu", n);
		program_await(name);
		before[n] = count_shared(pids[n]);
	}

	program_ready();

	for (n = 1; n <= NR_CHILDREN; n++) {
		after = count_shared(pids[n]);
		CHECK(after == before[n], "%lu pages shared, were %lu", after,
		      before[n]);
	}
	program_mark("compared");
	for (n = 1; n <= NR_CHILDREN; n++)
		program_join(pids[n]);
	for (n = 0; n < NR_PAGES; n++)
		CHECK(program_filled(page(n), PROGRAM_PAGE, n), "page %lu", n);
	return program_result();
}
