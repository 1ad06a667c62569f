/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "agent/core/push/push_record.h"

static struct push_labels labels = { .label = { { (char *)"__name__", (char *)"process_cpu" },
						{ (char *)"pod", (char *)"settle-0" } },
				     .nr = 2 };
static const uint8_t pprof[] = { 0x1f, 0x8b, 0, 1, 2, 0, 3 };

static uint8_t *pack(size_t *ret_len)
{
	return push_record_pack("payments", 1795230900, &labels, pprof, sizeof(pprof), ret_len);
}

static void what_was_packed_is_read_again(void **state)
{
	struct push_record record;
	size_t len;
	cleanup(freep) uint8_t *bytes = pack(&len);

	(void)state;
	assert_int_equal(push_record_parse(bytes, len, &record, NULL), 0);
	assert_string_equal(record.ns, "payments");
	assert_int_equal(record.start_ns, 1795230900);
	assert_int_equal(record.label_nr, 2);
	assert_string_equal(record.label[1].name, "pod");
	assert_string_equal(record.label[1].value, "settle-0");
	assert_int_equal(record.pprof_len, sizeof(pprof));
	assert_memory_equal(record.pprof, pprof, sizeof(pprof));
}

static void one_that_is_torn_or_damaged_is_none(void **state)
{
	struct push_record record;
	size_t len;
	cleanup(freep) uint8_t *bytes = pack(&len);

	(void)state;
	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(push_record_parse(bytes, cut, &record, NULL), -EINVAL);
	for (size_t bit = 0; bit < 8 * len; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_int_equal(push_record_parse(bytes, len, &record, NULL), -EINVAL);
		bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
}

static void check_name(const char *ns, const char *wanted)
{
	char name[PUSH_FILE_NAME], back[PUSH_FILE_NAME];
	int64_t start_ns = 0;
	uint64_t seq = 0;

	push_file_name(ns, 1795230900123456789, 0x1f, name);
	if (wanted)
		assert_string_equal(name, wanted);
	assert_null(strchr(name, '/'));
	assert_true(push_file_parse(name, back, &start_ns, &seq));
	assert_int_equal(start_ns, 1795230900123456789);
	assert_int_equal(seq, 0x1f);
	assert_true(strncmp(back, ns, strlen(back)) == 0);
}

static void a_files_name_says_what_it_is(void **state)
{
	char longest[500];

	(void)state;
	check_name("payments", "000000000000001f-1795230900123456789-payments.push");
	check_name("_unknown", "000000000000001f-1795230900123456789-_unknown.push");
	check_name("../Etc", "000000000000001f-1795230900123456789-%2e%2e%2f%45tc.push");
	check_name("", "000000000000001f-1795230900123456789-.push");
	memset(longest, '/', sizeof(longest));
	longest[499] = '\0';
	check_name(longest, NULL);
}

static void other_names_are_not_ours(void **state)
{
	static const char *const name[] = {
		"",
		".",
		"..",
		"payments",
		"000000000000001f-1795230900123456789-payments",
		"000000000000001f-1795230900123456789-payments.push.tmp",
		"00000000000001f-1795230900123456789-payments.push",
		"000000000000001F-1795230900123456789-payments.push",
		"000000000000001f-179523090012345678x-payments.push",
		"000000000000001f-1795230900123456789-Payments.push",
		"000000000000001f-1795230900123456789-%2.push",
		"000000000000001f-1795230900123456789-%00.push",
		"000000000000001f-1795230900123456789-%61.push",
		"000000000000001f.1795230900123456789-payments.push",
	};
	char ns[PUSH_FILE_NAME];
	int64_t start_ns;
	uint64_t seq;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(name); i++)
		assert_false(push_file_parse(name[i], ns, &start_ns, &seq));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_packed_is_read_again),
		cmocka_unit_test(one_that_is_torn_or_damaged_is_none),
		cmocka_unit_test(a_files_name_says_what_it_is),
		cmocka_unit_test(other_names_are_not_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
