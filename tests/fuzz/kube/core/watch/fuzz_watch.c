/* SPDX-License-Identifier: Apache-2.0 */

/* A server's answers, one after the other, to whoever follows a resource: from the bytes to the objects that are known.
 *
 * The input: how long the pieces are (one byte), then answers with a byte 0 between them.  An answer begins with how
 * it came: one of the letters of `answers`, or else as a good one.  What is known in the end does not depend on where
 * the pieces were cut, and the state machine always waits or has asked. */

#include <assert.h>
#include <string.h>

#include "kube/core/watch/json_lines.h"
#include "kube/core/watch/list_split.h"
#include "kube/core/watch/watch_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ANSWERS_MAX 64
#define KNOWN_MAX 256
#define INPUT_MAX_BYTES 4096
#define LINE_MAX_BYTES 512

static const struct watch_kind kind = { .name = "Thing", .api_version = "example.com/v1" };

struct follower {
	struct watch_state state;
	int64_t now_ns;
	struct json_lines lines;
	struct list_split split;
	struct watch_read page;
	uint64_t known[KNOWN_MAX], seen[KNOWN_MAX]; /* hashes of names */
	size_t known_nr, seen_nr;
	bool syncing, cut_off; /* the answer is not read any further */
	uint64_t trace;
};

static uint64_t mix(uint64_t sum, uint64_t value)
{
	return (sum ^ value) * 0x100000001b3ULL;
}

/* --- what is known --- */

static uint64_t name_of(const json_t *object)
{
	const json_t *metadata = json_object_get(object, "metadata");
	const char *part[] = { json_string_value(json_object_get(metadata, "namespace")),
			       json_string_value(json_object_get(metadata, "name")) };
	uint64_t sum = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < ARRAY_SIZE(part); i++)
		for (const char *c = part[i]; c && *c; c++)
			sum = mix(sum, (unsigned char)*c + 256 * i);
	return sum;
}

static size_t find(const uint64_t *set, size_t nr, uint64_t name)
{
	size_t i = 0;

	while (i < nr && set[i] != name)
		i++;
	return i;
}

static void add(uint64_t *set, size_t *nr, uint64_t name)
{
	if (find(set, *nr, name) == *nr && *nr < KNOWN_MAX)
		set[(*nr)++] = name;
}

static void put(struct follower *f, const json_t *json)
{
	add(f->known, &f->known_nr, name_of(json));
	if (f->syncing)
		add(f->seen, &f->seen_nr, name_of(json));
	f->trace = mix(f->trace, json_object_size(json));
}

static void forget(struct follower *f, const json_t *json)
{
	size_t at = find(f->known, f->known_nr, name_of(json));

	if (at < f->known_nr)
		f->known[at] = f->known[--f->known_nr];
}

/* --- the state machine --- */

static void step(struct follower *f, const struct watch_event *event, const json_t *object)
{
	struct watch_do todo = watch_step(&f->state, event, f->now_ns, 42);

	assert(!todo.commit || f->syncing);
	assert(!todo.ask || !todo.wait_ns);
	assert(!(todo.put || todo.remove) || object);
	if (todo.put)
		put(f, object);
	if (todo.remove)
		forget(f, object);
	if (todo.commit) {
		memcpy(f->known, f->seen, sizeof(f->seen));
		f->known_nr = f->seen_nr;
		f->syncing = false;
	}
	if (todo.begin) {
		f->syncing = true;
		f->seen_nr = 0;
	}
	f->cut_off |= todo.cancel || todo.ask || todo.wait_ns;
	f->now_ns += NSEC_PER_MSEC + todo.wait_ns;
	f->trace = mix(f->trace, (uint64_t)todo.ask + 16 * f->known_nr + 4096 * todo.commit);
	f->trace = mix(f->trace, (uint64_t)todo.wait_ns);
}

static void end(struct follower *f, struct watch_event event)
{
	if (!f->cut_off)
		step(f, &event, NULL);
	/* One request is under way, or time is waited for. */
	assert(f->cut_off);
}

static void fail(struct follower *f)
{
	end(f, (struct watch_event){ .type = WATCH_FAILED });
}

/* --- a good answer --- */

static void read_lines(struct follower *f)
{
	const char *line;
	size_t len;

	while (!f->cut_off && json_lines_next(&f->lines, &line, &len)) {
		struct watch_read read = { 0 };

		if ((line ? watch_read_line(line, len, &kind, &read, NULL)
			  : watch_read_passed(&f->lines.scan, LINE_MAX_BYTES, &kind, &read, NULL)) <
		    0)
			fail(f);
		else
			step(f, &read.event, read.object);
		watch_read_release(&read);
	}
}

