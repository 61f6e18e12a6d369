/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * syscall_resume.c - the table of system calls and how they go on
 *
 * What is not in the table either never waits or is restarted by the kernel
 * from its registers alone: ERESTARTSYS, ERESTARTNOINTR and ERESTARTNOHAND
 * are left in ax, and act when the thread leaves the kernel, after restart as
 * after a thaw.  (ppoll and pselect have written back what remains.)
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <linux/futex.h>
#include <sys/syscall.h>

#include "syscall_resume.h"

#define SYSCALL_LENGTH 2 /* of the instruction */
#define MOVE_TO_EAX 0xb8 /* and four bytes of a number */
#define MOVE_LENGTH 5
#define CODE_BEFORE 32 /* bytes before a call in which its number is set */
#define NS 1000000000ll
/* Below the stack pointer and its red zone memory is free: a signal handler
 * could come at any time. */
#define BELOW_STACK 512

enum timeout {
	TIMEOUT_NONE,
	TIMEOUT_MS, /* int in the register; negative: none */
	TIMEOUT_TIMESPEC, /* pointer in the register; NULL: none */
};

struct row {
	long nr;
	int is_block; /* goes on by restart block; else comes back with EINTR */
	enum timeout timeout;
	int argument; /* with the timeout */
	int remaining; /* where the kernel writes what remains, or -1 */
};

static const struct row table[] = {
	{ SYS_nanosleep, 1, TIMEOUT_TIMESPEC, 0, 1 },
	{ SYS_clock_nanosleep, 1, TIMEOUT_TIMESPEC, 2, 3 },
	{ SYS_poll, 1, TIMEOUT_MS, 2, -1 },
	{ SYS_futex, 1, TIMEOUT_TIMESPEC, 3, -1 },
	{ SYS_epoll_wait, 0, TIMEOUT_MS, 3, -1 },
	{ SYS_epoll_pwait, 0, TIMEOUT_MS, 3, -1 },
	{ SYS_epoll_pwait2, 0, TIMEOUT_TIMESPEC, 3, -1 },
	{ SYS_semop, 0, TIMEOUT_NONE, 0, -1 },
	{ SYS_semtimedop, 0, TIMEOUT_TIMESPEC, 3, -1 },
	{ SYS_rt_sigtimedwait, 0, TIMEOUT_TIMESPEC, 2, -1 },
	{ SYS_io_getevents, 0, TIMEOUT_TIMESPEC, 4, -1 },
	{ SYS_io_pgetevents, 0, TIMEOUT_TIMESPEC, 4, -1 },
	/* sockets with SO_RCVTIMEO or SO_SNDTIMEO */
	{ SYS_read, 0, TIMEOUT_NONE, 0, -1 },
	{ SYS_readv, 0, TIMEOUT_NONE, 0, -1 },
	{ SYS_recvfrom, 0, TIMEOUT_NONE, 0, -1 },
	{ SYS_recvmsg, 0, TIMEOUT_NONE, 0, -1 },
	{ SYS_accept, 0, TIMEOUT_NONE, 0, -1 },
	{ SYS_accept4, 0, TIMEOUT_NONE, 0, -1 },
	{ SYS_write, 0, TIMEOUT_NONE, 0, -1 },
	{ SYS_writev, 0, TIMEOUT_NONE, 0, -1 },
	{ SYS_sendto, 0, TIMEOUT_NONE, 0, -1 },
	{ SYS_sendmsg, 0, TIMEOUT_NONE, 0, -1 },
};

static const struct row *find_row(long nr)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].nr == nr)
			return &table[i];
	return NULL;
}

int cr_resume_has_timeout(long nr)
{
	const struct row *row = find_row(nr);

	return row && row->timeout != TIMEOUT_NONE;
}

/* Clocks are small numbers, and so no pointers. */
static long which_sleep(uint64_t first_argument)
{
	return first_argument < 4096 ? SYS_clock_nanosleep : SYS_nanosleep;
}

long cr_resume_restarted(const char *wchan, const uint64_t args[6])
{
	if (strstr(wchan, "poll"))
		return SYS_poll;
	if (strstr(wchan, "futex"))
		return SYS_futex;
	return strstr(wchan, "nanosleep") ? which_sleep(args[0]) : -1;
}

static uint64_t *argument(struct cr_wire_regs *regs, int index)
{
	uint64_t *const args[6] = { &regs->di,	&regs->si, &regs->dx,
				    &regs->r10, &regs->r8, &regs->r9 };

	return args[index];
}

