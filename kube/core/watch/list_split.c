/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/core/watch/list_split.h"

#include <errno.h>
#include <string.h>

#include "lib/core/text/json_skip.h"

#define ROOM_KEPT (64UL * 1024)

enum state {
	AT_START, /* { of the list */
	AT_KEY,	  /* a member's name, or } */
	IN_KEY,	  /* within it */
	AT_COLON,
	AT_VALUE,    /* the first byte of a member's value */
	IN_VALUE,    /* within an object, array or string */
	IN_WORD,     /* within a number, true, false or null */
	AFTER_VALUE, /* , or } */
	AT_ITEM,     /* the first byte of an item, or ] */
	IN_ITEM,
	AFTER_ITEM, /* , or ] */
	AT_END,
	BROKEN,
};

void list_split_init(struct list_split *split, size_t max)
{
	*split = (struct list_split){ .max = max };
}

void list_split_release(struct list_split *split)
{
	free(split->buf);
	*split = (struct list_split){ .max = split->max };
}

void list_split_reset(struct list_split *split)
{
	*split = (struct list_split){
		.buf = split->buf,
		.room = split->room,
		.max = split->max,
	};
}

/* Is there something at `begin` that must be kept? */
static bool holds(const struct list_split *split)
{
	return split->state == IN_KEY || split->state == IN_ITEM ||
	       ((split->state == IN_VALUE || split->state == IN_WORD) && split->wanted);
}

void list_split_feed(struct list_split *split, const char *data, size_t len)
{
	size_t from = holds(split) ? split->begin : split->at;
	size_t rest = split->len - from;

	if (!len)
		return;
	if (from && rest)
		memmove(split->buf, split->buf + from, rest);
	split->at -= from;
	split->begin = 0;
	split->len = rest;
	if (rest + len > split->room || (split->room > ROOM_KEPT && rest + len <= ROOM_KEPT)) {
		split->room = ROOM_KEPT;
		while (split->room < rest + len)
			split->room *= 2;
		split->buf = xrealloc(split->buf, split->room, 1);
	}
	memcpy(split->buf + rest, data, len);
	split->len += len;
}

/* Pass one byte of an object, array or string.  True when it was the last. */
static bool pass(struct list_split *split, char c)
{
	if (split->in_string) {
		if (split->escaped)
			split->escaped = false;
		else if (c == '\\')
			split->escaped = true;
		else if (c == '"')
			split->in_string = false;
	} else if (c == '"') {
		split->in_string = true;
	} else if (c == '{' || c == '[') {
		split->depth++;
	} else if (c == '}' || c == ']') {
		split->depth--;
	}
	return split->depth == 0 && !split->in_string;
}

/* Go to the next byte that pass() has to judge. */
static void pass_plain(struct list_split *split)
{
	const char *at = split->buf + split->at, *end = split->buf + split->len;

	if (split->escaped)
		return;
	if (split->in_string)
		while (at < end && *at != '"' && *at != '\\')
			at++;
	else
		while (at < end && *at != '"' && *at != '{' && *at != '}' && *at != '[' &&
		       *at != ']')
			at++;
	split->at = (size_t)(at - split->buf);
}

static void begin(struct list_split *split, int state)
{
	split->begin = split->at;
	split->depth = 0;
	split->in_string = split->escaped = false;
	split->passing = false;
	split->state = state;
}

static int broken(struct list_split *split, struct err *err)
{
	split->state = BROKEN;
	return err_set(err, -EINVAL, "the answer is not a list");
}

static bool key_is(const struct list_split *split, const char *name)
{
	size_t len = split->at - split->begin - 1; /* without the first quote */

	return len == strlen(name) && memcmp(split->buf + split->begin + 1, name, len) == 0;
}

static void end_of_key(struct list_split *split)
{
	split->is_items = key_is(split, "items");
	split->wanted = split->is_items || key_is(split, "metadata");
	split->state = AT_COLON;
}

static int at_value(struct list_split *split, char c, struct err *err)
{
	if (split->is_items && c == '[') {
		split->state = AT_ITEM;
		return 0;
	}
	if (split->is_items && c != 'n')
		return broken(split, err);
	if (c == '{' || c == '[' || c == '"') {
		begin(split, IN_VALUE);
		pass(split, c);
	} else if (c == ',' || c == '}' || c == ']') {
		return broken(split, err);
	} else {
		begin(split, IN_WORD);
	}
	return 0;
}

