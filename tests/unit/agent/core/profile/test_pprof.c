/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/core/profile/pprof.h"
#include "tests/unit/agent/read_pprof.h"

static const struct plan_label pod_label[] = {
	{ .key = (char *)"app", .value = (char *)"settlement" },
	{ .key = (char *)"namespace", .value = (char *)"stolen" },
	{ .key = (char *)"bad", .value = (char *)"a\xff\nb" },
};

static const struct profile_meta meta = {
	.ns = "payments",
	.pod = "settle-0",
	.container = "app",
	.node = "node-1",
	.label = pod_label,
	.label_nr = ARRAY_SIZE(pod_label),
	.rate_hz = 19,
	.start_ns = 1795230900123456789LL,
	.duration_ns = 15 * NSEC_PER_SEC,
};

static const struct pprof_mapping mapping[] = {
	{ .start = 0x1000,
	  .limit = 0x3000,
	  .offset = 0x1000,
	  .filename = "/lib/libfoo.so",
	  .build_id = "0123abcd",
	  .has_functions = true },
	{ .start = 0x1000,
	  .limit = 0x3000,
	  .offset = 0x1000,
	  .filename = "/lib/libfoo.so",
	  .build_id = "0123abcd" },
	{ .start = 0x400000,
	  .limit = 0x401000,
	  .filename = "/app",
	  .has_functions = true,
	  .main = true },
};

/* Three frames of one file: two of one function, one without a name. */
static const struct frame frame[] = { { 0x1010, 7 }, { 0x1020, 7 }, { 0x2000, 7 } };
static const struct pprof_location location[] = {
	{ .addr = 0x1010, .name = "foo<int>", .system_name = "_Z3fooIiEvv", .mapping = 1 },
	{ .addr = 0x1020, .name = "foo<int>", .system_name = "_Z3fooIiEvv", .mapping = 1 },
	{ .addr = 0x2000, .name = "libfoo.so+0x2000", .mapping = 2 },
};
static const struct pprof_names names = { location, mapping, ARRAY_SIZE(mapping) };

static struct profile *small_profile(void)
{
	struct profile *profile = profile_new();

	profile_add(profile, frame, 3, 100, 1);
	profile_add(profile, frame + 1, 2, 250, 2);
	profile_add(profile, frame, 3, 50, 1);
	return profile;
}

static uint8_t *encode(const struct profile *profile, const struct pprof_names *of,
		       const struct profile_meta *with, size_t *ret_len)
{
	struct err err = ERR_INIT;
	uint8_t *data = NULL;

	assert_int_equal(pprof_encode(profile, of, with, &data, ret_len, &err), 0);
	return data;
}

static Pprof__Profile *round_trip(struct profile *profile, const struct pprof_names *of,
				  const struct profile_meta *with)
{
	size_t len = 0;
	cleanup(freep) uint8_t *data = encode(profile, of, with, &len);

	return read_pprof(data, len);
}

static int64_t sum(const Pprof__Profile *read)
{
	int64_t total = 0;

	for (size_t i = 0; i < read->n_sample; i++) {
		assert_int_equal(read->sample[i]->n_value, 1);
		total += read->sample[i]->value[0];
	}
	return total;
}

static const char *label_of(const Pprof__Profile *read, const char *key)
{
	const char *value = NULL;

	for (size_t i = 0; i < read->sample[0]->n_label; i++) {
		const Pprof__Label *label = read->sample[0]->label[i];

		if (strcmp(text_of(read, label->key), key) == 0) {
			assert_null(value);
			value = text_of(read, label->str);
		}
	}
	return value;
}