static int read_timespec(const struct cr_resume_stop *stop, uint64_t address,
			 int64_t *ns)
{
	struct timespec ts;

	if (!address || stop->read(stop->arg, address, &ts, sizeof(ts)) < 0)
		return -EFAULT;
	if (ts.tv_sec < 0 || ts.tv_sec > INT64_MAX / NS - 1)
		return -ERANGE;
	*ns = (int64_t)ts.tv_sec * NS + (int64_t)ts.tv_nsec;
	return 0;
}

/* What remains of the timeout; -1: it never ends, or cannot be told. */
static int64_t get_remaining(const struct cr_resume_stop *stop,
			     const struct row *row, struct cr_wire_regs *regs)
{
	uint64_t value;
	int64_t ns;

	if (row->timeout == TIMEOUT_NONE)
		return -1;
	if (row->remaining >= 0 &&
	    read_timespec(stop, *argument(regs, row->remaining), &ns) == 0)
		return ns;
	value = *argument(regs, row->argument);
	if (row->timeout == TIMEOUT_MS) {
		if ((int32_t)value < 0)
			return -1;
		ns = (int64_t)(int32_t)value * 1000000;
	} else if (read_timespec(stop, value, &ns) < 0) {
		return -1;
	}
	return ns > (int64_t)stop->elapsed_ns ? ns - (int64_t)stop->elapsed_ns :
						0;
}

/*
 * The kernel does not tell when a call ends that it restarts by itself, nor for
 * how long it has waited altogether.  So each checkpoint leaves a note for the
 * next one below the thread's stack, where it stays while the thread is in
 * that call, and is restored with all other memory.
 */
#define NOTE_MAGIC 0x65746f6e20737963ull

struct note {
	uint64_t magic;
	int64_t nr;
	uint64_t args[6];
	int64_t end_ns; /* CLOCK_MONOTONIC as the tree has it */
};

static uint64_t note_address(const struct cr_wire_regs *regs)
{
	return (regs->sp - BELOW_STACK - sizeof(struct note)) & ~15ull;
}

static void fill_note(long nr, struct cr_wire_regs *regs, int64_t end_ns,
		      struct note *note)
{
	*note = (struct note){ .magic = NOTE_MAGIC,
			       .nr = nr,
			       .end_ns = end_ns };
	for (int i = 0; i < 6; i++)
		note->args[i] = *argument(regs, i);
}

/* The note for a call of number @nr with these arguments. */
static int read_note(const struct cr_resume_stop *stop, long nr,
		     struct cr_wire_regs *regs, struct note *note)
{
	struct note expected;

	if (stop->read(stop->arg, note_address(regs), note, sizeof(*note)) < 0)
		return 0;
	fill_note(nr, regs, note->end_ns, &expected);
	return memcmp(note, &expected, sizeof(*note)) == 0;
}

/* As get_remaining(), and by the note of the checkpoint before this one. */
static int64_t get_remaining_again(const struct cr_resume_stop *stop,
				   const struct row *row,
				   struct cr_wire_regs *regs)
{
	struct note note;

	/* if its end has passed, it is of another call */
	if (stop->is_again && stop->now_ns &&
	    read_note(stop, stop->nr, regs, &note) &&
	    note.end_ns > stop->now_ns)
		return note.end_ns - stop->now_ns;
	return get_remaining(stop, row, regs);
}

static void leave_note(const struct cr_resume_stop *stop,
		       struct cr_wire_regs *regs, int64_t remaining_ns)
{
	struct note note;

	if (remaining_ns < 0 || !stop->now_ns)
		return;
	fill_note(stop->nr, regs, stop->now_ns + remaining_ns, &note);
	/* without it the next checkpoint waits for longer, no more */
	stop->write(stop->arg, note_address(regs), &note, sizeof(note));
}

/* A futex call of this kind has an end in time, not a duration. */
static int is_absolute_futex(long nr, const struct cr_wire_regs *regs)
{
	return nr == SYS_futex &&
	       ((int)regs->si & FUTEX_CMD_MASK) != FUTEX_WAIT;
}

static int decide_block(const struct cr_resume_stop *stop,
			const struct row *row, struct cr_wire_regs *regs,
			struct cr_wire_resume *resume)
{
	if (is_absolute_futex(stop->nr, regs)) {
		/* the same call again: what a restart block would do */
		regs->ax = (uint64_t)-CR_ERESTARTNOHAND;
		regs->orig_ax = (uint64_t)stop->nr;
		return 0;
	}
	resume->kind = CR_RESUME_BLOCK;
	resume->nr = (uint32_t)stop->nr;
	resume->remaining_ns = get_remaining_again(stop, row, regs);
	leave_note(stop, regs, resume->remaining_ns);
	for (int i = 0; i < 6; i++)
		resume->args[i] = *argument(regs, i);
	return 0;
}

