/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vdso.h - the vdso of another kernel, made to work on this one
 *
 * Private to lib/.  A program keeps addresses of functions within the vdso it
 * was started with.  Where this kernel's vdso is another one, the saved one
 * is mapped where it was, as ordinary memory, with the beginning of each
 * function overwritten by a jump to this kernel's or by the system call.
 */
#ifndef VDSO_H
#define VDSO_H

#include <stddef.h>
#include <stdint.h>

#include "cr_error.h"

/*
 * Overwrite the functions of the vdso @saved, @length bytes of an ELF image
 * that is not trusted.  @own is this kernel's (NULL: it has none), which will
 * be mapped at @own_address in the program.
 * Returns 0, or -EBADMSG if @saved is no such image or has a function that
 * is known neither to @own nor as a system call; the text names it.
 */
int cr_vdso_patch(uint8_t *saved, size_t length, const uint8_t *own,
		  size_t own_length, uint64_t own_address,
		  struct cr_error *err);

#endif /* VDSO_H */
