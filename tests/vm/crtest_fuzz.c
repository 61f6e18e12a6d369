/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * crtest_fuzz.c - random calls of /dev/cr, by an ordinary user
 *
 * Nothing is checked but that the machine lives (oops=panic) and has warned of
 * nothing (guest looks).  Arguments are mostly right, so that calls come far;
 * CR_FUZZ_SECONDS is for how long, CR_FUZZ_SEED repeats a run.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "crtest.h"
#include "image_wire.h"

#define THREADS 3
#define DEVICES 4
#define PAGES 32

struct fuzz {
	unsigned int seed;
	time_t until;
	int device[DEVICES];
	int fds[8]; /* images, a pipe, memory, nonsense */
	char *memory, *shared;
};

static uint32_t pick(unsigned int *seed, uint32_t below)
{
	return (uint32_t)rand_r(seed) % below;
}

static int any_fd(const struct fuzz *fuzz, unsigned int *seed)
{
	return pick(seed, 30) ? fuzz->fds[pick(seed, 8)] :
				(int)pick(seed, 40) - 2;
}

static uint32_t mostly_none(unsigned int *seed)
{
	return pick(seed, 20) ? 0 : (uint32_t)rand_r(seed);
}

static uint32_t any_runs(const struct fuzz *fuzz, unsigned int *seed,
			 struct cr_wire_run *runs)
{
	uint64_t at = (uintptr_t)fuzz->memory;
	uint32_t nr = 1 + pick(seed, 8);

	for (uint32_t i = 0; i < nr; i++) {
		at += 4096ul * pick(seed, 4);
		runs[i].address =
			pick(seed, 50) ? at : (uint64_t)rand_r(seed) << 33;
		runs[i].length = pick(seed, 50) ? 4096ul * (1 + pick(seed, 4)) :
						  (uint64_t)rand_r(seed)
							  << pick(seed, 33);
		at += runs[i].length;
	}
	return pick(seed, 50) ? nr : (uint32_t)rand_r(seed);
}

static void call_checkpoint(const struct fuzz *fuzz, unsigned int *seed,
			    int device)
{
	const uint64_t keep[CR_WIRE_CHUNK_PAGES / 64] = { 0x5a5a };
	struct cr_wire_run runs[4][8];
	struct cr_ioc_chunk chunks[4];
	struct cr_ioc_checkpoint call = {
		.image_fd = any_fd(fuzz, seed),
		.flags = mostly_none(seed),
		.chunks = pick(seed, 50) ? (uintptr_t)chunks : 8,
		.nr_chunks = pick(seed, 20) ? 1 + pick(seed, 4) :
					      (uint32_t)rand_r(seed),
		.nr_done = (uint32_t)rand_r(seed),
		.code = rand_r(seed),
		.reserved = mostly_none(seed),
	};

	for (uint32_t i = 0; i < 4; i++)
		chunks[i] = (struct cr_ioc_chunk){
			.mem_fd = pick(seed, 8) ? fuzz->fds[2] :
						  any_fd(fuzz, seed),
			.space = (uint32_t)rand_r(seed),
			.runs = pick(seed, 50) ? (uintptr_t)runs[i] : 8,
			.keep = pick(seed, 3) ? (uintptr_t)keep :
						8 * pick(seed, 2),
			.nr_runs = any_runs(fuzz, seed, runs[i]),
		};
	/* it must not grow for ever, and may stand anywhere */
	if (pick(seed, 3) == 0)
		lseek(call.image_fd,
		      pick(seed, 20) ? 8 * pick(seed, 40000) :
				       (off_t)rand_r(seed) << pick(seed, 33),
		      SEEK_SET);
	ioctl(device, CR_IOC_CHECKPOINT, pick(seed, 50) ? &call : (void *)8);
}

static void call_fill(const struct fuzz *fuzz, unsigned int *seed, int device)
{
	struct cr_wire_run runs[8];
	struct cr_ioc_fill fill = { .mem_fd = any_fd(fuzz, seed),
				    .image_fd = any_fd(fuzz, seed),
				    .offset = pick(seed, 300000),
				    .runs = (uintptr_t)runs,
				    .nr_runs = any_runs(fuzz, seed, runs),
				    .reserved = mostly_none(seed) };

	ioctl(device, CR_IOC_FILL, &fill);
}

