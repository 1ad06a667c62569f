/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/core/watch/object_scan.h"

#include <string.h>

#define NO_FIELD (-1)

void object_scan_begin(struct object_scan *scan, bool is_event)
{
	*scan = (struct object_scan){ .is_event = is_event, .field = NO_FIELD };
}

/* How many objects lead to metadata's members: the event, the object, metadata. */
static size_t path_nr(const struct object_scan *scan)
{
	return scan->is_event ? 3 : 2;
}

/* Are we directly in one of these? */
static bool on_path(const struct object_scan *scan)
{
	return scan->depth && scan->depth == scan->on_path;
}

/* --- collecting a text --- */

static void begin_text(struct object_scan *scan)
{
	scan->collects = true;
	scan->spoiled = false;
	scan->len = 0;
}

static void collect(struct object_scan *scan, char c)
{
	if (c <= ' ' || c > '~' || scan->len == sizeof(scan->text) - 1)
		scan->spoiled = true;
	else
		scan->text[scan->len++] = c;
}

/* A name, or a value that is wanted, is whole. */
static void end_text(struct object_scan *scan)
{
	char *found = scan->field >= 0 ? scan->found[scan->field] : NULL;

	scan->collects = false;
	scan->text[scan->spoiled ? 0 : scan->len] = '\0';
	if (scan->at_name || !found)
		return;
	if (!found[0])
		memcpy(found, scan->text, sizeof(scan->text));
	scan->field = NO_FIELD;
}

/* --- members --- */

static bool text_is(const struct object_scan *scan, const char *wanted)
{
	return strcmp(scan->text, wanted) == 0;
}

/* The member's name has been read, and its value comes. */
static void on_colon(struct object_scan *scan)
{
	static const struct {
		const char *name;
		int field;
	} member[] = {
		{ "namespace", OBJECT_SCAN_NS },
		{ "name", OBJECT_SCAN_NAME },
		{ "uid", OBJECT_SCAN_UID },
		{ "resourceVersion", OBJECT_SCAN_VERSION },
		{ "generation", OBJECT_SCAN_GENERATION },
		{ "deletionTimestamp", OBJECT_SCAN_DELETED },
	};

	scan->at_name = false;
	scan->field = NO_FIELD;
	if (scan->is_event && scan->depth == 1 && text_is(scan, "type"))
		scan->field = OBJECT_SCAN_TYPE;
	for (size_t i = 0; i < ARRAY_SIZE(member); i++)
		if (scan->depth == path_nr(scan) && text_is(scan, member[i].name))
			scan->field = member[i].field;
}

/* Does the value that opens lead on? */
static bool leads_on(const struct object_scan *scan, char c)
{
	if (c != '{' || scan->depth != scan->on_path)
		return false;
	if (scan->depth == 0)
		return true;
	if (scan->at_name || scan->depth == path_nr(scan))
		return false;
	return text_is(scan, scan->is_event && scan->depth == 1 ? "object" : "metadata");
}

static void open_one(struct object_scan *scan, char c)
{
	bool leads = leads_on(scan, c);

	scan->field = NO_FIELD;
	scan->depth++;
	if (leads) {
		scan->on_path++;
		scan->at_name = true;
	}
}

static void close_one(struct object_scan *scan)
{
	if (scan->depth && scan->on_path == scan->depth)
		scan->on_path--;
	scan->depth -= scan->depth > 0;
}

/* --- bytes --- */

static void outside(struct object_scan *scan, char c)
{
	if (scan->collects && c != '"' && strchr(",}] \t\r\n", c))
		end_text(scan); /* a number */
	switch (c) {
	case '"':
		scan->in_string = true;
		if (on_path(scan) && (scan->at_name || scan->field >= 0))
			begin_text(scan);
		break;
	case '{':
	case '[':
		open_one(scan, c);
		break;
	case '}':
	case ']':
		close_one(scan);
		break;
	case ':':
		if (on_path(scan))
			on_colon(scan);
		break;
	case ',':
		if (on_path(scan))
			scan->at_name = true;
		break;
	default:
		if (scan->field == OBJECT_SCAN_GENERATION && c >= '0' && c <= '9') {
			if (!scan->collects)
				begin_text(scan);
			collect(scan, c);
		}
	}
}

static void inside(struct object_scan *scan, char c)
{
	if (scan->escaped || c == '\\') {
		scan->escaped = !scan->escaped;
		scan->spoiled = true;
	} else if (c == '"') {
		scan->in_string = false;
		if (scan->collects)
			end_text(scan);
	} else if (scan->collects) {
		collect(scan, c);
	}
}

void object_scan_feed(struct object_scan *scan, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (scan->in_string)
			inside(scan, text[i]);
		else
			outside(scan, text[i]);
	}
}
