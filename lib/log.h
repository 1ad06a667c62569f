/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_LOG_H
#define LIB_LOG_H

/* Structured log lines on stderr: one event, typed fields, one write(2).
 *
 *	log_warn("plan refused", LOG_STR("node", node), LOG_INT("rate_hz", hz), LOG_ERR(&err));
 *
 * text	2026-01-31T12:00:00.123Z WARN  plan refused node=worker-1 rate_hz=500 err="spec: ..."
 * json	{"ts":"2026-01-31T12:00:00.123Z","level":"warn","msg":"plan refused","node":"worker-1",...}
 *
 * The message is a constant; what varies is a field.  Values may be hostile: control characters and bytes
 * that are not UTF-8 are escaped, so that nobody can forge a line or drive a terminal.  A line is cut at
 * LOG_LINE_MAX.  Only shells log (tests/check-layers.sh); the settings are the process's, made once
 * by main().
 */

#include "lib/core/base.h"
#include "lib/core/err.h"

#define LOG_LINE_MAX 8192

enum log_level {
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_INFO,
	LOG_LEVEL_WARN,
	LOG_LEVEL_ERROR,
};

enum log_format {
	LOG_FORMAT_AUTO, /* text on a terminal, else JSON */
	LOG_FORMAT_TEXT,
	LOG_FORMAT_JSON,
};

enum log_field_type {
	LOG_FIELD_STR,
	LOG_FIELD_INT,
	LOG_FIELD_UINT,
	LOG_FIELD_REAL,
	LOG_FIELD_BOOL
};

struct log_field {
	const char *key; /* a constant: [a-z0-9_]+ */
	enum log_field_type type;
	union {
		const char *str; /* NULL is written as "" */
		int64_t i;
		uint64_t u;
		double real;
		bool b;
	};
};

#define LOG_STR(k, v) ((struct log_field){ .key = (k), .type = LOG_FIELD_STR, .str = (v) })
#define LOG_INT(k, v) ((struct log_field){ .key = (k), .type = LOG_FIELD_INT, .i = (v) })
#define LOG_UINT(k, v) ((struct log_field){ .key = (k), .type = LOG_FIELD_UINT, .u = (v) })
#define LOG_REAL(k, v) ((struct log_field){ .key = (k), .type = LOG_FIELD_REAL, .real = (v) })
#define LOG_BOOL(k, v) ((struct log_field){ .key = (k), .type = LOG_FIELD_BOOL, .b = (v) })
#define LOG_ERR(e) LOG_STR("err", (e)->text)

/* The default is info, auto. */
void log_setup(enum log_level level, enum log_format format);
bool log_enabled(enum log_level level);

/* "debug", "info", "warn", "error" and "auto", "text", "json": for options.  NULL-terminated, in the
 * order of the enums. */
extern const char *const log_level_names[];
extern const char *const log_format_names[];

void log_write(enum log_level level, const char *message, const struct log_field *field, size_t nr);

/* Write one line without its newline into `buf` (LOG_LINE_MAX bytes or fewer); returns its length.
 * For tests; log_write() is this and a write(2). */
size_t log_format_line(char *buf, size_t size, bool json, int64_t wall_ns, enum log_level level,
		       const char *message, const struct log_field *field, size_t nr);

#define log_at(level, message, ...)                                                                \
	do {                                                                                       \
		const struct log_field log_fields_[] = { { .key = NULL }, ##__VA_ARGS__ };         \
		if (log_enabled(level))                                                            \
			log_write(level, message, log_fields_ + 1, ARRAY_SIZE(log_fields_) - 1);   \
	} while (0)
#define log_debug(...) log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...) log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warn(...) log_at(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_error(...) log_at(LOG_LEVEL_ERROR, __VA_ARGS__)

#endif
