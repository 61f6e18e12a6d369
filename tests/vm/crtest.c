/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * crtest.c - run cases, and what they have in common
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crtest.h"
#include "image_wire.h"

#define CASE_SECONDS 240

int crtest_device(void)
{
	int fd = open("/dev/cr", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		crtest_fail("/dev/cr: %s", strerror(errno));
	return fd;
}

char crtest_state(pid_t pid)
{
	char path[64], text[512], *end;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	end = strrchr(text, ')');
	return end ? end[2] : 0;
}

static uint32_t crc_of(uint32_t crc, const void *data, size_t length)
{
	const uint8_t *bytes = data;

	while (length--) {
		crc ^= *bytes++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return crc;
}

/* A kernel with KASAN holds what is freed back for a while, and counts it. */
static void let_go(const char *cache)
{
	char path[192];
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink", cache);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, "1", 1) != 1)
		crtest_fail("%s: %s", path, strerror(errno));
	close(fd);
}

long crtest_in_use(const char *cache)
{
	char line[512], name[128];
	FILE *file = fopen("/proc/slabinfo", "r");
	long active, found = 0;

	let_go(cache);
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%127s %ld", name, &active) == 2 &&
		    !strcmp(name, cache))
			found = active;
	if (file)
		fclose(file);
	return found;
}

uint32_t crtest_crc32c(const void *data, size_t length)
{
	return ~crc_of(~0u, data, length);
}

static void put_record(int fd, int type, const void *payload, size_t length)
{
	struct cr_wire_record record = { .type = (uint16_t)type,
					 .flags = CR_RECORD_F_REQUIRED,
					 .length = length };

	record.crc =
		~crc_of(crc_of(~0u, &record, sizeof(record)), payload, length);
	crtest_is(write(fd, &record, sizeof(record)), sizeof(record));
	crtest_is(write(fd, payload, length), (long)length);
}

int crtest_image(const uint32_t *vpids, const uint32_t *flags, uint32_t nr)
{
	const struct cr_wire_head head = { .magic = CR_WIRE_MAGIC,
					   .version = CR_WIRE_VERSION,
					   .arch = CR_WIRE_ARCH_X86_64 };
	size_t length =
		sizeof(struct cr_wire_tree) + nr * sizeof(struct cr_wire_link);
	struct cr_wire_tree *tree = calloc(1, length);
	struct cr_wire_link *links = (void *)(tree + 1);
	int fd = memfd_create("image", 0);

	tree->nr_tasks = nr;
	for (uint32_t i = 0; i < nr; i++) {
		links[i].vpid = vpids[i];
		links[i].flags = flags ? flags[i] : 0;
	}
	put_record(fd, CR_RECORD_HEAD, &head, sizeof(head));
	put_record(fd, CR_RECORD_TREE, tree, length);
	crtest_is(lseek(fd, 0, SEEK_SET), 0);
	free(tree);
	return fd;
}

/* In a session of its own, so that nobody it has made outlives it. */
static int run_case(const struct crtest_case *test)
{
	pid_t pid;
	int status;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		alarm(CASE_SECONDS);
		test->run();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	kill(-pid, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
	printf("%s - %s\n", status ? "FAILED" : "ok", test->name);
	return status != 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		const struct crtest_case *cases;
	} sorts[] = {
		{ "protocol", crtest_protocol },
		{ "memory", crtest_memory },
		{ "checkpoint", crtest_checkpoint },
		{ "ask", crtest_ask },
		{ "look", crtest_look },
		{ "mapped", crtest_mapped },
		{ "regs", crtest_regs },
		{ "fuzz", crtest_fuzz },
	};
	int failed = 0, nr = 0;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (size_t i = 0; i < sizeof(sorts) / sizeof(sorts[0]); i++)
		for (const struct crtest_case *test = sorts[i].cases;
		     argc > 1 && !strcmp(sorts[i].name, argv[1]) && test->name;
		     test++) {
			if (argc > 2 && !strstr(test->name, argv[2]))
				continue;
			failed += run_case(test);
			nr++;
		}
	printf("%d cases, %d failed\n", nr, failed);
	return failed || !nr;
}
