/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/core/text/duration.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct unit {
	const char *name;
	int64_t ns;
} units[] = {
	{ "ns", 1 },
	{ "us", 1000 },
	{ "\xc2\xb5s", 1000 },
	{ "\xce\xbcs", 1000 },
	{ "ms", NSEC_PER_MSEC },
	{ "s", NSEC_PER_SEC },
	{ "m", 60 * NSEC_PER_SEC },
	{ "h", 3600 * NSEC_PER_SEC },
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Returns false when the number does not fit.  Skips the digits in any case. */
static bool read_whole(const char **text, uint64_t *ret_value)
{
	bool fits = true;
	uint64_t value = 0;

	for (; is_digit(**text); (*text)++) {
		fits = fits && !__builtin_mul_overflow(value, 10, &value) &&
		       !__builtin_add_overflow(value, (uint64_t)(**text - '0'), &value);
	}
	*ret_value = value;
	return fits;
}

/* The digits behind the point, in units of `unit` nanoseconds; what is below a nanosecond is dropped. */
static uint64_t fraction_ns(const char *digits, size_t nr, int64_t unit)
{
	double value = 0, scale = (double)unit;

	for (size_t i = 0; i < nr; i++) {
		scale /= 10;
		value += scale * (digits[i] - '0');
	}
	/* Sums of tenths fall short of a whole by a rounding error. */
	return (uint64_t)(value + 1e-3);
}

static const struct unit *read_unit(const char **text)
{
	size_t len = strcspn(*text, ".0123456789");

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strlen(units[i].name) == len && memcmp(units[i].name, *text, len) == 0) {
			*text += len;
			return &units[i];
		}
	}
	return NULL;
}

static int read_part(const char **text, uint64_t *total)
{
	const char *start = *text, *fraction;
	const struct unit *unit;
	uint64_t whole, ns;
	bool fits = read_whole(text, &whole);
	size_t whole_nr = (size_t)(*text - start), fraction_nr = 0;

	fraction = *text + 1;
	if (**text == '.') {
		fraction_nr = strspn(fraction, "0123456789");
		*text = fraction + fraction_nr;
	}
	if (!whole_nr && !fraction_nr)
		return -EINVAL;
	unit = read_unit(text);
	if (!unit)
		return -EINVAL;
	if (!fits || __builtin_mul_overflow(whole, (uint64_t)unit->ns, &ns) ||
	    __builtin_add_overflow(ns, fraction_ns(fraction, fraction_nr, unit->ns), &ns) ||
	    __builtin_add_overflow(*total, ns, total))
		return -ERANGE;
	return 0;
}

static int read_all(const char *text, uint64_t *ret_total)
{
	uint64_t total = 0;
	bool range = false;

	*ret_total = 0;
	/* A bare "0" needs no unit, but only when it stands alone. */
	if (strcmp(text, "0") == 0)
		return 0;
	if (!*text)
		return -EINVAL;
	while (*text) {
		int r = read_part(&text, &total);

		if (r == -EINVAL)
			return r;
		range = range || r == -ERANGE;
	}
	*ret_total = total;
	return range || total > INT64_MAX ? -ERANGE : 0;
}

int duration_parse(const char *text, int64_t *ret_ns, struct err *err)
{
	uint64_t total = 0;
	int r = read_all(text + (*text == '-' || *text == '+'), &total);

	if (r == -ERANGE)
		return err_set(err, r, "\"%.64s\" is longer than 292 years", text);
	if (r < 0)
		return err_set(err, r, "\"%.64s\" is not a duration such as 15s", text);
	*ret_ns = *text == '-' ? -(int64_t)total : (int64_t)total;
	return 0;
}

/* "1.5" of 1500 with `unit` 1000: no trailing zeros. */
static int format_fraction(char *text, uint64_t value, uint64_t unit, const char *name)
{
	char digits[16] = "";
	int nr = 0;

	for (uint64_t rest = value % unit, scale = unit / 10; rest; rest %= scale, scale /= 10) {
		digits[nr++] = (char)('0' + rest / scale);
		if (scale == 1)
			break;
	}
	return snprintf(text, 48, "%llu%s%.*s%s", (unsigned long long)(value / unit), nr ? "." : "",
			nr, digits, name);
}

void duration_format(int64_t ns, char ret_text[DURATION_TEXT_MAX])
{
	uint64_t value = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
	uint64_t minutes = value / (60 * NSEC_PER_SEC);
	char *text = ret_text;

	if (ns < 0)
		*text++ = '-';
	if (value == 0)
		memcpy(text, "0s", sizeof("0s"));
	else if (value < 1000)
		format_fraction(text, value, 1, "ns");
	else if (value < 1000000)
		format_fraction(text, value, 1000, "\xc2\xb5s");
	else if (value < NSEC_PER_SEC)
		format_fraction(text, value, NSEC_PER_MSEC, "ms");
	else {
		if (minutes >= 60)
			text += snprintf(text, 12, "%uh", (unsigned)(minutes / 60));
		if (minutes)
			text += snprintf(text, 4, "%um", (unsigned)(minutes % 60));
		format_fraction(text, value % (60 * NSEC_PER_SEC), NSEC_PER_SEC, "s");
	}
}
