/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/symbol/demangle.h"

#include <ctype.h>
#include <setjmp.h>
#include <string.h>

/* The library declares other functions under the names of lib/core/base.h; those used here call none of them. */
#define xmalloc libiberty_xmalloc
#define xcalloc libiberty_xcalloc
#define xrealloc libiberty_xrealloc
#define xstrdup libiberty_xstrdup
#define xasprintf libiberty_xasprintf
#include <libiberty/demangle.h>
#undef xmalloc
#undef xcalloc
#undef xrealloc
#undef xstrdup
#undef xasprintf

#include "lib/core/text/utf8.h"

/* Back references double what they repeat.  Where the demangler cannot be left half-way, no more than this. */
#define BACK_REFERENCES 8

struct output {
	jmp_buf full;
	bool rust;
	bool may_leave; /* the demangler holds no memory: leave it when the buffer is full */
	bool overflow;
	size_t len;
	char text[DEMANGLE_OUTPUT];
};

static void append(const char *text, size_t len, void *ctx)
{
	struct output *output = ctx;

	if (len < sizeof(output->text) - output->len) {
		memcpy(output->text + output->len, text, len);
		output->len += len;
		return;
	}
	output->overflow = true;
	if (output->may_leave)
		longjmp(output->full, 1);
}

/* Rust's identifiers in punycode ("u" and a length) are decoded on the heap. */
static bool may_allocate(const char *symbol)
{
	for (const char *at = symbol; *at; at++)
		if (at[0] == 'u' && isdigit((unsigned char)at[1]))
			return true;
	return false;
}

static bool is_rust(const char *symbol, size_t len)
{
	static const char hash[] = "17h0123456789abcdefE";
	size_t tail = sizeof(hash) - 1;

	if (strncmp(symbol, "_R", 2) == 0)
		return true;
	for (const char *at = symbol; (at = strstr(at, "17h")) != NULL; at++)
		if ((size_t)(symbol + len - at) >= tail && at[tail - 1] == 'E')
			return true;
	return false;
}

static bool run(const char *symbol, struct output *output)
{
	output->len = 0;
	output->overflow = false;
	if (setjmp(output->full))
		return false;
	if (output->rust)
		return rust_demangle_callback(symbol, 0, append, output) && !output->overflow;
	return cplus_demangle_v3_callback(symbol, DMGL_ANSI, append, output) && !output->overflow;
}

static bool demangle_rust(const char *symbol, struct output *output)
{
	size_t references = 0;

	output->rust = true;
	output->may_leave = !may_allocate(symbol);
	for (const char *at = symbol; !output->may_leave && *at; at++)
		references += *at == 'B';
	return references <= BACK_REFERENCES && run(symbol, output);
}

static bool demangle_cplus(const char *symbol, struct output *output)
{
	output->may_leave = true;
	output->rust = false;
	return run(symbol, output);
}

size_t demangle(const char *symbol, char out[DEMANGLE_OUTPUT])
{
	size_t len = strlen(symbol);
	struct output output;

	if (len <= DEMANGLE_INPUT && symbol[0] == '_' && (symbol[1] == 'Z' || symbol[1] == 'R') &&
	    ((is_rust(symbol, len) && demangle_rust(symbol, &output)) ||
	     (symbol[1] == 'Z' && demangle_cplus(symbol, &output))) &&
	    output.len > 0)
		return utf8_clean(output.text, output.len, out, DEMANGLE_OUTPUT);
	return utf8_clean(symbol, len, out, DEMANGLE_OUTPUT);
}
