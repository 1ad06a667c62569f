/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/profile/pprof.h"

#include <assert.h>
#include <string.h>

#include "agent/core/profile/pprof_writer.h"
#include "lib/core/limits.h"
#include "lib/core/text/utf8.h"

#define LABELS (5 + LIMIT_PLAN_LABELS)
#define STACK_IDS 400000 /* location ids in all samples: keeps a profile under 4 MiB uncompressed */

struct label {
	char *key, *value, *comment;
};

struct encoder {
	struct pprof_writer writer;
	const struct profile *profile;
	const struct pprof_names *names;
	uint32_t *location_id; /* of each frame; 0 = not used yet */
	uint32_t location_nr;
	uint32_t *mapping_id;
	uint32_t mapping_nr;
	uint32_t *function_id; /* by index of the system name's text */
	size_t function_slots;
	uint32_t function_nr;
	struct label label[LABELS];
	Pprof__Label message[LABELS];
	Pprof__Label *message_ptr[LABELS];
	size_t label_nr;
};

static void encoder_release(struct encoder *encoder)
{
	pprof_writer_release(&encoder->writer);
	free(encoder->location_id);
	free(encoder->mapping_id);
	free(encoder->function_id);
	for (size_t i = 0; i < encoder->label_nr; i++) {
		free(encoder->label[i].key);
		free(encoder->label[i].value);
		free(encoder->label[i].comment);
	}
}

static char *clean(const char *text)
{
	char out[PPROF_LABEL_BYTES + 1];

	utf8_clean(text, strlen(text), out, sizeof(out));
	return xstrdup(out);
}

/* The first of two labels with one key stays: a pod cannot rename its namespace. */
static void add_label(struct encoder *encoder, const char *key, const char *value)
{
	size_t at = encoder->label_nr;
	struct label *label = &encoder->label[at];

	if (!value || !*value || at == LABELS)
		return;
	for (size_t i = 0; i < at; i++)
		if (strcmp(encoder->label[i].key, key) == 0)
			return;
	label->key = clean(key);
	label->value = clean(value);
	label->comment = xasprintf("%s=%s", label->key, label->value);
	encoder->message[at] = (Pprof__Label)PPROF__LABEL__INIT;
	encoder->message[at].key = pprof_writer_text(&encoder->writer, label->key);
	encoder->message[at].str = pprof_writer_text(&encoder->writer, label->value);
	encoder->message_ptr[at] = &encoder->message[at];
	encoder->label_nr++;
}

static void add_labels(struct encoder *encoder, const struct profile_meta *meta)
{
	cleanup(freep) char *service = NULL;

	if (!meta->service || !*meta->service)
		service = xasprintf("%s/%s", meta->ns ? meta->ns : "",
				    meta->container ? meta->container : "");
	add_label(encoder, "service_name", service ? service : meta->service);
	add_label(encoder, "namespace", meta->ns);
	add_label(encoder, "pod", meta->pod);
	add_label(encoder, "container", meta->container);
	add_label(encoder, "node", meta->node);
	for (size_t i = 0; i < meta->label_nr; i++)
		add_label(encoder, meta->label[i].key, meta->label[i].value);
}

static void put_header(struct encoder *encoder, const struct profile_meta *meta)
{
	Pprof__Profile piece = PPROF__PROFILE__INIT;
	Pprof__ValueType type = PPROF__VALUE_TYPE__INIT, *types = &type;
	int64_t comment[LABELS];

	type.type = pprof_writer_text(&encoder->writer, "cpu");
	type.unit = pprof_writer_text(&encoder->writer, "nanoseconds");
	piece.n_sample_type = 1;
	piece.sample_type = &types;
	piece.period_type = &type;
	piece.default_sample_type = type.type;
	piece.period = (NSEC_PER_SEC + meta->rate_hz / 2) / meta->rate_hz;
	piece.time_nanos = meta->start_ns;
	piece.duration_nanos = meta->duration_ns;
	for (size_t i = 0; i < encoder->label_nr; i++)
		comment[i] = pprof_writer_text(&encoder->writer, encoder->label[i].comment);
	piece.n_comment = encoder->label_nr;
	piece.comment = comment;
	pprof_writer_put(&encoder->writer, &piece);
}

static uint64_t put_mapping(struct encoder *encoder, uint32_t index)
{
	const struct pprof_mapping *mapping = &encoder->names->mapping[index];
	Pprof__Profile piece = PPROF__PROFILE__INIT;
	Pprof__Mapping message = PPROF__MAPPING__INIT, *messages = &message;

	if (encoder->mapping_id[index])
		return encoder->mapping_id[index];
	encoder->mapping_id[index] = ++encoder->mapping_nr;
	message.id = encoder->mapping_nr;
	message.memory_start = mapping->start;
	message.memory_limit = mapping->limit;
	message.file_offset = mapping->offset;
	message.filename = pprof_writer_text(&encoder->writer, mapping->filename);
	message.build_id = pprof_writer_text(&encoder->writer, mapping->build_id);
	message.has_functions = mapping->has_functions;
	piece.n_mapping = 1;
	piece.mapping = &messages;
	pprof_writer_put(&encoder->writer, &piece);
	return message.id;
}

