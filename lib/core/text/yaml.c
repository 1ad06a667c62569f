/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/core/text/yaml.h"

#include "lib/core/limits.h"
#include "lib/core/text/yaml_scalar.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <yaml.h>

/* Places form a tree by `parent`, so that memory grows with the nodes and not with the length of paths. */
struct yaml_place {
	size_t parent; /* index; the root (0) is its own */
	char *key;     /* of a mapping's value; NULL in a list */
	size_t index;  /* in a list */
	int line;
};

/* A mapping or list that is being read. */
struct frame {
	json_t *json; /* borrowed from its parent */
	size_t place;
	char *key; /* the key whose value comes next; NULL: a key comes next */
	int key_line;
};

struct reader {
	yaml_parser_t parser;
	struct yaml_stream stream;
	struct frame frame[LIMIT_YAML_DEPTH];
	size_t depth;
	size_t node_nr;
	struct err *err;
};

static void doc_release(struct yaml_doc *doc)
{
	json_decref(doc->root);
	for (size_t i = 0; i < doc->place_nr; i++)
		free(doc->place[i].key);
	free(doc->place);
}

void yaml_release(struct yaml_stream *stream)
{
	for (size_t i = 0; i < stream->doc_nr; i++)
		doc_release(&stream->doc[i]);
	free(stream->doc);
	*stream = (struct yaml_stream){ 0 };
}

static void reader_release(struct reader *reader)
{
	yaml_parser_delete(&reader->parser);
	yaml_release(&reader->stream);
	while (reader->depth)
		free(reader->frame[--reader->depth].key);
}

static int line_of(const yaml_event_t *event)
{
	return (int)event->start_mark.line + 1;
}

static struct yaml_doc *current_doc(struct reader *reader)
{
	return &reader->stream.doc[reader->stream.doc_nr - 1];
}

static size_t add_place(struct reader *reader, const struct frame *parent, int line)
{
	struct yaml_doc *doc = current_doc(reader);
	struct yaml_place place = { .line = line };

	if (parent) {
		place.parent = parent->place;
		place.key = parent->key ? xstrdup(parent->key) : NULL;
		place.index = json_array_size(parent->json);
	}
	GROW(doc->place, doc->place_nr);
	doc->place[doc->place_nr] = place;
	return doc->place_nr++;
}

/* Put `json` (taken over) where it belongs: into the innermost frame, or as the document's root. */
static void attach(struct reader *reader, json_t *json, int line, size_t *ret_place)
{
	struct frame *parent = reader->depth ? &reader->frame[reader->depth - 1] : NULL;
	int r;

	if (!parent) {
		current_doc(reader)->root = json;
		*ret_place = add_place(reader, NULL, line);
		return;
	}
	*ret_place = add_place(reader, parent, parent->key ? parent->key_line : line);
	if (parent->key)
		r = json_object_setn_new_nocheck(parent->json, parent->key, strlen(parent->key),
						 json);
	else
		r = json_array_append_new(parent->json, json);
	if (r < 0)
		json_must(NULL);
	free(TAKE_PTR(parent->key));
}

static int check_node(struct reader *reader, const yaml_event_t *event, const yaml_char_t *tag,
		      bool is_scalar)
{
	const char *name = (const char *)tag;

	if (++reader->node_nr > LIMIT_MANIFEST_NODES)
		return err_set(reader->err, -E2BIG, "line %d: more than %d values in one file",
			       line_of(event), LIMIT_MANIFEST_NODES);
	if (!name || strcmp(name, "!") == 0 || (is_scalar && strcmp(name, YAML_STR_TAG) == 0))
		return 0;
	return err_set(reader->err, -EINVAL, "line %d: tags are not accepted, except !!str",
		       line_of(event));
}

static bool wants_key(const struct reader *reader)
{
	const struct frame *frame;

	if (!reader->depth)
		return false;
	frame = &reader->frame[reader->depth - 1];
	return json_is_object(frame->json) && !frame->key;
}

