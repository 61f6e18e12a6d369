/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restorer.c - the interpreter of system call lists; see restorer.h
 *
 * Everything between the section's two ends is copied into the arena of each
 * task and runs there: no call out of the section, no global data, no
 * instrumentation (CMakeLists.txt takes the sanitizers, the stack protector
 * and profiling away from this file).
 */
#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

#include "restorer.h"

#define RESTORER __attribute__((section("cr_restorer"), used, noinline))

extern const char __start_cr_restorer[], __stop_cr_restorer[];

static inline __attribute__((always_inline)) int64_t call6(int64_t nr,
							   const uint64_t *args)
{
	register uint64_t r10 __asm__("r10") = args[3];
	register uint64_t r8 __asm__("r8") = args[4];
	register uint64_t r9 __asm__("r9") = args[5];
	int64_t result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(nr), "D"(args[0]), "S"(args[1]), "d"(args[2]),
			   "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

static inline __attribute__((always_inline)) int64_t
futex(volatile uint32_t *word, int op, uint32_t value)
{
	uint64_t args[6] = { 0 };

	args[0] = (uint64_t)word;
	args[1] = (uint64_t)op;
	args[2] = value;
	return call6(SYS_futex, args);
}

static inline __attribute__((always_inline)) void end_group(void)
{
	uint64_t args[6] = { 0 };

	args[0] = 1;
	for (;;)
		call6(SYS_exit_group, args);
}

static inline __attribute__((always_inline)) void
fail(const struct cr_list *list, const struct cr_op *op, int64_t result)
{
	struct cr_restart_message *message =
		(struct cr_restart_message *)&list->message;
	uint64_t args[6] = { 0 };

	message->code = (int32_t)(result < 0 ? result : -EIO);
	message->step = op->what + 1;
	message->address = op->args[0];
	args[0] = (uint64_t)list->socket;
	args[1] = (uint64_t)message;
	args[2] = sizeof(*message);
	call6(SYS_write, args);
	end_group();
}

static inline __attribute__((always_inline)) void
wait_state(const struct cr_list *list, uint32_t wanted)
{
	uint32_t now;

	while ((now = *list->state) < wanted)
		futex(list->state, FUTEX_WAIT, now);
	if (now == list->failed)
		end_group();
}

static inline __attribute__((always_inline)) void
wait_count(const struct cr_list *list, uint32_t *word, uint64_t wanted)
{
	uint32_t now;

	while ((now = __atomic_load_n(word, __ATOMIC_ACQUIRE)) != wanted) {
		if (*list->state == list->failed)
			end_group();
		futex(word, FUTEX_WAIT, now);
	}
}

static inline __attribute__((always_inline)) void count(uint32_t *word)
{
	__atomic_fetch_add(word, 1, __ATOMIC_RELEASE);
	futex(word, FUTEX_WAKE, INT32_MAX);
}

static inline __attribute__((always_inline)) void
park(const struct cr_list *list, const struct cr_op *op)
{
	uint64_t stop[6] = { op->args[1], SIGSTOP };

	count((uint32_t *)op->args[0]);
	if (stop[0])
		call6(SYS_kill, stop);
	/* the coordinator takes us away from here; or all has failed */
	wait_state(list, list->failed);
}

/* clone3, and the child goes on with the list at the top of its stack. */
static inline __attribute__((always_inline)) int64_t
make_thread(const struct cr_op *op)
{
	register uint64_t list __asm__("r8") = op->args[2];
	int64_t result;

	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "mov %%r8, %%rdi\n\t"
			 "call cr_restorer_run\n\t"
			 "hlt\n"
			 "1:"
			 : "=a"(result)
			 : "a"((int64_t)SYS_clone3), "D"(op->args[0]),
			   "S"(op->args[1]), "r"(list)
			 : "rcx", "r11", "memory");
	return result;
}

static inline __attribute__((always_inline)) void
run_op(const struct cr_list *list, const struct cr_op *op)
{
	int64_t result = 0;

	if (op->kind == CR_OP_WAIT_STATE) {
		wait_state(list, (uint32_t)op->args[0]);
	} else if (op->kind == CR_OP_WAIT_COUNT) {
		wait_count(list, (uint32_t *)op->args[0], op->args[1]);
	} else if (op->kind == CR_OP_COUNT) {
		count((uint32_t *)op->args[0]);
	} else if (op->kind == CR_OP_PARK) {
		park(list, op);
	} else if (op->kind == CR_OP_THREAD) {
		result = make_thread(op);
		if (result < 0)
			fail(list, op, result);
	} else if (op->kind == CR_OP_REPEAT) {
		while (call6(op->nr, op->args) >= 0)
			;
	} else {
		result = call6(op->nr, op->args);
		if (op->kind == CR_OP_CALL && result < 0 && result > -4096)
			fail(list, op, result);
		if (op->kind == CR_OP_CALL_OR_END && result < 0)
			end_group();
		if (op->kind == CR_OP_CALL_IS && result != op->expected)
			fail(list, op, result);
	}
}

void cr_restorer_run(const struct cr_list *list);

RESTORER void cr_restorer_run(const struct cr_list *list)
{
	for (uint64_t i = 0; i < list->nr_ops; i++)
		run_op(list, &list->ops[i]);
	end_group();
}

size_t cr_restorer_size(void)
{
	return (size_t)(__stop_cr_restorer - __start_cr_restorer);
}

void cr_restorer_copy(void *to)
{
	memcpy(to, __start_cr_restorer, cr_restorer_size());
}

size_t cr_restorer_syscall_offset(void)
{
	const char *found =
		memmem(__start_cr_restorer, cr_restorer_size(), "\x0f\x05", 2);

	return (size_t)(found - __start_cr_restorer);
}

void cr_restorer_enter(void *copy, const struct cr_list *list, void *stack)
{
	ptrdiff_t entry =
		(const char *)(uintptr_t)cr_restorer_run - __start_cr_restorer;

	__asm__ volatile("mov %0, %%rsp\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "mov %1, %%rdi\n\t"
			 "call *%2\n\t"
			 "hlt"
			 :
			 : "r"(stack), "r"(list), "r"((char *)copy + entry)
			 : "memory", "rdi");
	__builtin_unreachable();
}
