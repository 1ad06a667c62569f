/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/observe/metrics.h"

#include "lib/core/text/utf8.h"

#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum type { TYPE_COUNTER, TYPE_GAUGE, TYPE_HISTOGRAM };

static const char *const type_names[] = { "counter", "gauge", "histogram" };

struct metric {
	char *labels; /* as rendered, without braces; the identity within the family */
	enum type type;
	double value;	     /* of a histogram: the sum */
	uint64_t *bucket;    /* not cumulative; the last is +Inf */
	const double *bound; /* the family's */
	size_t bound_nr;
};

struct family {
	char *name;
	char *help;
	enum type type;
	double *bound;
	size_t bound_nr;
	struct metric **series;
	size_t series_nr;
};

struct collector {
	void (*collect)(void *ctx);
	void *ctx;
};

struct metrics {
	struct family **family;
	size_t family_nr;
	struct collector *collector;
	size_t collector_nr;
};

struct text {
	char *buf;
	size_t len, size;
};

static void put(struct text *text, const char *part, size_t len)
{
	if (text->len + len + 1 > text->size) {
		text->size = MAX(2 * text->size, text->len + len + 256);
		text->buf = xrealloc(text->buf, text->size, 1);
	}
	memcpy(text->buf + text->len, part, len);
	text->len += len;
	text->buf[text->len] = '\0';
}

static void put_all(struct text *text, const char *part)
{
	put(text, part, strlen(part));
}

/* Backslash, newline and, in label values, the quote; what is not UTF-8 becomes a question mark. */
static void put_escaped(struct text *text, const char *value, bool quote)
{
	size_t len = strlen(value);
	uint32_t code;

	for (size_t i = 0; i < len;) {
		size_t nr = utf8_char(value + i, len - i, &code);

		if (!nr)
			put_all(text, "?");
		else if (code == '\n')
			put_all(text, "\\n");
		else if (code == '\\' || (quote && code == '"'))
			put(text, (const char[]){ '\\', value[i] }, 2);
		else
			put(text, value + i, nr);
		i += nr ? nr : 1;
	}
}

static void put_number(struct text *text, double value)
{
	char number[40];

	if (isnan(value))
		return put_all(text, "NaN");
	if (isinf(value))
		return put_all(text, value > 0 ? "+Inf" : "-Inf");
	snprintf(number, sizeof(number), "%.15g", value);
	if (strtod(number, NULL) != value)
		snprintf(number, sizeof(number), "%.17g", value);
	put_all(text, number);
}

static char *render_labels(const struct metric_labels *labels, bool other)
{
	struct text text = { 0 };

	put(&text, "", 0);
	for (size_t i = 0; i < 2UL * METRIC_LABELS_MAX && labels->pair[i]; i += 2) {
		assert(i + 1 < 2UL * METRIC_LABELS_MAX && labels->pair[i + 1]);
		if (i)
			put_all(&text, ",");
		put_all(&text, labels->pair[i]);
		put_all(&text, "=\"");
		put_escaped(&text, other ? "other" : labels->pair[i + 1], true);
		put_all(&text, "\"");
	}
	return text.buf;
}

static bool name_is_valid(const char *name, enum type type)
{
	size_t len = strlen(name);

	if (!isalpha((unsigned char)name[0]) ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != len)
		return false;
	return (type == TYPE_COUNTER) == (len > 6 && strcmp(name + len - 6, "_total") == 0);
}

static struct family *find_family(const struct metrics *m, const char *name)
{
	for (size_t i = 0; i < m->family_nr; i++)
		if (strcmp(m->family[i]->name, name) == 0)
			return m->family[i];
	return NULL;
}

static struct family *add_family(struct metrics *m, const char *name, const char *help,
				 enum type type)
{
	struct family *family = xcalloc(1, sizeof(*family));

	assert(name_is_valid(name, type));
	family->name = xstrdup(name);
	family->help = xstrdup(help);
	family->type = type;
	GROW(m->family, m->family_nr);
	m->family[m->family_nr++] = family;
	return family;
}

static struct metric *find_series(const struct family *family, const char *labels)
{
	for (size_t i = 0; i < family->series_nr; i++)
		if (strcmp(family->series[i]->labels, labels) == 0)
			return family->series[i];
	return NULL;
}

static struct metric *add_series(struct family *family, char *labels)
{
	struct metric *metric = xcalloc(1, sizeof(*metric));

	metric->labels = labels;
	metric->type = family->type;
	metric->bound = family->bound;
	metric->bound_nr = family->bound_nr;
	if (family->type == TYPE_HISTOGRAM)
		metric->bucket = xcalloc(family->bound_nr + 1, sizeof(*metric->bucket));
	GROW(family->series, family->series_nr);
	family->series[family->series_nr++] = metric;
	return metric;
}

static struct metric *get_series(struct family *family, const struct metric_labels *labels)
{
	char *text = render_labels(labels, false);
	struct metric *metric = find_series(family, text);

	if (!metric && family->series_nr >= METRIC_SERIES_MAX - 1) {
		free(text);
		text = render_labels(labels, true);
		metric = find_series(family, text);
	}
	if (!metric)
		return add_series(family, text);
	free(text);
	return metric;
}

static struct metric *get(struct metrics *m, const char *name, const char *help, enum type type,
			  const struct metric_labels *labels)
{
	static struct metric nowhere;
	struct family *family;

	if (!m)
		return &nowhere;
	family = find_family(m, name);
	if (!family)
		family = add_family(m, name, help, type);
	assert(family->type == type);
	return get_series(family, labels);
}