/* Functions are told apart by their system names. */
static uint64_t put_function(struct encoder *encoder, const char *name, const char *system_name)
{
	Pprof__Profile piece = PPROF__PROFILE__INIT;
	Pprof__Function message = PPROF__FUNCTION__INIT, *messages = &message;
	size_t slot;

	message.name = pprof_writer_text(&encoder->writer, name);
	message.system_name = pprof_writer_text(&encoder->writer, system_name ? system_name : name);
	slot = (size_t)message.system_name;
	if (slot >= encoder->function_slots) {
		size_t slots = 2 * slot + 64;

		encoder->function_id = xrealloc(encoder->function_id, slots, sizeof(uint32_t));
		memset(encoder->function_id + encoder->function_slots, 0,
		       (slots - encoder->function_slots) * sizeof(uint32_t));
		encoder->function_slots = slots;
	}
	if (encoder->function_id[slot])
		return encoder->function_id[slot];
	encoder->function_id[slot] = ++encoder->function_nr;
	message.id = encoder->function_nr;
	piece.n_function = 1;
	piece.function = &messages;
	pprof_writer_put(&encoder->writer, &piece);
	return message.id;
}

static uint64_t put_location(struct encoder *encoder, const struct pprof_location *location)
{
	Pprof__Profile piece = PPROF__PROFILE__INIT;
	Pprof__Location message = PPROF__LOCATION__INIT, *messages = &message;
	Pprof__Line line = PPROF__LINE__INIT, *lines = &line;

	message.id = ++encoder->location_nr;
	message.address = location->addr;
	if (location->mapping)
		message.mapping_id = put_mapping(encoder, location->mapping - 1);
	if (location->name) {
		line.function_id = put_function(encoder, location->name, location->system_name);
		message.n_line = 1;
		message.line = &lines;
	}
	piece.n_location = 1;
	piece.location = &messages;
	pprof_writer_put(&encoder->writer, &piece);
	return message.id;
}

static void put_sample(struct encoder *encoder, uint64_t *location_id, size_t nr, uint64_t cpu_ns)
{
	Pprof__Profile piece = PPROF__PROFILE__INIT;
	Pprof__Sample message = PPROF__SAMPLE__INIT, *messages = &message;
	int64_t value = (int64_t)cpu_ns;

	message.n_location_id = nr;
	message.location_id = location_id;
	message.n_value = 1;
	message.value = &value;
	message.n_label = encoder->label_nr;
	message.label = encoder->message_ptr;
	piece.n_sample = 1;
	piece.sample = &messages;
	pprof_writer_put(&encoder->writer, &piece);
}

static void put_row(struct encoder *encoder, const struct profile_row *row)
{
	uint64_t id[PROFILE_STACK];

	for (size_t i = 0; i < row->nr; i++) {
		uint32_t frame = encoder->profile->stack[row->first + i];

		if (!encoder->location_id[frame])
			encoder->location_id[frame] =
				(uint32_t)put_location(encoder, &encoder->names->location[frame]);
		id[i] = encoder->location_id[frame];
	}
	put_sample(encoder, id, row->nr, row->cpu_ns);
}

static int by_cpu(const void *left, const void *right)
{
	const struct profile_row *a = left, *b = right;

	if (a->cpu_ns != b->cpu_ns)
		return a->cpu_ns > b->cpu_ns ? -1 : 1;
	return a->first < b->first ? -1 : a->first > b->first;
}

/* The largest rows first; what is beyond the bounds becomes one. */
static void put_rows(struct encoder *encoder)
{
	const struct profile *profile = encoder->profile;
	cleanup(freep) struct profile_row *order = xcalloc(profile->row_nr, sizeof(*order));
	uint64_t other_ns = profile->other_ns;
	size_t written = 0, ids = 0;

	if (profile->row_nr)
		memcpy(order, profile->row, profile->row_nr * sizeof(*order));
	qsort(order, profile->row_nr, sizeof(*order), by_cpu);
	for (size_t i = 0; i < profile->row_nr && order[i].cpu_ns; i++) {
		if (written == PPROF_SAMPLES - 1 || ids + order[i].nr > STACK_IDS) {
			other_ns += order[i].cpu_ns;
			continue;
		}
		put_row(encoder, &order[i]);
		written++;
		ids += order[i].nr;
	}
	if (other_ns) {
		struct pprof_location location = { .name = frame_name(FRAME_OTHER) };
		uint64_t id = put_location(encoder, &location);

		put_sample(encoder, &id, 1, other_ns);
	}
}

static void put_main_mapping(struct encoder *encoder)
{
	for (size_t i = 0; i < encoder->names->mapping_nr; i++)
		if (encoder->names->mapping[i].main)
			put_mapping(encoder, (uint32_t)i);
}

int pprof_encode(const struct profile *profile, const struct pprof_names *names,
		 const struct profile_meta *meta, uint8_t **ret_data, size_t *ret_len,
		 struct err *err)
{
	cleanup(encoder_release) struct encoder encoder = { .profile = profile, .names = names };
	int r;

	assert(meta->rate_hz > 0);
	r = pprof_writer_init(&encoder.writer, err);
	if (r < 0)
		return r;
	encoder.location_id = xcalloc(profile->frame_nr, sizeof(uint32_t));
	encoder.mapping_id = xcalloc(names->mapping_nr, sizeof(uint32_t));
	if (!meta->bare)
		add_labels(&encoder, meta);
	put_header(&encoder, meta);
	put_main_mapping(&encoder);
	put_rows(&encoder);
	return pprof_writer_finish(&encoder.writer, ret_data, ret_len, err);
}
