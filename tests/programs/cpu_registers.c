/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpu_registers.c - all general registers and the direction flag in a loop that
 * makes no system call until another thread tells it to leave
 */
#include "program.h"

#define NR_REGISTERS 15

/* Named for the assembler: no register is left to hold an address. */
static volatile int leave __asm__("registers_leave") __attribute__((used));
static uint64_t out[NR_REGISTERS] __asm__("registers_out")
	__attribute__((used));
static uint64_t flags __asm__("registers_flags") __attribute__((used));

static void *watcher(void *arg)
{
	program_ready();
	leave = 1;
	return arg;
}

static __attribute__((noinline)) void keep(void)
{
	__asm__ volatile("sub $128, %%rsp\n\t" /* the red zone */
			 "push %%rbx\n\t"
			 "push %%rbp\n\t"
			 "push %%r12\n\t"
			 "push %%r13\n\t"
			 "push %%r14\n\t"
			 "push %%r15\n\t"
			 "movabs $0xfedcba9876541000, %%rax\n\t"
			 "movabs $0xfedcba9876541001, %%rbx\n\t"
			 "movabs $0xfedcba9876541002, %%rcx\n\t"
			 "movabs $0xfedcba9876541003, %%rdx\n\t"
			 "movabs $0xfedcba9876541004, %%rsi\n\t"
			 "movabs $0xfedcba9876541005, %%rdi\n\t"
			 "movabs $0xfedcba9876541006, %%rbp\n\t"
			 "movabs $0xfedcba9876541007, %%r8\n\t"
			 "movabs $0xfedcba9876541008, %%r9\n\t"
			 "movabs $0xfedcba9876541009, %%r10\n\t"
			 "movabs $0xfedcba987654100a, %%r11\n\t"
			 "movabs $0xfedcba987654100b, %%r12\n\t"
			 "movabs $0xfedcba987654100c, %%r13\n\t"
			 "movabs $0xfedcba987654100d, %%r14\n\t"
			 "movabs $0xfedcba987654100e, %%r15\n\t"
			 "std\n"
			 "1:\tcmpl $0, registers_leave(%%rip)\n\t"
			 "je 1b\n\t"
			 "mov %%rax, registers_out+0(%%rip)\n\t"
			 "mov %%rbx, registers_out+8(%%rip)\n\t"
			 "mov %%rcx, registers_out+16(%%rip)\n\t"
			 "mov %%rdx, registers_out+24(%%rip)\n\t"
			 "mov %%rsi, registers_out+32(%%rip)\n\t"
			 "mov %%rdi, registers_out+40(%%rip)\n\t"
			 "mov %%rbp, registers_out+48(%%rip)\n\t"
			 "mov %%r8, registers_out+56(%%rip)\n\t"
			 "mov %%r9, registers_out+64(%%rip)\n\t"
			 "mov %%r10, registers_out+72(%%rip)\n\t"
			 "mov %%r11, registers_out+80(%%rip)\n\t"
			 "mov %%r12, registers_out+88(%%rip)\n\t"
			 "mov %%r13, registers_out+96(%%rip)\n\t"
			 "mov %%r14, registers_out+104(%%rip)\n\t"
			 "mov %%r15, registers_out+112(%%rip)\n\t"
			 "pushf\n\t"
			 "popq registers_flags(%%rip)\n\t"
			 "cld\n\t"
			 "pop %%r15\n\t"
			 "pop %%r14\n\t"
			 "pop %%r13\n\t"
			 "pop %%r12\n\t"
			 "pop %%rbp\n\t"
			 "pop %%rbx\n\t"
			 "add $128, %%rsp\n\t" ::
				 : "rax", "rcx", "rdx", "rsi", "rdi", "r8",
				   "r9", "r10", "r11", "cc", "memory");
}

int main(int argc, char **argv)
{
	pthread_t thread;
	size_t i;

	program_start(argc, argv);
	NEED_ZERO(pthread_create(&thread, NULL, watcher, NULL));

	keep();

	for (i = 0; i < NR_REGISTERS; i++)
		CHECK(out[i] == 0xfedcba9876541000 + i, "register %zu is %llx",
		      i, (unsigned long long)out[i]);
	CHECK(flags & 0x400, "flags %llx", (unsigned long long)flags);
	CHECK(pthread_join(thread, NULL) == 0, "join");
	return program_result();
}
