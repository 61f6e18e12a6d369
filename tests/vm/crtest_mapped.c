/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * crtest_mapped.c - the file behind a mapping: which are given, and to whom
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crtest_scene.h"

#define AT 0x300000000ul
#define LENGTH (3 * PAGE)
#define TEXT "what is there"

static long open_mapped(const struct scene *scene, uint64_t address, int mem)
{
	struct cr_ioc_open_mapped call = { .mem_fd = mem, .address = address };

	return ioctl(scene->device, CR_IOC_OPEN_MAPPED, &call) < 0 ? -1 :
								     call.fd;
}

/* A stopped process with @fd, or -1 and MAP_ANONYMOUS, mapped at AT. */
static struct scene mapped_scene(int fd, int prot, int flags)
{
	struct scene scene = { .device = crtest_device() };

	scene.pid = fork();
	if (scene.pid == 0) {
		char *at = mmap((void *)AT, LENGTH, prot,
				flags | MAP_FIXED_NOREPLACE, fd, 0);

		if (at != (char *)AT)
			_exit(1);
		if (prot & PROT_WRITE)
			strcpy(at + PAGE, TEXT);
		raise(SIGSTOP);
		_exit(0);
	}
	crtest_until(crtest_state(scene.pid) == 'T');
	scene.mem = crtest_open_mem(scene.pid, O_RDONLY);
	crtest_true(scene.mem >= 0);
	return scene;
}

/* It can be read, and its flags are right. */
static void expect_text(int fd)
{
	char text[sizeof(TEXT)] = "";

	crtest_true(fd >= 0);
	crtest_is(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	crtest_is(fcntl(fd, F_GETFD), FD_CLOEXEC);
	crtest_is(pread(fd, text, sizeof(text), PAGE), sizeof(text));
	crtest_is(strcmp(text, TEXT), 0);
	crtest_is(write(fd, "x", 1), -EBADF);
}

static void gives_shared_memory(void)
{
	struct scene scene = mapped_scene(-1, PROT_READ | PROT_WRITE,
					  MAP_SHARED | MAP_ANONYMOUS);
	struct stat st;
	int fd = (int)open_mapped(&scene, AT + LENGTH - 1, scene.mem);

	expect_text(fd);
	crtest_is(fstat(fd, &st), 0);
	crtest_is(st.st_size, LENGTH);
}

static void gives_files_without_names(void)
{
	char name[] = "/tmp/crtest.XXXXXX";
	int fds[] = { memfd_create("memory", 0), mkstemp(name) };

	unlink(name);
	for (int i = 0; i < 2; i++) {
		struct scene scene;

		crtest_is(ftruncate(fds[i], LENGTH), 0);
		scene = mapped_scene(fds[i], PROT_READ | PROT_WRITE,
				     MAP_SHARED);
		expect_text((int)open_mapped(&scene, AT, scene.mem));
	}
}

/* Who has it need not be able to reach the name. */
static void refuses_names(void)
{
	char name[] = "/tmp/crtest.XXXXXX";
	int fd = mkstemp(name);
	struct scene scene;

	crtest_is(ftruncate(fd, LENGTH), 0);
	scene = mapped_scene(fd, PROT_READ, MAP_PRIVATE);
	crtest_is(open_mapped(&scene, AT, scene.mem), -EACCES);
	unlink(name);
	crtest_true(open_mapped(&scene, AT, scene.mem) >= 0);
}

static void refuses_devices(void)
{
	struct scene scene =
		mapped_scene(open("/dev/zero", O_RDWR), PROT_READ, MAP_PRIVATE);

	crtest_is(open_mapped(&scene, AT, scene.mem), -EACCES);
}

static void refuses_nonsense(void)
{
	struct scene scene = mapped_scene(-1, PROT_READ | PROT_WRITE,
					  MAP_SHARED | MAP_ANONYMOUS);
	struct cr_ioc_open_mapped call = { .mem_fd = scene.mem, .address = AT };
	int next = dup(0);

	crtest_is(open_mapped(&scene, AT - 1, scene.mem), -ENOENT);
	crtest_is(open_mapped(&scene, AT + LENGTH, scene.mem), -ENOENT);
	crtest_is(open_mapped(&scene, KERNEL, scene.mem), -ENOENT);
	crtest_is(open_mapped(&scene, AT, -1), -EBADF);
	crtest_is(open_mapped(&scene, AT, 0), -EPERM);
	call.flags = 1;
	crtest_is(ioctl(scene.device, CR_IOC_OPEN_MAPPED, &call), -EINVAL);
	call.flags = 0;
	call.reserved = 1;
	crtest_is(ioctl(scene.device, CR_IOC_OPEN_MAPPED, &call), -EINVAL);
	crtest_is(ioctl(scene.device, CR_IOC_OPEN_MAPPED, (void *)8), -EFAULT);
	kill(scene.pid, SIGKILL);
	waitpid(scene.pid, NULL, 0);
	crtest_is(open_mapped(&scene, AT, scene.mem), -ESRCH);
	/* and none has left a descriptor */
	crtest_is(dup(0), next + 1);
}

static void is_for_who_may_trace(void)
{
	struct scene scene = mapped_scene(-1, PROT_READ | PROT_WRITE,
					  MAP_SHARED | MAP_ANONYMOUS);
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		crtest_is(setuid(1000), 0);
		crtest_is(crtest_open_mem(scene.pid, O_RDONLY), -EACCES);
		/* what was opened with the right to is a right */
		crtest_true(open_mapped(&scene, AT, scene.mem) >= 0);
		_exit(0);
	}
	crtest_is(waitpid(pid, &status, 0), pid);
	crtest_is(status, 0);
}

const struct crtest_case crtest_mapped[] = {
	{ "shared memory is given", gives_shared_memory },
	{ "files without a name are given", gives_files_without_names },
	{ "files with a name are not", refuses_names },
	{ "no device is opened", refuses_devices },
	{ "nonsense is refused", refuses_nonsense },
	{ "who may not trace gets nothing", is_for_who_may_trace },
	{ 0 },
};
