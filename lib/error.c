/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * error.c - fill and prefix a struct cr_error; see cr_error.h
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cr_error.h"

void cr_error_one_line(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 127)
			*text = '?';
}

int cr_error_set(struct cr_error *err, int code, const char *fmt, ...)
{
	va_list args;

	if (!err)
		return code;
	err->code = code;
	va_start(args, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);
	cr_error_one_line(err->text);
	return code;
}

int cr_error_errno(struct cr_error *err, const char *fmt, ...)
{
	int code = errno ? -errno : -EIO;
	va_list args;
	size_t used;

	if (!err)
		return code;
	err->code = code;
	va_start(args, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);
	cr_error_one_line(err->text);
	used = strlen(err->text);
	snprintf(err->text + used, sizeof(err->text) - used, ": %s",
		 strerror(-code));
	return code;
}

int cr_error_prefix(struct cr_error *err, const char *fmt, ...)
{
	char text[CR_ERROR_TEXT_MAX];
	va_list args;
	size_t used;

	if (!err)
		return -ECANCELED;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	cr_error_one_line(text);
	used = strlen(text);
	if (snprintf(text + used, sizeof(text) - used, ": %s", err->text) < 0)
		text[used] = '\0'; /* cut off is fine */
	memcpy(err->text, text, sizeof(text));
	return err->code;
}
