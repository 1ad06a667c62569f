/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/log.h"

#include "lib/core/text/utf8.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define VALUE_MAX 3000 /* bytes of one string value; the rest is cut */

const char *const log_level_names[] = { "debug", "info", "warn", "error", NULL };
const char *const log_format_names[] = { "auto", "text", "json", NULL };

/* The process has one stderr; these say how main() wants it used. */
static enum log_level level_min = LOG_LEVEL_INFO;
static bool as_json;
static bool is_set_up;

struct line {
	char *buf;
	size_t size, len;
	bool full; /* something did not fit; what was written last is to be taken back */
};

static void put(struct line *line, const char *text, size_t len)
{
	if (len > line->size - line->len) {
		line->full = true;
		return;
	}
	memcpy(line->buf + line->len, text, len);
	line->len += len;
}

static void put_text(struct line *line, const char *text)
{
	put(line, text, strlen(text));
}

static void put_unsafe(struct line *line, uint32_t code)
{
	char text[8];

	if (code == '\n')
		put_text(line, "\\n");
	else if (code == '\t')
		put_text(line, "\\t");
	else {
		snprintf(text, sizeof(text), "\\u%04x", code & 0xffff);
		put_text(line, text);
	}
}

/* Returns how many bytes of `text` were consumed. */
static size_t put_char(struct line *line, const char *text, size_t len)
{
	char hex[8];
	uint32_t code;
	size_t nr = utf8_char(text, len, &code);

	if (!nr) {
		/* A backslash that is itself escaped: JSON has no notation for a byte. */
		snprintf(hex, sizeof(hex), "\\\\x%02x", (unsigned char)*text);
		put_text(line, hex);
		return 1;
	}
	if (code == '"' || code == '\\')
		put_text(line, "\\");
	if (utf8_is_unsafe(code))
		put_unsafe(line, code);
	else
		put(line, text, nr);
	return nr;
}

static void put_quoted(struct line *line, const char *text)
{
	size_t len = strnlen(text, VALUE_MAX + 1);
	bool cut = len > VALUE_MAX;

	if (cut)
		len = VALUE_MAX;
	put_text(line, "\"");
	for (size_t i = 0; i < len;)
		i += put_char(line, text + i, len - i);
	put_text(line, cut ? "...\"" : "\"");
}

static bool is_bare(const char *text)
{
	size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				  "._-/:@+%");

	return len && len <= VALUE_MAX && !text[len];
}

static void put_real(struct line *line, double real)
{
	char text[32];

	snprintf(text, sizeof(text), "%.9g", real);
	if (isfinite(real))
		put_text(line, text);
	else
		put_quoted(line, text);
}

static void put_value(struct line *line, bool json, const struct log_field *field)
{
	char text[32] = "";

	switch (field->type) {
	case LOG_FIELD_STR:
		if (!json && field->str && is_bare(field->str))
			put_text(line, field->str);
		else
			put_quoted(line, field->str ? field->str : "");
		return;
	case LOG_FIELD_INT:
		snprintf(text, sizeof(text), "%lld", (long long)field->i);
		break;
	case LOG_FIELD_UINT:
		snprintf(text, sizeof(text), "%llu", (unsigned long long)field->u);
		break;
	case LOG_FIELD_REAL:
		put_real(line, field->real);
		return;
	case LOG_FIELD_BOOL:
		snprintf(text, sizeof(text), "%s", field->b ? "true" : "false");
		break;
	}
	put_text(line, text);
}

/* A field is written whole or not at all; after the first that does not fit no other is. */
static void put_field(struct line *line, bool json, const struct log_field *field)
{
	size_t before = line->len;

	if (line->full)
		return;
	put_text(line, json ? ",\"" : " ");
	put_text(line, field->key);
	put_text(line, json ? "\":" : "=");
	put_value(line, json, field);
	if (line->full)
		line->len = before;
}

static void put_time(struct line *line, int64_t wall_ns)
{
	time_t sec = (time_t)(wall_ns / NSEC_PER_SEC);
	char text[64];
	struct tm tm;
	size_t len;

	if (!gmtime_r(&sec, &tm))
		return;
	len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + len, sizeof(text) - len, ".%03dZ",
		 (int)(wall_ns % NSEC_PER_SEC / NSEC_PER_MSEC));
	put_text(line, text);
}

static void put_head(struct line *line, bool json, int64_t wall_ns, enum log_level level,
		     const char *message)
{
	static const char *const labels[] = { " DEBUG ", " INFO  ", " WARN  ", " ERROR " };

	if (!json) {
		put_time(line, wall_ns);
		put_text(line, labels[level]);
		for (size_t i = 0, len = strlen(message); i < len;)
			i += put_char(line, message + i, len - i);
		return;
	}
	put_text(line, "{\"ts\":\"");
	put_time(line, wall_ns);
	put_text(line, "\",\"level\":\"");
	put_text(line, log_level_names[level]);
	put_text(line, "\",\"msg\":");
	put_quoted(line, message);
}

/* NOLINTNEXTLINE(readability-function-size): log_write() plus what a test must fix. */
size_t log_format_line(char *buf, size_t size, bool json, int64_t wall_ns, enum log_level level,
		       const char *message, const struct log_field *field, size_t nr)
{
	static const char json_cut[] = ",\"cut\":true}";
	struct line line = { .buf = buf, .size = size - sizeof(json_cut) };

	put_head(&line, json, wall_ns, level, message);
	for (size_t i = 0; i < nr; i++)
		put_field(&line, json, &field[i]);
	line.size = size;
	if (json)
		put_text(&line, line.full ? json_cut : "}");
	else if (line.full)
		put_text(&line, " cut=true");
	return line.len;
}

void log_setup(enum log_level level, enum log_format format)
{
	level_min = level;
	as_json =
		format == LOG_FORMAT_JSON || (format == LOG_FORMAT_AUTO && !isatty(STDERR_FILENO));
	is_set_up = true;
}

bool log_enabled(enum log_level level)
{
	return level >= level_min;
}

void log_write(enum log_level level, const char *message, const struct log_field *field, size_t nr)
{
	char buf[LOG_LINE_MAX + 1];
	struct timespec now;
	size_t len;

	if (!is_set_up)
		log_setup(level_min, LOG_FORMAT_AUTO);
	clock_gettime(CLOCK_REALTIME, &now);
	len = log_format_line(buf, LOG_LINE_MAX, as_json, now.tv_sec * NSEC_PER_SEC + now.tv_nsec,
			      level, message, field, nr);
	buf[len++] = '\n';
	/* A log that cannot be written has nobody to be told. */
	if (write(STDERR_FILENO, buf, len) < 0)
		return;
}
