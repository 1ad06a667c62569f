/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "agent/core/push/push_body.h"
#include "lib/core/text/encode.h"
#include "lib/core/text/json.h"
#include "proto/push.pb-c.h"

static const uint8_t pprof[] = { 0x1f, 0x8b, 0, 1, 2 };
static const struct push_record record[] = {
	{ .ns = "payments",
	  .label = { { "__name__", "process_cpu" }, { "pod", "\"settle\"" } },
	  .label_nr = 2,
	  .pprof = pprof,
	  .pprof_len = sizeof(pprof) },
	{ .ns = "shop",
	  .label = { { "__name__", "process_cpu" } },
	  .label_nr = 1,
	  .pprof = pprof,
	  .pprof_len = 1 },
};

static void pyroscope_gets_one_series_for_each_profile(void **state)
{
	size_t len;
	cleanup(freep) uint8_t *body = push_body(PUSH_WIRE_PYROSCOPE, record, 2, &len);
	Push__PyroscopePush *push = push__pyroscope_push__unpack(NULL, len, body);

	(void)state;
	assert_non_null(push);
	assert_int_equal(push->n_series, 2);
	assert_int_equal(push->series[0]->n_labels, 2);
	assert_string_equal(push->series[0]->labels[1]->name, "pod");
	assert_string_equal(push->series[0]->labels[1]->value, "\"settle\"");
	assert_int_equal(push->series[0]->n_samples, 1);
	assert_int_equal(push->series[0]->samples[0]->raw_profile.len, sizeof(pprof));
	assert_memory_equal(push->series[0]->samples[0]->raw_profile.data, pprof, sizeof(pprof));
	assert_int_equal(push->series[1]->samples[0]->raw_profile.len, 1);
	push__pyroscope_push__free_unpacked(push, NULL);
}

static void parca_gets_the_same_as_json(void **state)
{
	size_t len;
	cleanup(freep) uint8_t *body = push_body(PUSH_WIRE_PARCA, record, 2, &len);
	json_auto_t *json = NULL;
	const char *name, *raw;
	uint8_t bytes[16];
	json_t *first;
	size_t nr;

	(void)state;
	assert_int_equal(json_parse_bounded((const char *)body, len, 16, &json, NULL), 0);
	assert_true(json_is_true(json_object_get(json, "normalized")));
	nr = json_array_size(json_object_get(json, "series"));
	assert_int_equal(nr, 2);
	first = json_array_get(json_object_get(json, "series"), 0);
	assert_int_equal(json_unpack(first, "{s:{s:[{s:s}]}, s:[{s:s}]}", "labels", "labels",
				     "name", &name, "samples", "rawProfile", &raw),
			 0);
	assert_string_equal(name, "__name__");
	assert_int_equal(base64_decode(raw, strlen(raw), bytes), sizeof(pprof));
	assert_memory_equal(bytes, pprof, sizeof(pprof));
}

static void parca_gets_the_same_as_a_grpc_frame(void **state)
{
	size_t len, inside;
	cleanup(freep) uint8_t *body = push_body(PUSH_WIRE_PARCA_GRPC, record, 2, &len);
	Push__ParcaWrite *write;

	(void)state;
	assert_int_equal(body[0], 0);
	inside = (size_t)body[1] << 24 | (size_t)body[2] << 16 | (size_t)body[3] << 8 | body[4];
	assert_int_equal(inside + 5, len);
	write = push__parca_write__unpack(NULL, inside, body + 5);
	assert_non_null(write);
	assert_true(write->normalized);
	assert_int_equal(write->n_series, 2);
	assert_int_equal(write->series[0]->labels->n_labels, 2);
	assert_memory_equal(write->series[0]->samples[0]->raw_profile.data, pprof, sizeof(pprof));
	push__parca_write__free_unpacked(write, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pyroscope_gets_one_series_for_each_profile),
		cmocka_unit_test(parca_gets_the_same_as_json),
		cmocka_unit_test(parca_gets_the_same_as_a_grpc_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