static bool is_quoted(const yaml_event_t *event)
{
	return !event->data.scalar.plain_implicit || event->data.scalar.tag;
}

static json_t *scalar_value(const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;

	if (is_quoted(event))
		return json_must(json_stringn(text, event->data.scalar.length));
	return yaml_scalar_resolve(text, event->data.scalar.length);
}

static int take_key(struct reader *reader, const yaml_event_t *event)
{
	struct frame *frame = &reader->frame[reader->depth - 1];
	const char *text = (const char *)event->data.scalar.value;
	json_auto_t *value = scalar_value(event);

	if (!is_quoted(event) && strcmp(text, "<<") == 0)
		return err_set(reader->err, -EINVAL, "line %d: merge keys are not accepted",
			       line_of(event));
	if (!json_is_string(value) && !json_is_integer(value))
		return err_set(reader->err, -EINVAL,
			       "line %d: a key must be a string; write \"%.40s\" in quotes",
			       line_of(event), text);
	if (json_object_get(frame->json, text))
		return err_set(reader->err, -EINVAL, "line %d: the key \"%.100s\" is there twice",
			       line_of(event), text);
	frame->key = xstrdup(text);
	frame->key_line = line_of(event);
	return 0;
}

static int take_scalar(struct reader *reader, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	json_t *value;
	size_t place;
	int r = check_node(reader, event, event->data.scalar.tag, true);

	if (r < 0)
		return r;
	if (strlen(text) != event->data.scalar.length)
		return err_set(reader->err, -EINVAL, "line %d: a string has a NUL character",
			       line_of(event));
	if (wants_key(reader))
		return take_key(reader, event);
	value = scalar_value(event);
	if (!value)
		return err_set(reader->err, -EINVAL, "line %d: %.40s is not a number that JSON has",
			       line_of(event), text);
	attach(reader, value, line_of(event), &place);
	return 0;
}

static int open_frame(struct reader *reader, const yaml_event_t *event, const yaml_char_t *tag,
		      json_t *json)
{
	json_auto_t *held = json_must(json);
	size_t place;
	int r = check_node(reader, event, tag, false);

	if (r < 0)
		return r;
	if (reader->depth == LIMIT_YAML_DEPTH)
		return err_set(reader->err, -E2BIG, "line %d: nested deeper than %d levels",
			       line_of(event), LIMIT_YAML_DEPTH);
	if (wants_key(reader))
		return err_set(reader->err, -EINVAL,
			       "line %d: a key must be a string, not a list or mapping",
			       line_of(event));
	attach(reader, TAKE_PTR(held), line_of(event), &place);
	reader->frame[reader->depth++] = (struct frame){ .json = json, .place = place };
	return 0;
}

static int begin_doc(struct reader *reader, const yaml_event_t *event)
{
	struct yaml_stream *stream = &reader->stream;

	if (stream->doc_nr == LIMIT_MANIFEST_DOCS)
		return err_set(reader->err, -E2BIG, "line %d: more than %d documents in one file",
			       line_of(event), LIMIT_MANIFEST_DOCS);
	GROW(stream->doc, stream->doc_nr);
	stream->doc[stream->doc_nr++] = (struct yaml_doc){ .line = line_of(event) };
	return 0;
}

static int take_event(struct reader *reader, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		return begin_doc(reader, event);
	case YAML_SCALAR_EVENT:
		return take_scalar(reader, event);
	case YAML_MAPPING_START_EVENT:
		return open_frame(reader, event, event->data.mapping_start.tag, json_object());
	case YAML_SEQUENCE_START_EVENT:
		return open_frame(reader, event, event->data.sequence_start.tag, json_array());
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		reader->depth--;
		return 0;
	case YAML_ALIAS_EVENT:
		return err_set(reader->err, -EINVAL, "line %d: aliases are not accepted",
			       line_of(event));
	default:
		return 0;
	}
}

