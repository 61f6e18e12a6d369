/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vdso_patch.c - let the functions of a saved vdso lead to this kernel's
 */
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "vdso.h"

#define JUMP_LENGTH 12 /* movabs $address, %rax; jmp *%rax */
#define CALL_LENGTH 8 /* mov $nr, %eax; syscall; ret */

/* An ELF image in memory; tables as section headers tell, checked. */
struct image {
	const uint8_t *bytes;
	size_t length;
	const Elf64_Sym *symbols;
	size_t nr_symbols;
	const char *names;
	size_t names_length;
};

/* The system calls that a vdso may offer, arch/x86/entry/vdso/vdso.lds.S. */
static const struct {
	const char *name;
	uint32_t nr;
} calls[] = {
	{ "clock_gettime", SYS_clock_gettime },
	{ "gettimeofday", SYS_gettimeofday },
	{ "clock_getres", SYS_clock_getres },
	{ "time", SYS_time },
	{ "getcpu", SYS_getcpu },
	{ "getrandom", 318 }, /* SYS_getrandom */
};

static int is_inside(const struct image *image, uint64_t offset,
		     uint64_t length)
{
	return offset <= image->length && length <= image->length - offset;
}

static const Elf64_Shdr *section(const struct image *image, size_t index)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)image->bytes;

	return (const Elf64_Shdr *)(image->bytes + header->e_shoff) + index;
}

static int check_header(const struct image *image)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)image->bytes;

	return image->length >= sizeof(*header) &&
	       !memcmp(header->e_ident, ELFMAG, SELFMAG) &&
	       header->e_ident[EI_CLASS] == ELFCLASS64 &&
	       header->e_machine == EM_X86_64 && header->e_shoff % 8 == 0 &&
	       header->e_shentsize == sizeof(Elf64_Shdr) &&
	       is_inside(image, header->e_shoff,
			 (uint64_t)header->e_shnum * sizeof(Elf64_Shdr));
}

static int open_image(struct image *image, const uint8_t *bytes, size_t length)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)bytes;
	const Elf64_Shdr *table, *strings;

	memset(image, 0, sizeof(*image));
	image->bytes = bytes;
	image->length = length;
	if (!check_header(image))
		return -EBADMSG;
	for (size_t i = 0; i < header->e_shnum; i++) {
		table = section(image, i);
		if (table->sh_type != SHT_DYNSYM)
			continue;
		if (table->sh_link >= header->e_shnum || table->sh_offset % 8 ||
		    !is_inside(image, table->sh_offset, table->sh_size))
			return -EBADMSG;
		strings = section(image, table->sh_link);
		if (!is_inside(image, strings->sh_offset, strings->sh_size))
			return -EBADMSG;
		image->symbols = (const Elf64_Sym *)(bytes + table->sh_offset);
		image->nr_symbols = table->sh_size / sizeof(Elf64_Sym);
		image->names = (const char *)bytes + strings->sh_offset;
		image->names_length = strings->sh_size;
		return 0;
	}
	return -EBADMSG;
}

/* Name of a function of the image; NULL if the symbol is none. */
static const char *function_name(const struct image *image,
				 const Elf64_Sym *symbol)
{
	const char *name = image->names + symbol->st_name;

	if (ELF64_ST_TYPE(symbol->st_info) != STT_FUNC || !symbol->st_shndx ||
	    symbol->st_name >= image->names_length ||
	    !memchr(name, 0, image->names_length - symbol->st_name))
		return NULL;
	return name;
}

static uint64_t find_function(const struct image *image, const char *wanted)
{
	for (size_t i = 0; i < image->nr_symbols; i++) {
		const char *name = function_name(image, &image->symbols[i]);

		if (name && !strcmp(name, wanted))
			return image->symbols[i].st_value;
	}
	return 0;
}

static void write_jump(uint8_t *at, uint64_t address)
{
	static const uint8_t movabs[] = { 0x48, 0xb8 };
	static const uint8_t jump[] = { 0xff, 0xe0 };

	memcpy(at, movabs, sizeof(movabs));
	memcpy(at + 2, &address, sizeof(address));
	memcpy(at + 10, jump, sizeof(jump));
}

static void write_call(uint8_t *at, uint32_t nr)
{
	static const uint8_t call[] = { 0x0f, 0x05, 0xc3 };

	at[0] = 0xb8;
	memcpy(at + 1, &nr, sizeof(nr));
	memcpy(at + 5, call, sizeof(call));
}

/* With or without "__vdso_" in front. */
static int find_call(const char *name, uint32_t *nrp)
{
	if (!strncmp(name, "__vdso_", 7))
		name += 7;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (strcmp(name, calls[i].name) != 0)
			continue;
		*nrp = calls[i].nr;
		return 0;
	}
	return -ENOENT;
}

static int patch_function(uint8_t *saved, const struct image *image,
			  const Elf64_Sym *symbol, const struct image *own,
			  uint64_t own_address, struct cr_error *err)
{
	const char *name = function_name(image, symbol);
	uint64_t target = own->bytes ? find_function(own, name) : 0;
	uint32_t nr;

	if (!is_inside(image, symbol->st_value, JUMP_LENGTH))
		return cr_error_set(err, -EBADMSG, "vdso: damaged");
	if (target)
		write_jump(saved + symbol->st_value, own_address + target);
	else if (find_call(name, &nr) == 0)
		write_call(saved + symbol->st_value, nr);
	else if (strcmp(name, "__vdso_sgx_enter_enclave") != 0)
		return cr_error_set(err, -EBADMSG,
				    "vdso: function %.40s is not known here",
				    name);
	return 0;
}

int cr_vdso_patch(uint8_t *saved, size_t length, const uint8_t *own,
		  size_t own_length, uint64_t own_address, struct cr_error *err)
{
	struct image from, to = { 0 };
	int rc = 0;

	if (open_image(&from, saved, length) < 0)
		return cr_error_set(err, -EBADMSG, "vdso: no ELF image");
	if (own && open_image(&to, own, own_length) < 0)
		to.bytes = NULL;
	for (size_t i = 0; i < from.nr_symbols && !rc; i++)
		if (function_name(&from, &from.symbols[i]))
			rc = patch_function(saved, &from, &from.symbols[i], &to,
					    own_address, err);
	return rc;
}