/* Shorten the timeout; as it was if that cannot be done. */
static void set_timeout(const struct cr_resume_stop *stop,
			const struct row *row, int64_t remaining_ns,
			struct cr_wire_regs *regs)
{
	uint64_t address = (regs->sp - BELOW_STACK) & ~15ull;
	struct timespec ts;

	if (remaining_ns < 0)
		return;
	if (row->timeout == TIMEOUT_MS) {
		*argument(regs, row->argument) =
			(uint64_t)((remaining_ns + 999999) / 1000000);
		return;
	}
	ts.tv_sec = remaining_ns / NS;
	ts.tv_nsec = remaining_ns % NS;
	if (stop->write(stop->arg, address, &ts, sizeof(ts)) == 0)
		*argument(regs, row->argument) = address;
}

static int is_syscall(const struct cr_resume_stop *stop, uint64_t address)
{
	unsigned char instruction[SYSCALL_LENGTH];

	return stop->read(stop->arg, address, instruction,
			  sizeof(instruction)) == 0 &&
	       instruction[0] == 0x0f && instruction[1] == 0x05;
}

static int decide_reissue(const struct cr_resume_stop *stop,
			  const struct row *row, struct cr_wire_regs *regs,
			  struct cr_wire_resume *resume)
{
	if (!is_syscall(stop, regs->ip - SYSCALL_LENGTH))
		return 0;
	resume->nr = (uint32_t)stop->nr;
	resume->remaining_ns = get_remaining(stop, row, regs);
	set_timeout(stop, row, resume->remaining_ns, regs);
	for (int i = 0; i < 6; i++)
		resume->args[i] = *argument(regs, i);
	regs->ip -= SYSCALL_LENGTH;
	regs->ax = regs->orig_ax;
	regs->orig_ax = UINT64_MAX;
	return 1;
}

int cr_resume_step_back(const struct cr_resume_stop *stop,
			struct cr_wire_regs *regs)
{
	const struct row *row = find_row((long)regs->orig_ax);

	if (regs->ax != SYS_restart_syscall || !is_syscall(stop, regs->ip))
		return 0;
	regs->ip += SYSCALL_LENGTH;
	regs->ax = (uint64_t)-CR_ERESTART_RESTARTBLOCK;
	/* it has not even left the kernel if that is there still */
	if (!row || !row->is_block)
		regs->orig_ax = SYS_restart_syscall;
	return 1;
}

/* "mov $NR, %eax" shortly before the instruction; -1: there is none. */
static long find_number(const struct cr_resume_stop *stop, uint64_t ip)
{
	unsigned char code[CODE_BEFORE];
	uint32_t number;

	if (stop->read(stop->arg, ip - SYSCALL_LENGTH - CODE_BEFORE, code,
		       CODE_BEFORE) < 0)
		return -1;
	for (int i = CODE_BEFORE - MOVE_LENGTH; i >= 0; i--) {
		const struct row *row;

		memcpy(&number, code + i + 1, sizeof(number));
		row = code[i] == MOVE_TO_EAX ? find_row(number) : NULL;
		if (row && row->is_block)
			return row->nr;
	}
	return -1;
}

long cr_resume_find(const struct cr_resume_stop *stop,
		    struct cr_wire_regs *regs)
{
	struct note note;
	long nr;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].is_block &&
		    read_note(stop, table[i].nr, regs, &note))
			return table[i].nr;
	nr = find_number(stop, regs->ip);
	return nr >= 0 ? nr : which_sleep(regs->di);
}

int cr_resume_decide(const struct cr_resume_stop *stop,
		     struct cr_wire_regs *regs, struct cr_wire_resume *resume)
{
	const struct row *row = find_row(stop->nr);

	memset(resume, 0, sizeof(*resume));
	resume->kind = CR_RESUME_REGS;
	resume->remaining_ns = -1;
	if ((int64_t)regs->orig_ax < 0 || !row)
		return 0;
	if ((int64_t)regs->ax == -CR_ERESTART_RESTARTBLOCK && row->is_block)
		return decide_block(stop, row, regs, resume);
	if ((int64_t)regs->ax == -EINTR && !row->is_block && !stop->has_signal)
		return decide_reissue(stop, row, regs, resume);
	return 0;
}