/* Returns false when nothing whole is left. */
static bool read_part(struct follower *f)
{
	struct watch_read read = { 0 };
	enum list_part part = LIST_MORE;
	const char *text;
	size_t len;
	int r = list_split_next(&f->split, &part, &text, &len, NULL);

	if (r == 0 && part == LIST_METADATA) {
		watch_read_release(&f->page);
		r = watch_read_metadata(text, len, &f->page, NULL);
	} else if (r == 0 && (part == LIST_ITEM || part == LIST_TOO_LONG)) {
		r = part == LIST_ITEM
			    ? watch_read_item(text, len, &kind, &read, NULL)
			    : watch_read_passed(&f->split.scan, LINE_MAX_BYTES, &kind, &read, NULL);
		if (r == 0)
			step(f, &read.event, read.object);
		watch_read_release(&read);
	}
	if (r < 0)
		fail(f);
	return !f->cut_off && (part == LIST_ITEM || part == LIST_TOO_LONG || part == LIST_METADATA);
}

static bool is_stream(const struct follower *f)
{
	return f->state.now == WATCH_ASK_STREAM || f->state.now == WATCH_ASK_WATCH;
}

static void take(struct follower *f, const char *data, size_t len)
{
	if (!is_stream(f)) {
		list_split_feed(&f->split, data, len);
		while (read_part(f))
			;
	} else {
		json_lines_feed(&f->lines, data, len);
		read_lines(f);
	}
}

static void take_whole(struct follower *f, const char *data, size_t len, size_t piece)
{
	bool stream = is_stream(f);
	enum list_part part = LIST_MORE;
	const char *text;
	size_t n;

	for (size_t at = 0; !f->cut_off && at < len; at += piece)
		take(f, data + at, MIN(piece, len - at));
	if (f->cut_off)
		return;
	if (stream)
		end(f, (struct watch_event){ .type = WATCH_ENDED });
	else if (list_split_next(&f->split, &part, &text, &n, NULL) == 0 && part == LIST_END &&
		 f->page.event.resource_version)
		end(f, f->page.event);
	else
		fail(f);
}

/* --- answers --- */

/* Ask, if time was waited for. */
static void ask(struct follower *f)
{
	char query[WATCH_QUERY_MAX];

	if (f->state.now == WATCH_ASK_NOTHING)
		step(f, &(struct watch_event){ .type = WATCH_START }, NULL);
	assert(f->state.now != WATCH_ASK_NOTHING);
	watch_query(&f->state, query);
	assert(strlen(query) < sizeof(query));
	json_lines_reset(&f->lines);
	list_split_reset(&f->split);
	watch_read_release(&f->page);
	f->cut_off = false;
}

static void answer(struct follower *f, const char *data, size_t len, size_t piece)
{
	static const struct {
		char how;
		struct watch_event event;
		int code;
	} answers[] = {
		{ 'b', { .type = WATCH_FAILED }, 0 },
		{ 'c', { .type = WATCH_FAILED, .failure = WATCH_FAIL_CONNECT }, 0 },
		{ 's', { .type = WATCH_FAILED, .failure = WATCH_FAIL_TLS }, 0 },
		{ 'd', { .type = WATCH_DEADLINE }, 0 },
		{ 'u', { .type = WATCH_REFUSED_HTTP }, 401 },
		{ 'f', { .type = WATCH_REFUSED_HTTP }, 403 },
		{ 'n', { .type = WATCH_REFUSED_HTTP }, 404 },
		{ 'g', { .type = WATCH_REFUSED_HTTP }, 410 },
		{ 't', { .type = WATCH_REFUSED_HTTP }, 429 },
		{ 'x', { .type = WATCH_REFUSED_HTTP }, 500 },
		{ 'y', { .type = WATCH_REFUSED_HTTP }, 504 },
	};

	ask(f);
	for (size_t i = 0; len && i < ARRAY_SIZE(answers); i++) {
		struct watch_event event = answers[i].event;

		if (data[0] != answers[i].how)
			continue;
		if (answers[i].code)
			event.status = watch_read_status(answers[i].code, data + 1, len - 1);
		end(f, event);
		return;
	}
	take_whole(f, data, len, piece);
}

static uint64_t follow(const char *data, size_t size, size_t piece)
{
	struct follower f = { .now_ns = NSEC_PER_SEC };
	uint64_t trace;

	watch_init(&f.state);
	json_lines_init(&f.lines, LINE_MAX_BYTES);
	list_split_init(&f.split, LINE_MAX_BYTES);
	for (int i = 0; i < ANSWERS_MAX && size; i++) {
		const char *zero = memchr(data, 0, size);
		size_t len = zero ? (size_t)(zero - data) : size;

		answer(&f, data, len, piece);
		len += zero != NULL;
		data += len;
		size -= len;
	}
	trace = f.trace;
	for (size_t i = 0; i < f.known_nr; i++)
		trace = mix(trace, f.known[i]);
	watch_read_release(&f.page);
	json_lines_release(&f.lines);
	list_split_release(&f.split);
	return trace;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size || size > INPUT_MAX_BYTES)
		return 0;
	assert(follow((const char *)data + 1, size - 1, 1 + data[0]) ==
	       follow((const char *)data + 1, size - 1, size));
	return 0;
}
