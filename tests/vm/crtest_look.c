/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * crtest_look.c - what the module tells of a process is what /proc does
 */
#include <fcntl.h>
#include <inttypes.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crtest.h"

#define FDS_MAX 64
#define TEXT_MAX 65536

struct scene {
	pid_t pid;
	int mem;
	int device;
};

static struct scene scene_of(pid_t pid)
{
	struct scene scene = { .pid = pid, .device = crtest_device() };
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	scene.mem = open(path, O_RDONLY);
	crtest_true(scene.mem >= 0);
	return scene;
}

/* A stopped child in which @prepare has been called. */
static struct scene make_scene(void (*prepare)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		if (prepare)
			prepare();
		raise(SIGSTOP);
		_exit(0);
	}
	crtest_until(crtest_state(pid) == 'T');
	return scene_of(pid);
}

static long look(const struct scene *scene, struct cr_ioc_look *call)
{
	*call = (struct cr_ioc_look){ .mem_fd = scene->mem, .tid = scene->pid };
	return ioctl(scene->device, CR_IOC_LOOK, call);
}

static size_t read_proc(pid_t pid, const char *name, char *to)
{
	char path[64];
	size_t used = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY);
	while ((n = read(fd, to + used, TEXT_MAX - 1 - used)) > 0)
		used += (size_t)n;
	close(fd);
	to[used] = '\0';
	return used;
}

/* The last number of line @name of status, which has @nr of them. */
static uint64_t number(const char *text, const char *name, int base, int nr)
{
	const char *at = strstr(text, name);
	char *end = NULL;
	uint64_t value = 0;

	crtest_true(at);
	for (at += strlen(name); nr-- > 0; at = end)
		value = strtoull(at, &end, base);
	return value;
}

static void set_state(void)
{
	sigset_t set;

	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, (void (*)(int))set_state);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	kill(getpid(), SIGHUP);
	syscall(SYS_tgkill, getpid(), getpid(), SIGTERM);
	umask(0127);
	prctl(PR_SET_NAME, "a (strange) one");
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	setgroups(2, (gid_t[]){ 7, 4711 });
	setresgid(1, 2, 3);
	prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
	setresuid(1, 0, 2);
}

/* ---- cases */

static void tells_status(void)
{
	static char text[TEXT_MAX];
	struct scene scene = make_scene(set_state);
	struct cr_ioc_look call;

	crtest_is(look(&scene, &call), 0);
	read_proc(scene.pid, "status", text);
	crtest_is(call.tgid, scene.pid);
	crtest_is(call.ppid, getpid());
	crtest_is(call.vpid, scene.pid);
	crtest_is(call.vpgid, getpgrp());
	crtest_is(call.vsid, getsid(0));
	crtest_is(call.umask, 0127);
	for (int i = 0; i < 4; i++) {
		crtest_is(call.uid[i], number(text, "\nUid:", 10, i + 1));
		crtest_is(call.gid[i], number(text, "\nGid:", 10, i + 1));
	}
	crtest_is(call.nr_groups, 2);
	crtest_is(call.groups[0], 7);
	crtest_is(call.groups[1], 4711);
	crtest_true(call.pending == number(text, "\nSigPnd:", 16, 1));
	crtest_true(call.shared_pending == number(text, "\nShdPnd:", 16, 1));
	crtest_true(call.blocked == number(text, "\nSigBlk:", 16, 1));
	crtest_true(call.ignored == number(text, "\nSigIgn:", 16, 1));
	crtest_true(call.caught == number(text, "\nSigCgt:", 16, 1));
	crtest_true(call.pending && call.shared_pending && call.caught);
	crtest_true(call.cap_inheritable == number(text, "\nCapInh:", 16, 1));
	crtest_true(call.cap_permitted == number(text, "\nCapPrm:", 16, 1));
	crtest_true(call.cap_effective == number(text, "\nCapEff:", 16, 1));
	crtest_true(call.cap_bounding == number(text, "\nCapBnd:", 16, 1));
	crtest_true(call.cap_ambient == number(text, "\nCapAmb:", 16, 1));
	crtest_is(call.no_new_privs, 1);
	crtest_is(call.seccomp, 0);
	crtest_is(strcmp(call.comm, "a (strange) one"), 0);
}