static void call_ask(const struct fuzz *fuzz, unsigned int *seed, int device)
{
	struct cr_ioc_ask ask = { .mem_fd = any_fd(fuzz, seed),
				  .tid = pick(seed, 3) ? getpid() :
							 rand_r(seed),
				  .flags = mostly_none(seed),
				  .reserved = mostly_none(seed) };

	ioctl(device, CR_IOC_ASK, pick(seed, 50) ? &ask : (void *)8);
}

static void call_look(const struct fuzz *fuzz, unsigned int *seed, int device)
{
	static _Thread_local char buffer[CR_MAPS_LENGTH_MAX];
	const int32_t tid = pick(seed, 3) ? getpid() : rand_r(seed);
	const uint64_t at = pick(seed, 20) ? (uintptr_t)buffer : 8;
	struct cr_ioc_look look = { .mem_fd = any_fd(fuzz, seed),
				    .tid = tid,
				    .flags = mostly_none(seed) };
	struct cr_ioc_files files = { .mem_fd = any_fd(fuzz, seed),
				      .tid = tid,
				      .first = pick(seed, 5) ?
						       pick(seed, 20) :
						       (uint32_t)rand_r(seed),
				      .list = at,
				      .nr = pick(seed, 600) };
	struct cr_ioc_maps maps = { .mem_fd = any_fd(fuzz, seed),
				    .first = (uint64_t)rand_r(seed)
					     << pick(seed, 18),
				    .buffer = at,
				    .length = pick(seed, 20) ?
						      8 * pick(seed, 8200) :
						      (uint32_t)rand_r(seed) };

	struct cr_ioc_regs regs = { .tid = tid,
				    .flags = mostly_none(seed),
				    .xstate = at,
				    .xstate_length = pick(seed, 70000) };

	struct cr_ioc_open_mapped mapped = {
		.mem_fd = any_fd(fuzz, seed),
		.flags = mostly_none(seed),
		.address = pick(seed, 5) ?
				   (uintptr_t)fuzz->shared :
				   (uint64_t)rand_r(seed) << pick(seed, 18),
		.reserved = mostly_none(seed)
	};

	switch (pick(seed, 5)) {
	case 4:
		if (ioctl(device, CR_IOC_OPEN_MAPPED, &mapped) == 0)
			close(mapped.fd);
		break;
	case 3:
		ioctl(device, CR_IOC_REGS, &regs);
		break;
	case 0:
		ioctl(device, CR_IOC_LOOK, pick(seed, 50) ? &look : (void *)8);
		break;
	case 1:
		ioctl(device, CR_IOC_FILES, &files);
		break;
	default:
		ioctl(device, CR_IOC_MAPS, &maps);
	}
}

static void call_restart(const struct fuzz *fuzz, unsigned int *seed,
			 int device)
{
	uint32_t ghosts[] = { pick(seed, 3), 4711 };
	struct cr_ioc_restart begin = {
		.pid = pick(seed, 2) ? 0 : getpid(),
		.image_fd = any_fd(fuzz, seed),
		.flags = mostly_none(seed),
		.timeout_ms = 1 + pick(seed, 20),
		.ghosts = (uintptr_t)ghosts,
		.nr_ghosts = pick(seed, 3),
	};
	struct cr_ioc_join join = { .pid = pick(seed, 2) ? 0 : getpid(),
				    .flags = mostly_none(seed) };
	struct cr_ioc_fail fail = { .code = -(int)pick(seed, 5000) };
	struct cr_ioc_wait wait_call = { .flags = pick(seed, 3) };
	const struct {
		unsigned long call;
		void *argument;
	} calls[] = {
		{ CR_IOC_RESTART, &begin },  { CR_IOC_JOIN, &join },
		{ CR_IOC_TURN, NULL },	     { CR_IOC_RESTORED, NULL },
		{ CR_IOC_SETTLE, NULL },     { CR_IOC_GATE, NULL },
		{ CR_IOC_RELEASE, NULL },    { CR_IOC_FAIL, &fail },
		{ CR_IOC_WAIT, &wait_call }, { CR_IOC_ARRIVE, NULL },
	};
	uint32_t i = pick(seed, 10);

	ioctl(device, calls[i].call,
	      pick(seed, 50) ? calls[i].argument : (void *)8);
}