static void the_head_says_what_is_measured(void **state)
{
	struct profile *profile = small_profile();
	Pprof__Profile *read = round_trip(profile, &names, &meta);

	(void)state;
	assert_string_equal(read->string_table[0], "");
	assert_int_equal(read->n_sample_type, 1);
	assert_string_equal(text_of(read, read->sample_type[0]->type), "cpu");
	assert_string_equal(text_of(read, read->sample_type[0]->unit), "nanoseconds");
	assert_string_equal(text_of(read, read->period_type->type), "cpu");
	assert_string_equal(text_of(read, read->period_type->unit), "nanoseconds");
	assert_string_equal(text_of(read, read->default_sample_type), "cpu");
	assert_int_equal(read->time_nanos, meta.start_ns);
	assert_int_equal(read->duration_nanos, meta.duration_ns);
	pprof__profile__free_unpacked(read, NULL);
	profile_free(profile);
}

static void the_period_is_rounded_to_the_nearest_nanosecond(void **state)
{
	static const struct {
		uint32_t rate_hz;
		int64_t period;
	} row[] = { { 19, 52631579 }, { 100, 10000000 }, { 1, 1000000000 }, { 200, 5000000 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct profile *profile = small_profile();
		struct profile_meta with = meta;
		Pprof__Profile *read;

		with.rate_hz = row[i].rate_hz;
		read = round_trip(profile, &names, &with);
		assert_int_equal(read->period, row[i].period);
		pprof__profile__free_unpacked(read, NULL);
		profile_free(profile);
	}
}

static void ids_count_from_one_and_the_sum_is_exact(void **state)
{
	struct profile *profile = small_profile();
	Pprof__Profile *read = round_trip(profile, &names, &meta);

	(void)state;
	assert_int_equal(read->n_sample, 2);
	assert_int_equal(sum(read), 400);
	for (size_t i = 0; i < read->n_location; i++)
		assert_int_equal(read->location[i]->id, i + 1);
	for (size_t i = 0; i < read->n_function; i++)
		assert_int_equal(read->function[i]->id, i + 1);
	for (size_t i = 0; i < read->n_mapping; i++)
		assert_int_equal(read->mapping[i]->id, i + 1);
	assert_int_equal(read->n_location, 3);
	assert_int_equal(read->n_function, 2);
	pprof__profile__free_unpacked(read, NULL);
	profile_free(profile);
}

static void the_program_is_the_first_mapping_even_without_samples(void **state)
{
	struct profile *profile = small_profile();
	Pprof__Profile *read = round_trip(profile, &names, &meta);

	(void)state;
	assert_int_equal(read->n_mapping, 3);
	assert_string_equal(text_of(read, read->mapping[0]->filename), "/app");
	pprof__profile__free_unpacked(read, NULL);
	profile_free(profile);
}

static void named_and_nameless_places_of_a_file_have_different_mappings(void **state)
{
	struct profile *profile = small_profile();
	Pprof__Profile *read = round_trip(profile, &names, &meta);

	(void)state;
	for (size_t i = 0; i < read->n_location; i++) {
		const Pprof__Location *one = read->location[i];

		assert_int_equal(read->mapping[one->mapping_id - 1]->has_functions,
				 one->address != 0x2000);
		assert_string_equal(text_of(read, read->mapping[one->mapping_id - 1]->build_id),
				    "0123abcd");
	}
	pprof__profile__free_unpacked(read, NULL);
	profile_free(profile);
}

static void labels_stand_on_samples_and_a_pod_cannot_rename_its_namespace(void **state)
{
	struct profile *profile = small_profile();
	Pprof__Profile *read = round_trip(profile, &names, &meta);
	bool commented = false;

	(void)state;
	assert_string_equal(label_of(read, "namespace"), "payments");
	assert_string_equal(label_of(read, "pod"), "settle-0");
	assert_string_equal(label_of(read, "container"), "app");
	assert_string_equal(label_of(read, "node"), "node-1");
	assert_string_equal(label_of(read, "service_name"), "payments/app");
	assert_string_equal(label_of(read, "app"), "settlement");
	assert_string_equal(label_of(read, "bad"), "a??b");
	for (size_t i = 0; i < read->n_comment; i++)
		commented |= strcmp(text_of(read, read->comment[i]), "namespace=payments") == 0;
	assert_true(commented);
	pprof__profile__free_unpacked(read, NULL);
	profile_free(profile);
}

static void what_is_too_much_is_folded_and_the_sum_stays(void **state)
{
	struct profile *profile = profile_new();
	size_t frames = PROFILE_ROWS + 1000;
	cleanup(freep) struct pprof_location *many = xcalloc(frames, sizeof(*many));
	struct pprof_names of = { .location = many };
	uint64_t expected = 0;
	Pprof__Profile *read;

	(void)state;
	for (size_t i = 0; i < frames; i++) {
		struct frame one = { .addr = i, .file = FRAME_KERNEL };

		many[i].addr = i;
		profile_add(profile, &one, 1, 1 + i % 100, 1);
		expected += 1 + i % 100;
	}
	assert_int_equal(profile->cpu_ns, expected);
	read = round_trip(profile, &of, &meta);
	assert_int_equal(read->n_sample, PPROF_SAMPLES);
	assert_int_equal(sum(read), expected);
	assert_string_equal(function_of(read, PPROF_SAMPLES - 1, 0), "[other]");
	/* The large ones are those that stay. */
	assert_true(read->sample[PPROF_SAMPLES - 2]->value[0] > 40);
	pprof__profile__free_unpacked(read, NULL);
	profile_free(profile);
}

static void an_empty_profile_is_valid(void **state)
{
	struct profile *profile = profile_new();
	struct pprof_names none = { 0 };
	Pprof__Profile *read = round_trip(profile, &none, &meta);

	(void)state;
	assert_int_equal(read->n_sample, 0);
	assert_int_equal(read->period, 52631579);
	pprof__profile__free_unpacked(read, NULL);
	profile_free(profile);
}

static bool output_has(const char *command, const char *first, const char *second)
{
	char text[16384];
	FILE *pipe = popen(command, "r");
	size_t len;

	assert_non_null(pipe);
	len = fread(text, 1, sizeof(text) - 1, pipe);
	text[len] = '\0';
	if (pclose(pipe) == 0 && strstr(text, first) && strstr(text, second))
		return true;
	print_message("%s\n", text);
	return false;
}

static void go_tool_pprof_reads_it(void **state)
{
	struct profile *profile = small_profile();
	char path[] = "/tmp/rubato-pprof-XXXXXX", command[128];
	int fd = mkstemp(path);
	size_t len = 0;
	cleanup(freep) uint8_t *data = encode(profile, &names, &meta, &len);

	(void)state;
	profile_free(profile);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	close(fd);
	if (system("go version >/dev/null 2>&1") != 0) {
		unlink(path);
		print_message("skipped: there is no go to read the profile with\n");
		skip();
	}
	snprintf(command, sizeof(command), "go tool pprof -top %s 2>&1", path);
	assert_true(output_has(command, "foo<int>", "libfoo.so+0x2000"));
	snprintf(command, sizeof(command), "go tool pprof -raw %s 2>&1", path);
	assert_true(output_has(command, "Period: 52631579", "namespace:[payments]"));
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_head_says_what_is_measured),
		cmocka_unit_test(the_period_is_rounded_to_the_nearest_nanosecond),
		cmocka_unit_test(ids_count_from_one_and_the_sum_is_exact),
		cmocka_unit_test(the_program_is_the_first_mapping_even_without_samples),
		cmocka_unit_test(named_and_nameless_places_of_a_file_have_different_mappings),
		cmocka_unit_test(labels_stand_on_samples_and_a_pod_cannot_rename_its_namespace),
		cmocka_unit_test(what_is_too_much_is_folded_and_the_sum_stays),
		cmocka_unit_test(an_empty_profile_is_valid),
		cmocka_unit_test(go_tool_pprof_reads_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