static void tells_stat_and_auxv(void)
{
	static char text[TEXT_MAX];
	struct scene scene = make_scene(NULL);
	struct cr_ioc_look call;
	uint64_t field[53];
	char *at;

	crtest_is(look(&scene, &call), 0);
	read_proc(scene.pid, "stat", text);
	at = strrchr(text, ')') + 3;
	for (int i = 4; i <= 52; i++)
		field[i] = strtoull(at, &at, 10);
	crtest_is(call.terminal, field[7]);
	crtest_is(call.exit_signal, field[38]);
	crtest_true(call.start_code == field[26] && call.end_code == field[27]);
	crtest_true(call.start_stack == field[28] && call.start_stack);
	crtest_true(call.start_data == field[45] && call.end_data == field[46]);
	crtest_true(call.start_brk == field[47]);
	crtest_true(call.arg_start == field[48] && call.arg_end == field[49]);
	crtest_true(call.env_start == field[50] && call.env_end == field[51]);
	crtest_is(call.auxv_length, read_proc(scene.pid, "auxv", text));
	crtest_is(memcmp(call.auxv, text, call.auxv_length), 0);
}

static void set_limits(void)
{
	const struct rlimit limit = { 17, 99 };

	crtest_is(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void tells_limits(void)
{
	struct scene scene = make_scene(set_limits);
	struct cr_ioc_look call;
	struct rlimit limit;

	crtest_is(look(&scene, &call), 0);
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		crtest_is(prlimit(scene.pid, (enum __rlimit_resource)i, NULL,
				  &limit),
			  0);
		crtest_true(call.limit[i].soft == limit.rlim_cur &&
			    call.limit[i].hard == limit.rlim_max);
	}
	crtest_is(call.limit[RLIMIT_NOFILE].hard, 99);
}

static void leave(void)
{
	crtest_is(unshare(CLONE_NEWUTS), 0);
	crtest_is(chdir("/proc"), 0);
}

static void tells_what_is_the_same(void)
{
	struct scene scene = make_scene(NULL), other = make_scene(NULL);
	struct scene left = make_scene(leave);
	struct cr_ioc_look a, b, c;

	crtest_is(look(&scene, &a), 0);
	crtest_is(look(&other, &b), 0);
	crtest_is(look(&left, &c), 0);
	crtest_true(a.memory && a.memory != b.memory);
	crtest_true(a.descriptors && a.descriptors != b.descriptors);
	crtest_true(a.handlers && a.handlers != b.handlers);
	crtest_true(a.fs && a.fs != b.fs);
	crtest_true(a.exe && a.exe == b.exe && a.exe == c.exe);
	crtest_true(a.root && a.root == b.root && a.root == c.root);
	crtest_true(a.cwd && a.cwd == b.cwd && a.cwd != c.cwd);
	crtest_true(a.namespaces && a.namespaces == b.namespaces);
	crtest_true(c.namespaces && a.namespaces != c.namespaces);
	other = scene_of(scene.pid);
	crtest_is(look(&other, &b), 0);
	crtest_true(a.memory == b.memory && a.fs == b.fs);
	crtest_true(a.descriptors == b.descriptors);
	crtest_true(a.handlers == b.handlers);
}

static long list(const struct scene *scene, struct cr_ioc_descriptor *to,
		 uint32_t step, uint32_t *nr)
{
	struct cr_ioc_files call = { .mem_fd = scene->mem, .tid = scene->pid };
	long rc;

	*nr = 0;
	do {
		call.list = (uintptr_t)(to + *nr);
		call.nr = step;
		call.first = call.next;
		rc = ioctl(scene->device, CR_IOC_FILES, &call);
		*nr += call.nr;
	} while (rc == 0 && call.next && *nr < FDS_MAX);
	return rc;
}

static void open_files(void)
{
	int fd = open("/dev/null", O_RDONLY);

	dup3(fd, 40, O_CLOEXEC);
	dup2(fd, 41);
	open("/dev/null", O_RDONLY);
}

static void tells_descriptors(void)
{
	struct scene scene = make_scene(open_files), other = make_scene(NULL);
	struct cr_ioc_descriptor a[FDS_MAX * 2], b[FDS_MAX * 2];
	struct cr_ioc_descriptor c[FDS_MAX * 2];
	uint32_t nr_a, nr_b, nr_c;

	crtest_is(list(&scene, a, 50, &nr_a), 0);
	crtest_is(list(&scene, c, 1, &nr_c), 0);
	crtest_is(list(&other, b, 50, &nr_b), 0);
	/* two of the second are those of the first scene */
	crtest_is(nr_a, nr_b + 2);
	crtest_is(nr_a, nr_c);
	crtest_is(memcmp(a, c, nr_a * sizeof(a[0])), 0);
	for (uint32_t i = 0; i < 3; i++)
		crtest_true(a[i].fd == b[i].fd &&
			    a[i].identity == b[i].identity);
	crtest_is(a[nr_a - 2].fd, 40);
	crtest_is(a[nr_a - 2].flags, CR_DESCRIPTOR_F_CLOEXEC);
	crtest_is(a[nr_a - 1].fd, 41);
	crtest_is(a[nr_a - 1].flags, 0);
	crtest_true(a[nr_a - 1].identity == a[nr_a - 2].identity);
	crtest_true(a[nr_a - 1].identity == a[nr_a - 4].identity);
	crtest_true(a[nr_a - 1].identity != a[nr_a - 3].identity);
}

static void map_all(void)
{
	char *at = mmap((void *)0x10000000, 5 * 4096, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	int fd = memfd_create("a name", 0);

	crtest_true(at != MAP_FAILED);
	crtest_is(ftruncate(fd, 3 * 4096), 0);
	crtest_is(madvise(at, 4096, MADV_DONTDUMP), 0);
	crtest_is(mprotect(at + 2 * 4096, 4096, PROT_NONE), 0);
	crtest_is(mlock2(at + 4 * 4096, 4096, MLOCK_ONFAULT), 0);
	at[4096] = 1;
	crtest_true(mmap((void *)0x20000000, 4096, PROT_READ,
			 MAP_SHARED | MAP_FIXED, fd, 8192) != MAP_FAILED);
}

static const struct cr_ioc_map *next_of(const struct cr_ioc_map *map)
{
	return (const void *)((const char *)map + map->length);
}

/* Does the line of /proc/PID/maps say the same? */
static int is_line(const struct cr_ioc_map *map, const char *line)
{
	unsigned int major, minor;
	uint64_t start, end, offset, inode;
	char perms[5];
	int used = 0;
	size_t length;

	if (sscanf(line,
		   "%" SCNx64 "-%" SCNx64 " %4c %" SCNx64 " %x:%x %" SCNu64
		   "%n",
		   &start, &end, perms, &offset, &major, &minor, &inode,
		   &used) != 7)
		return 0;
	used += (int)strspn(line + used, " ");
	length = strcspn(line + used, "\n");
	return map->start == start && map->end == end &&
	       map->offset == offset && map->inode == inode &&
	       map->major == major && map->minor == minor &&
	       (perms[0] == 'r') == !!(map->prot & PROT_READ) &&
	       (perms[1] == 'w') == !!(map->prot & PROT_WRITE) &&
	       (perms[2] == 'x') == !!(map->prot & PROT_EXEC) &&
	       (perms[3] == 's') == !!(map->flags & CR_MAP_F_SHARED) &&
	       (!strncmp(line + used, "[heap]\n", 7) ||
		!strncmp(line + used, "[stack]\n", 8) ||
		(strlen(map->path) == length &&
		 !strncmp(map->path, line + used, length)));
}

static int has_advice(const struct cr_ioc_map *map, const char *name)
{
	const char *at = strstr(CR_MAP_ADVICE, name);

	return map->advice >> (at - CR_MAP_ADVICE) / 2 & 1;
}

static void check_area(const struct cr_ioc_map *map)
{
	if (map->start == 0x10000000)
		crtest_true(has_advice(map, "dd") && !has_advice(map, "lo"));
	if (map->start == 0x10001000)
		crtest_true(map->flags == CR_MAP_F_OWN &&
			    !has_advice(map, "dd"));
	if (map->start == 0x10002000)
		crtest_true(!map->prot);
	if (map->start == 0x10004000)
		crtest_true(has_advice(map, "lo") && has_advice(map, "lf"));
}

static void tells_mappings(void)
{
	static char text[TEXT_MAX], buffer[CR_MAPS_LENGTH_MIN];
	struct scene scene = make_scene(map_all);
	struct cr_ioc_maps call = { .mem_fd = scene.mem };
	const struct cr_ioc_map *map;
	const char *line = text;
	unsigned int nr = 0;

	read_proc(scene.pid, "maps", text);
	do {
		call.first = call.next;
		call.buffer = (uintptr_t)buffer;
		call.length = sizeof(buffer);
		crtest_is(ioctl(scene.device, CR_IOC_MAPS, &call), 0);
		for (map = (const void *)buffer;
		     (const char *)map < buffer + call.length;
		     map = next_of(map), nr++) {
			if (!is_line(map, line))
				crtest_fail("%llx \"%s\" is not %s", map->start,
					    map->path, line);
			check_area(map);
			line = strchr(line, '\n') + 1;
		}
	} while (call.next);
	crtest_true(nr > 10);
	crtest_true(!*line || strstr(line, "[vsyscall]"));
}

/* More than fit one buffer: each comes once. */
static void tells_many_mappings(void)
{
	static char buffer[CR_MAPS_LENGTH_MIN];
	struct scene scene = { .pid = getpid() };
	struct cr_ioc_maps call = { 0 };
	const struct cr_ioc_map *map;
	unsigned int nr = 0, calls = 0;
	uint64_t last = 0;

	for (uintptr_t i = 0; i < 1000; i++)
		crtest_true(mmap((void *)(0x100000000000 + i * 8192), 4096,
				 PROT_READ,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
				 0) != MAP_FAILED);
	scene = scene_of(scene.pid);
	call.mem_fd = scene.mem;
	do {
		call.first = call.next;
		call.buffer = (uintptr_t)buffer;
		call.length = sizeof(buffer);
		crtest_is(ioctl(scene.device, CR_IOC_MAPS, &call), 0);
		for (map = (const void *)buffer;
		     (const char *)map < buffer + call.length;
		     map = next_of(map)) {
			crtest_true(map->start >= last);
			last = map->end;
			nr += map->start >= 0x100000000000 &&
			      map->start < 0x110000000000;
		}
		calls++;
	} while (call.next);
	crtest_is(nr, 1000);
	crtest_true(calls > 2);
}

static void refuses_others(void)
{
	struct scene scene = make_scene(NULL), other = make_scene(NULL);
	struct cr_ioc_descriptor fds[FDS_MAX * 2];
	struct cr_ioc_look call;
	uint32_t nr;

	other.mem = scene.mem;
	crtest_is(look(&other, &call), -ESRCH);
	crtest_is(list(&other, fds, 50, &nr), -ESRCH);
	other.mem = open("/proc/self/maps", O_RDONLY);
	crtest_is(look(&other, &call), -EPERM);
	crtest_is(list(&other, fds, 50, &nr), -EPERM);
	other.mem = -1;
	crtest_is(look(&other, &call), -EBADF);
	kill(scene.pid, SIGKILL);
	crtest_until(crtest_state(scene.pid) == 'Z');
	crtest_is(look(&scene, &call), -ESRCH);
	crtest_is(list(&scene, fds, 50, &nr), -ESRCH);
}

static void refuses_arguments(void)
{
	static char buffer[CR_MAPS_LENGTH_MIN];
	struct scene scene = scene_of(getpid());
	const struct cr_ioc_maps good = { .mem_fd = scene.mem,
					  .buffer = (uintptr_t)buffer,
					  .length = sizeof(buffer) };
	struct cr_ioc_look look_call = { .mem_fd = scene.mem,
					 .tid = scene.pid,
					 .flags = 1 };
	struct cr_ioc_files files = { .mem_fd = scene.mem, .tid = scene.pid };
	struct cr_ioc_maps maps = good;

	crtest_is(ioctl(scene.device, CR_IOC_LOOK, &look_call), -EINVAL);
	crtest_is(ioctl(scene.device, CR_IOC_LOOK, NULL), -EFAULT);
	crtest_is(ioctl(scene.device, CR_IOC_FILES, &files), -EINVAL);
	files.nr = CR_FILES_MAX + 1;
	crtest_is(ioctl(scene.device, CR_IOC_FILES, &files), -EINVAL);
	files.nr = CR_FILES_MAX;
	crtest_is(ioctl(scene.device, CR_IOC_FILES, &files), -EFAULT);
	files.first = ~0u;
	crtest_is(ioctl(scene.device, CR_IOC_FILES, &files), 0);
	crtest_is(files.nr, 0);
	crtest_is(ioctl(scene.device, CR_IOC_MAPS, &maps), 0);
	maps = good;
	maps.length = CR_MAPS_LENGTH_MIN - 8;
	crtest_is(ioctl(scene.device, CR_IOC_MAPS, &maps), -EINVAL);
	maps.length = CR_MAPS_LENGTH_MAX + 8;
	crtest_is(ioctl(scene.device, CR_IOC_MAPS, &maps), -EINVAL);
	maps = good;
	maps.buffer = 8;
	crtest_is(ioctl(scene.device, CR_IOC_MAPS, &maps), -EFAULT);
	maps = good;
	maps.first = ~0ull;
	crtest_is(ioctl(scene.device, CR_IOC_MAPS, &maps), -EINVAL);
	maps = good;
	maps.flags = 1;
	crtest_is(ioctl(scene.device, CR_IOC_MAPS, &maps), -EINVAL);
}

/* A thousand processes, each looked at, and half of the answers refused. */
static void leaves_nothing(void)
{
	static char buffer[CR_MAPS_LENGTH_MIN];
	static const char *const caches[] = { "pid", "cred_jar", "mm_struct",
					      "task_struct", "filp" };
	long before[5] = { 0 };

	for (int i = 0; i < 1000; i++) {
		struct scene scene = make_scene(NULL);
		struct cr_ioc_maps maps = {
			.mem_fd = scene.mem,
			.buffer = i % 2 ? (uintptr_t)buffer : 8,
			.length = sizeof(buffer),
		};
		struct cr_ioc_files files = { .mem_fd = scene.mem,
					      .tid = scene.pid,
					      .list = maps.buffer,
					      .nr = 16 };
		struct cr_ioc_look call;

		crtest_is(look(&scene, &call), 0);
		crtest_is(ioctl(scene.device, CR_IOC_FILES, &files),
			  i % 2 ? 0 : -EFAULT);
		crtest_is(ioctl(scene.device, CR_IOC_MAPS, &maps),
			  i % 2 ? 0 : -EFAULT);
		close(scene.device);
		close(scene.mem);
		kill(scene.pid, SIGKILL);
		waitpid(scene.pid, NULL, 0);
		for (int j = 0; j < 5 && i == 10; j++)
			before[j] = crtest_in_use(caches[j]);
	}
	for (int j = 0; j < 5; j++)
		if (crtest_in_use(caches[j]) > before[j] + 500)
			crtest_fail("%ld of %s are left",
				    crtest_in_use(caches[j]) - before[j],
				    caches[j]);
}

const struct crtest_case crtest_look[] = {
	{ "what status says", tells_status },
	{ "what stat and auxv say", tells_stat_and_auxv },
	{ "limits", tells_limits },
	{ "what two processes have in common", tells_what_is_the_same },
	{ "descriptors, at once or one by one", tells_descriptors },
	{ "what maps says, and advice", tells_mappings },
	{ "more mappings than one call can tell", tells_many_mappings },
	{ "others' processes are refused", refuses_others },
	{ "wrong arguments of LOOK, FILES, MAPS are refused",
	  refuses_arguments },
	{ "a thousand looks leave nothing", leaves_nothing },
	{ 0 },
};