/* The reader's errors (not UTF-8, control characters) come with an offset and no line. */
static int syntax_error(const struct reader *reader, const char *text, size_t len)
{
	const yaml_parser_t *parser = &reader->parser;
	size_t line = parser->problem_mark.line + 1;

	if (parser->error == YAML_READER_ERROR) {
		line = 1;
		for (size_t i = 0; i < MIN(parser->problem_offset, len); i++)
			line += text[i] == '\n';
	}
	return err_set(reader->err, -EINVAL, "line %zu: not valid YAML: %s", line,
		       parser->problem ? parser->problem : "out of memory");
}

static int read_all(struct reader *reader, const char *text, size_t len)
{
	bool done = false;

	while (!done) {
		yaml_event_t event;
		int r;

		if (!yaml_parser_parse(&reader->parser, &event))
			return syntax_error(reader, text, len);
		done = event.type == YAML_STREAM_END_EVENT;
		r = take_event(reader, &event);
		yaml_event_delete(&event);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Editors of Windows write one; a mark of UTF-8 is none of the text. */
static int skip_byte_order_mark(const char **text, size_t *len, struct err *err)
{
	if (*len >= 2 && (memcmp(*text, "\xff\xfe", 2) == 0 || memcmp(*text, "\xfe\xff", 2) == 0))
		return err_set(err, -EINVAL, "is UTF-16; save it as UTF-8");
	if (*len >= 3 && memcmp(*text, "\xef\xbb\xbf", 3) == 0) {
		*text += 3;
		*len -= 3;
	}
	return 0;
}

int yaml_parse(const char *text, size_t len, struct yaml_stream *ret_stream, struct err *err)
{
	cleanup(reader_release) struct reader reader = { .err = err };
	int r;

	if (!yaml_parser_initialize(&reader.parser))
		return err_set(err, -ENOMEM, "out of memory");
	if (len > (size_t)LIMIT_MANIFEST_BYTES)
		return err_set(err, -E2BIG, "larger than %d bytes", LIMIT_MANIFEST_BYTES);
	r = skip_byte_order_mark(&text, &len, err);
	if (r < 0)
		return r;
	yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, len);
	r = read_all(&reader, text, len);
	if (r < 0)
		return r;
	*ret_stream = reader.stream;
	reader.stream = (struct yaml_stream){ 0 };
	return 0;
}

/* How much of `path` names this place below its parent, or 0. */
static size_t match_place(const struct yaml_place *place, const char *path)
{
	char index[32];
	const char *name = place->key;
	size_t len;

	if (!name) {
		snprintf(index, sizeof(index), "[%zu]", place->index);
		len = strlen(index);
		return strncmp(path, index, len) == 0 ? len : 0;
	}
	len = strlen(name);
	if (strncmp(path, name, len) != 0)
		return 0;
	return path[len] == '\0' || path[len] == '.' || path[len] == '[' ? len : 0;
}

/* Keys may hold dots ("app.kubernetes.io/name"), hence the longest match. */
static size_t best_child(const struct yaml_doc *doc, size_t parent, const char *path,
			 size_t *ret_len)
{
	size_t best = 0;

	*ret_len = 0;
	for (size_t i = parent + 1; i < doc->place_nr; i++) {
		size_t len;

		if (doc->place[i].parent != parent)
			continue;
		len = match_place(&doc->place[i], path);
		if (len > *ret_len) {
			*ret_len = len;
			best = i;
		}
	}
	return best;
}

int yaml_doc_line(const struct yaml_doc *doc, const char *path)
{
	size_t place = 0, len;

	while (*path) {
		size_t child = best_child(doc, place, path, &len);

		if (!len)
			break;
		place = child;
		path += len;
		path += *path == '.';
	}
	return doc->place_nr ? doc->place[place].line : doc->line;
}
