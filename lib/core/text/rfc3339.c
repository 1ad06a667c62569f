/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/core/text/rfc3339.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define YEAR_0_S (-62167219200LL)  /* 0000-01-01T00:00:00Z */
#define YEAR_9999_S 253402300799LL /* 9999-12-31T23:59:59Z */

void rfc3339_format(int64_t wall_s, char ret_text[RFC3339_MAX])
{
	time_t t = MAX(YEAR_0_S, MIN(YEAR_9999_S, wall_s));
	struct tm tm;

	gmtime_r(&t, &tm);
	if (strftime(ret_text, RFC3339_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		ret_text[0] = '\0';
	/* glibc writes the year without leading zeros. */
	if (tm.tm_year + 1900 < 1000)
		snprintf(ret_text, RFC3339_MAX, "%04u-%02u-%02uT%02u:%02u:%02uZ",
			 (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)(tm.tm_mon + 1) % 100,
			 (unsigned)tm.tm_mday % 100, (unsigned)tm.tm_hour % 100,
			 (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
}

static int parse_zone(const char *text, int64_t *ret_offset_s)
{
	unsigned int hours, minutes;
	int end = 0;

	if (strcmp(text, "Z") == 0 || strcmp(text, "z") == 0) {
		*ret_offset_s = 0;
		return 0;
	}
	if ((text[0] != '+' && text[0] != '-') || text[1] < '0' || text[1] > '9')
		return -EINVAL;
	if (sscanf(text + 1, "%2u:%2u%n", &hours, &minutes, &end) != 2 || text[1 + end])
		return -EINVAL;
	if (hours > 23 || minutes > 59)
		return -EINVAL;
	*ret_offset_s = (int64_t)(hours * 3600 + minutes * 60) * (text[0] == '-' ? -1 : 1);
	return 0;
}

int rfc3339_parse(const char *text, int64_t *ret_wall_s)
{
	struct tm tm = { 0 };
	const char *end;
	int64_t offset_s;
	int r;

	if (strnlen(text, 64) >= 64)
		return -EINVAL;
	end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (!end)
		return -EINVAL;
	if (*end == '.')
		end += 1 + strspn(end + 1, "0123456789");
	r = parse_zone(end, &offset_s);
	if (r < 0)
		return r;
	*ret_wall_s = timegm(&tm) - offset_s;
	return 0;
}