/* Where one byte leads. */
static const struct move {
	int state;
	char c;
	int next;
} moves[] = {
	{ AT_START, '{', AT_KEY },	  { AT_COLON, ':', AT_VALUE },
	{ AFTER_VALUE, ',', AT_KEY },	  { AFTER_VALUE, '}', AT_END },
	{ AT_KEY, '}', AT_END },	  { AFTER_ITEM, ',', AT_ITEM },
	{ AFTER_ITEM, ']', AFTER_VALUE }, { AT_ITEM, ']', AFTER_VALUE },
};

static bool move(struct list_split *split, char c)
{
	for (size_t i = 0; i < ARRAY_SIZE(moves); i++) {
		if ((int)split->state == moves[i].state && c == moves[i].c) {
			split->state = moves[i].next;
			return true;
		}
	}
	return false;
}

/* A state in which only one or two bytes may come. */
static int expect(struct list_split *split, char c, struct err *err)
{
	if (json_is_space(c) || move(split, c))
		return 0;
	if (split->state == AT_VALUE)
		return at_value(split, c, err);
	if (split->state == AT_KEY && c == '"') {
		begin(split, IN_KEY);
		return 0;
	}
	if (split->state == AT_ITEM && c == '{') {
		begin(split, IN_ITEM);
		pass(split, c);
		return 0;
	}
	return broken(split, err);
}

static void in_key(struct list_split *split, char c)
{
	if (split->escaped)
		split->escaped = false;
	else if (c == '\\')
		split->escaped = true;
	else if (c == '"')
		end_of_key(split);
}

/* Look at one byte.  Returns the part that it completes. */
static int step(struct list_split *split, enum list_part *ret_part, struct err *err)
{
	char c = split->buf[split->at];

	switch (split->state) {
	case IN_KEY:
		in_key(split, c);
		return 0;
	case IN_ITEM:
		if (pass(split, c)) {
			split->state = AFTER_ITEM;
			*ret_part = LIST_ITEM;
		}
		return 0;
	case IN_VALUE:
		if (pass(split, c)) {
			split->state = AFTER_VALUE;
			*ret_part = split->wanted ? LIST_METADATA : LIST_MORE;
		}
		return 0;
	case IN_WORD:
		if (!json_is_space(c) && c != ',' && c != '}')
			return 0;
		split->state = AFTER_VALUE;
		return expect(split, c, err);
	default:
		return expect(split, c, err);
	}
}

/* What has come of an item: when that is too much it is looked at, and not held. */
static void bound_item(struct list_split *split)
{
	if (!split->passing && split->at - split->begin > split->max) {
		split->passing = true;
		object_scan_begin(&split->scan, false);
	}
	if (!split->passing)
		return;
	object_scan_feed(&split->scan, split->buf + split->begin, split->at - split->begin);
	split->begin = split->at;
}

/* Go on to the next byte that matters, and look at it. */
static int advance(struct list_split *split, enum list_part *ret_part, struct err *err)
{
	bool in_item = split->state == IN_ITEM, held = holds(split);
	int r = 0;

	if (in_item || split->state == IN_VALUE)
		pass_plain(split);
	if (split->at < split->len) {
		r = step(split, ret_part, err);
		split->at++;
	}
	if (in_item)
		bound_item(split);
	if (r < 0 || in_item || !held || split->at - split->begin <= split->max)
		return r;
	split->state = BROKEN;
	return err_set(err, -EMSGSIZE, "a member of the list is larger than %zu bytes", split->max);
}

int list_split_next(struct list_split *split, enum list_part *ret_part, const char **ret_text,
		    size_t *ret_len, struct err *err)
{
	enum list_part part = LIST_MORE;

	if (split->state == BROKEN)
		return broken(split, err);
	while (split->at < split->len && part == LIST_MORE) {
		int r = advance(split, &part, err);

		if (r < 0)
			return r;
	}
	if (part == LIST_ITEM && split->passing)
		part = LIST_TOO_LONG;
	if (part != LIST_MORE) {
		*ret_text = split->buf + split->begin;
		*ret_len = split->at - split->begin;
	} else if (split->state == AT_END) {
		part = LIST_END;
	}
	*ret_part = part;
	return 0;
}