static void *fuzz_thread(void *arg)
{
	struct fuzz *fuzz = arg;
	unsigned int seed =
		__atomic_add_fetch(&fuzz->seed, 7, __ATOMIC_SEQ_CST);

	while (time(NULL) < fuzz->until) {
		uint32_t d = pick(&seed, DEVICES);
		int device = fuzz->device[d];

		switch (pick(&seed, 13)) {
		case 0:
			/* the same number again: others may be in a call */
			device = open("/dev/cr", O_RDWR);
			dup2(device, fuzz->device[d]);
			close(device);
			break;
		case 1:
			ioctl(device, (unsigned long)rand_r(&seed), 0);
			break;
		case 2:
		case 3:
		case 4:
		case 5:
			call_restart(fuzz, &seed, device);
			break;
		case 6:
			call_ask(fuzz, &seed, device);
			break;
		case 7:
			call_look(fuzz, &seed, device);
			break;
		case 8:
		case 9:
			call_fill(fuzz, &seed, device);
			break;
		default:
			call_checkpoint(fuzz, &seed, device);
		}
	}
	return NULL;
}

static void fuzz_process(unsigned int seed, time_t until)
{
	uint32_t vpids[2] = { (uint32_t)getpid(), 4711 };
	struct fuzz fuzz = { .seed = seed, .until = until };
	pthread_t threads[THREADS];
	int fds[2];

	fuzz.memory = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(fuzz.memory, 1, PAGES * 2048);
	fuzz.shared = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < DEVICES; i++)
		fuzz.device[i] = crtest_device();
	crtest_is(pipe2(fds, O_NONBLOCK), 0);
	fuzz.fds[0] = crtest_image(vpids, NULL, 1);
	fuzz.fds[1] = crtest_image(vpids, NULL, 2);
	fuzz.fds[2] = fuzz.fds[3] = open("/proc/self/mem", O_RDWR);
	fuzz.fds[4] = memfd_create("image", 0);
	fuzz.fds[5] = fds[0];
	fuzz.fds[6] = fds[1];
	fuzz.fds[7] = open("/proc/self/maps", O_RDONLY);
	crtest_is(ftruncate(fuzz.fds[4], 300000), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, fuzz_thread, &fuzz);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	_exit(0);
}

static void fuzz(void)
{
	const char *seconds = getenv("CR_FUZZ_SECONDS");
	const char *given = getenv("CR_FUZZ_SEED");
	unsigned int seed = given ? (unsigned int)strtoul(given, NULL, 0) :
				    (unsigned int)time(NULL);
	time_t until = time(NULL) + (seconds ? atoi(seconds) : 10);
	unsigned int nr = 0;
	int status;

	printf("CR_FUZZ_SEED=%u\n", seed);
	fflush(stdout);
	alarm(0);
	crtest_is(setuid(1000), 0);
	/* short lives: many die in the middle of things */
	while (time(NULL) < until) {
		pid_t pid = fork();

		if (pid == 0) {
			alarm(0);
			fuzz_process(seed + nr, time(NULL) + 2);
		}
		usleep(1000 * (200 + seed * (nr * 37 + 1) % 700));
		if (nr++ % 2)
			kill(pid, SIGKILL);
		/* a wait without an end is one for a fatal signal */
		for (int i = 0; waitpid(pid, &status, WNOHANG) == 0; i++) {
			if (i == 4000)
				kill(pid, SIGKILL);
			if (i == 60000)
				crtest_fail("cannot be killed");
			usleep(1000);
		}
	}
	printf("%u processes\n", nr);
	fflush(stdout);
}

const struct crtest_case crtest_fuzz[] = {
	{ "random calls of an ordinary user", fuzz },
	{ 0 },
};
