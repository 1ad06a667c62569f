/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/core/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Cutting a sentence at the end of the buffer is intended. */
static void write_text(char *text, size_t size, const char *fmt, va_list ap)
{
	if (vsnprintf(text, size, fmt, ap) < 0)
		text[0] = '\0';
}

void err_text(struct err *err, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return;
	va_start(ap, fmt);
	write_text(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
}

void err_prefix(struct err *err, const char *fmt, ...)
{
	char prefix[ERR_TEXT_MAX];
	char rest[ERR_TEXT_MAX];
	size_t len;
	va_list ap;

	if (!err)
		return;
	va_start(ap, fmt);
	write_text(prefix, sizeof(prefix), fmt, ap);
	va_end(ap);
	memcpy(rest, err->text, sizeof(rest));
	len = strnlen(prefix, sizeof(prefix) - 3);
	memcpy(err->text, prefix, len);
	memcpy(err->text + len, ": ", 3);
	strncat(err->text, rest, sizeof(err->text) - len - 3);
}