struct metric *metrics_counter(struct metrics *m, const char *name, const char *help,
			       struct metric_labels labels)
{
	return get(m, name, help, TYPE_COUNTER, &labels);
}

struct metric *metrics_gauge(struct metrics *m, const char *name, const char *help,
			     struct metric_labels labels)
{
	return get(m, name, help, TYPE_GAUGE, &labels);
}

struct metric *metrics_histogram(struct metrics *m, const char *name, const char *help,
				 struct metric_labels labels, const double *bound, size_t bound_nr)
{
	assert(bound_nr && bound_nr <= METRIC_BUCKETS_MAX);
	if (m && !find_family(m, name)) {
		struct family *family = add_family(m, name, help, TYPE_HISTOGRAM);

		family->bound = xcalloc(bound_nr, sizeof(*bound));
		memcpy(family->bound, bound, bound_nr * sizeof(*bound));
		family->bound_nr = bound_nr;
	}
	return get(m, name, help, TYPE_HISTOGRAM, &labels);
}

void metric_add(struct metric *metric, double by)
{
	assert(metric->type != TYPE_COUNTER || by >= 0);
	metric->value += by;
}

void metrics_count(struct metrics *m, const char *name, const char *help, const char *key,
		   const char *value)
{
	metric_add(metrics_counter(m, name, help, METRIC_LABELS(key, value)), 1);
}

void metric_set(struct metric *metric, double value)
{
	metric->value = value;
}

void metric_observe(struct metric *metric, double value)
{
	size_t i = 0;

	if (!metric->bucket)
		return;
	while (i < metric->bound_nr && value > metric->bound[i])
		i++;
	metric->bucket[i]++;
	metric->value += value;
}

double metric_get(const struct metric *metric)
{
	return metric->value;
}

static void series_free(struct metric *metric)
{
	free(metric->labels);
	free(metric->bucket);
	free(metric);
}

void metrics_drop(struct metrics *m, const char *name, struct metric_labels labels)
{
	struct family *family = m ? find_family(m, name) : NULL;
	cleanup(freep) char *text = NULL;

	if (!family)
		return;
	text = render_labels(&labels, false);
	for (size_t i = 0; i < family->series_nr; i++) {
		if (strcmp(family->series[i]->labels, text) != 0)
			continue;
		series_free(family->series[i]);
		memmove(&family->series[i], &family->series[i + 1],
			(--family->series_nr - i) * sizeof(family->series[0]));
		return;
	}
}

void metrics_on_scrape(struct metrics *m, void (*collect)(void *ctx), void *ctx)
{
	GROW(m->collector, m->collector_nr);
	m->collector[m->collector_nr++] = (struct collector){ collect, ctx };
}

static void put_series(struct text *text, const char *name, const char *suffix, const char *labels,
		       double value)
{
	put_all(text, name);
	put_all(text, suffix);
	if (*labels) {
		put_all(text, "{");
		put_all(text, labels);
		put_all(text, "}");
	}
	put_all(text, " ");
	put_number(text, value);
	put_all(text, "\n");
}

static void put_histogram(struct text *text, const char *name, const struct metric *metric)
{
	uint64_t total = 0;

	for (size_t i = 0; i <= metric->bound_nr; i++) {
		struct text labels = { 0 };

		total += metric->bucket[i];
		put_all(&labels, metric->labels);
		put_all(&labels, *metric->labels ? ",le=\"" : "le=\"");
		put_number(&labels, i < metric->bound_nr ? metric->bound[i] : (double)INFINITY);
		put_all(&labels, "\"");
		put_series(text, name, "_bucket", labels.buf, (double)total);
		free(labels.buf);
	}
	put_series(text, name, "_sum", metric->labels, metric->value);
	put_series(text, name, "_count", metric->labels, (double)total);
}

static void put_family(struct text *text, const struct family *family)
{
	if (!family->series_nr)
		return;
	put_all(text, "# HELP ");
	put_all(text, family->name);
	put_all(text, " ");
	put_escaped(text, family->help, false);
	put_all(text, "\n# TYPE ");
	put_all(text, family->name);
	put_all(text, " ");
	put_all(text, type_names[family->type]);
	put_all(text, "\n");
	for (size_t i = 0; i < family->series_nr; i++) {
		if (family->type == TYPE_HISTOGRAM)
			put_histogram(text, family->name, family->series[i]);
		else
			put_series(text, family->name, "", family->series[i]->labels,
				   family->series[i]->value);
	}
}

char *metrics_render(struct metrics *m, size_t *ret_len)
{
	struct text text = { 0 };

	for (size_t i = 0; i < m->collector_nr; i++)
		m->collector[i].collect(m->collector[i].ctx);
	put(&text, "", 0);
	for (size_t i = 0; i < m->family_nr; i++)
		put_family(&text, m->family[i]);
	if (ret_len)
		*ret_len = text.len;
	return text.buf;
}

struct metrics *metrics_new(void)
{
	return xcalloc(1, sizeof(struct metrics));
}

static void family_free(struct family *family)
{
	for (size_t i = 0; i < family->series_nr; i++)
		series_free(family->series[i]);
	free(family->series);
	free(family->bound);
	free(family->name);
	free(family->help);
	free(family);
}

void metrics_free(struct metrics *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->family_nr; i++)
		family_free(m->family[i]);
	free(m->family);
	free(m->collector);
	free(m);
}
