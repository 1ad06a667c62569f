/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/core/text/yaml_scalar.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static bool is_one_of(const char *text, const char *const *word)
{
	for (; *word; word++)
		if (strcmp(text, *word) == 0)
			return true;
	return false;
}

static bool is_null(const char *text)
{
	return is_one_of(text, (const char *const[]){ "", "~", "null", "Null", "NULL", NULL });
}

static bool is_true(const char *text)
{
	return is_one_of(text, (const char *const[]){ "true", "True", "TRUE", "yes", "Yes", "YES",
						      "on", "On", "ON", NULL });
}

static bool is_false(const char *text)
{
	return is_one_of(text, (const char *const[]){ "false", "False", "FALSE", "no", "No", "NO",
						      "off", "Off", "OFF", NULL });
}

static bool is_not_json(const char *text)
{
	if (*text == '+' || *text == '-')
		text++;
	return is_one_of(text, (const char *const[]){ ".inf", ".Inf", ".INF", ".nan", ".NaN",
						      ".NAN", NULL });
}

/* Skips the sign, "0x", "0o", "0b" or "0"; returns the base. */
static int int_base(const char **digits)
{
	const char *text = *digits;

	if (text[0] != '0' || !text[1])
		return 10;
	*digits = text + 2;
	if (text[1] == 'x' || text[1] == 'X')
		return 16;
	if (text[1] == 'o' || text[1] == 'O')
		return 8;
	if (text[1] == 'b' || text[1] == 'B')
		return 2;
	*digits = text + 1;
	return 8;
}

static bool is_digits(const char *text, int base)
{
	static const char digits[] = "0123456789abcdefABCDEF";
	char accepted[sizeof(digits)];
	size_t nr = base == 16 ? sizeof(digits) - 1 : (size_t)base;

	memcpy(accepted, digits, nr);
	accepted[nr] = '\0';
	return *text && text[strspn(text, accepted)] == '\0';
}

/* `text` is without underscores. */
static bool read_int(const char *text, int64_t *ret_value)
{
	bool negative = *text == '-';
	const char *digits = text + (*text == '-' || *text == '+');
	int base = int_base(&digits);
	uint64_t magnitude;
	char *end;

	if (!is_digits(digits, base))
		return false;
	errno = 0;
	magnitude = strtoull(digits, &end, base);
	if (errno || *end || magnitude > (uint64_t)INT64_MAX + negative)
		return false;
	*ret_value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
	return true;
}

/* [-+]? (digits [. digits?] | . digits) ([eE] [-+]? digits)? */
static bool is_real(const char *text)
{
	size_t whole, fraction = 0;

	text += *text == '-' || *text == '+';
	whole = strspn(text, "0123456789");
	text += whole;
	if (*text == '.') {
		fraction = strspn(++text, "0123456789");
		text += fraction;
	}
	if (!whole && !fraction)
		return false;
	if (*text == 'e' || *text == 'E') {
		text++;
		text += *text == '-' || *text == '+';
		return *text && text[strspn(text, "0123456789")] == '\0';
	}
	return *text == '\0';
}

static char *without_underscores(const char *text)
{
	char *copy = xstrdup(text);
	char *to = copy;

	for (const char *from = text; *from; from++)
		if (*from != '_')
			*to++ = *from;
	*to = '\0';
	return copy;
}

static json_t *resolve_number(const char *text, size_t len)
{
	cleanup(freep) char *plain = without_underscores(text);
	int64_t value;

	if (read_int(plain, &value))
		return json_must(json_integer(value));
	if (is_real(plain)) {
		double real = strtod(plain, NULL);

		return isfinite(real) ? json_must(json_real(real)) : NULL;
	}
	return json_must(json_stringn(text, len));
}

json_t *yaml_scalar_resolve(const char *text, size_t len)
{
	if (is_null(text))
		return json_null();
	if (is_true(text))
		return json_true();
	if (is_false(text))
		return json_false();
	if (is_not_json(text))
		return NULL;
	if (strchr("0123456789+-.", text[0]))
		return resolve_number(text, len);
	return json_must(json_stringn(text, len));
}
