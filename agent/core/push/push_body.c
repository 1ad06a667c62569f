/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/push/push_body.h"

#include <string.h>

#include "lib/core/text/encode.h"
#include "lib/core/text/json.h"
#include "proto/push.pb-c.h"

#define GRPC_HEAD 5 /* not compressed, and the length */

const char *push_wire_path(enum push_wire wire)
{
	static const char *const path[] = {
		[PUSH_WIRE_PYROSCOPE] = "/push.v1.PusherService/Push",
		[PUSH_WIRE_PARCA] = "/api/profiles/writeraw",
		[PUSH_WIRE_PARCA_GRPC] =
			"/parca.profilestore.v1alpha1.ProfileStoreService/WriteRaw",
	};

	return path[wire];
}

const char *push_wire_type(enum push_wire wire)
{
	static const char *const type[] = {
		[PUSH_WIRE_PYROSCOPE] = "application/proto",
		[PUSH_WIRE_PARCA] = "application/json",
		[PUSH_WIRE_PARCA_GRPC] = "application/grpc+proto",
	};

	return type[wire];
}

/* One series as messages that point into the record. */
struct series {
	Push__Label label[PUSH_LABELS], *labels[PUSH_LABELS];
	Push__LabelSet set;
	Push__Sample sample, *samples;
	Push__PyroscopeSeries pyroscope;
	Push__ParcaSeries parca;
};

static void make_series(const struct push_record *record, struct series *series)
{
	for (size_t i = 0; i < record->label_nr; i++) {
		series->label[i] = (Push__Label)PUSH__LABEL__INIT;
		series->label[i].name = (char *)record->label[i].name;
		series->label[i].value = (char *)record->label[i].value;
		series->labels[i] = &series->label[i];
	}
	series->sample = (Push__Sample)PUSH__SAMPLE__INIT;
	series->sample.raw_profile.data = (uint8_t *)record->pprof;
	series->sample.raw_profile.len = record->pprof_len;
	series->samples = &series->sample;
	series->set = (Push__LabelSet)PUSH__LABEL_SET__INIT;
	series->set.n_labels = record->label_nr;
	series->set.labels = series->labels;
	series->pyroscope = (Push__PyroscopeSeries)PUSH__PYROSCOPE_SERIES__INIT;
	series->pyroscope.n_labels = record->label_nr;
	series->pyroscope.labels = series->labels;
	series->pyroscope.n_samples = 1;
	series->pyroscope.samples = &series->samples;
	series->parca = (Push__ParcaSeries)PUSH__PARCA_SERIES__INIT;
	series->parca.labels = &series->set;
	series->parca.n_samples = 1;
	series->parca.samples = &series->samples;
}

static uint8_t *pack_pyroscope(struct series *series, size_t nr, size_t *ret_len)
{
	cleanup(freep) Push__PyroscopeSeries **all = xcalloc(nr, sizeof(*all));
	Push__PyroscopePush push = PUSH__PYROSCOPE_PUSH__INIT;
	uint8_t *bytes;

	for (size_t i = 0; i < nr; i++)
		all[i] = &series[i].pyroscope;
	push.n_series = nr;
	push.series = all;
	*ret_len = push__pyroscope_push__get_packed_size(&push);
	bytes = xmalloc(*ret_len);
	push__pyroscope_push__pack(&push, bytes);
	return bytes;
}

static uint8_t *pack_grpc(struct series *series, size_t nr, size_t *ret_len)
{
	cleanup(freep) Push__ParcaSeries **all = xcalloc(nr, sizeof(*all));
	Push__ParcaWrite write = PUSH__PARCA_WRITE__INIT;
	size_t len;
	uint8_t *bytes;

	for (size_t i = 0; i < nr; i++)
		all[i] = &series[i].parca;
	write.n_series = nr;
	write.series = all;
	write.normalized = true;
	len = push__parca_write__get_packed_size(&write);
	bytes = xmalloc(GRPC_HEAD + len);
	bytes[0] = 0;
	for (int i = 0; i < 4; i++)
		bytes[1 + i] = (uint8_t)(len >> (24 - 8 * i));
	push__parca_write__pack(&write, bytes + GRPC_HEAD);
	*ret_len = GRPC_HEAD + len;
	return bytes;
}

static json_t *json_series(const struct push_record *record)
{
	cleanup(freep) char *pprof = base64_encode(record->pprof, record->pprof_len);
	json_t *labels = json_must(json_array());

	for (size_t i = 0; i < record->label_nr; i++)
		json_array_append_new(
			labels, json_must(json_pack("{s:s, s:s}", "name", record->label[i].name,
						    "value", record->label[i].value)));
	return json_must(json_pack("{s:{s:o}, s:[{s:s}]}", "labels", "labels", labels, "samples",
				   "rawProfile", pprof));
}

static uint8_t *dump_json(const struct push_record *record, size_t nr, size_t *ret_len)
{
	json_auto_t *series = json_must(json_array());
	json_auto_t *write = NULL;
	char *text;

	for (size_t i = 0; i < nr; i++)
		json_array_append_new(series, json_series(&record[i]));
	write = json_must(json_pack("{s:O, s:b}", "series", series, "normalized", 1));
	text = json_dumps(write, JSON_COMPACT);
	if (!text)
		abort();
	*ret_len = strlen(text);
	return (uint8_t *)text;
}

uint8_t *push_body(enum push_wire wire, const struct push_record *record, size_t nr,
		   size_t *ret_len)
{
	cleanup(freep) struct series *series = NULL;

	if (wire == PUSH_WIRE_PARCA)
		return dump_json(record, nr, ret_len);
	series = xcalloc(nr, sizeof(*series));
	for (size_t i = 0; i < nr; i++)
		make_series(&record[i], &series[i]);
	return wire == PUSH_WIRE_PYROSCOPE ? pack_pyroscope(series, nr, ret_len)
					   : pack_grpc(series, nr, ret_len);
}
