/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/perf_event.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "agent/core/symbol/sideband_parse.h"

struct record {
	char data[512];
	size_t len;
};

static void put(struct record *record, const void *data, size_t len)
{
	memcpy(record->data + record->len, data, len);
	record->len += len;
}

static void put_u32(struct record *record, uint32_t value)
{
	put(record, &value, sizeof(value));
}

static void put_u64(struct record *record, uint64_t value)
{
	put(record, &value, sizeof(value));
}

static struct record begin(uint32_t type, uint16_t misc)
{
	struct record record = { .len = 0 };

	put(&record, &(struct perf_event_header){ .type = type, .misc = misc },
	    sizeof(struct perf_event_header));
	return record;
}

static struct record fork_of(uint32_t pid, uint32_t parent)
{
	struct record record = begin(PERF_RECORD_FORK, 0);

	put_u32(&record, pid);
	put_u32(&record, parent);
	put_u32(&record, 900);
	put_u32(&record, 901);
	put_u64(&record, 5);
	put_u64(&record, 5);
	return record;
}

static struct record comm_of(uint16_t misc)
{
	struct record record = begin(PERF_RECORD_COMM, misc);

	put_u32(&record, 42);
	put_u32(&record, 43);
	put(&record, "settle\0", 8);
	put_u64(&record, 77);
	return record;
}

static struct record mmap_of(uint16_t misc, uint64_t len, const char *path)
{
	struct record record = begin(PERF_RECORD_MMAP2, misc);
	char name[64] = "";

	put_u32(&record, 42);
	put_u32(&record, 43);
	put_u64(&record, 0x7f0000001000);
	put_u64(&record, len);
	put_u64(&record, 0x2000);
	put_u32(&record, 8);
	put_u32(&record, 1);
	put_u64(&record, 1234);
	put_u64(&record, 0);
	put_u32(&record, 5);
	put_u32(&record, 2);
	strcpy(name, path);
	put(&record, name, (strlen(path) + 8) & ~7UL);
	put_u64(&record, 88);
	return record;
}

static void a_new_process_is_told_from_a_new_thread(void **state)
{
	struct record process = fork_of(42, 41), thread = fork_of(42, 42);
	struct sideband_event event;

	(void)state;
	assert_true(sideband_parse(process.data, process.len, &event));
	assert_int_equal(event.type, SIDEBAND_FORK);
	assert_int_equal(event.pid, 42);
	assert_int_equal(event.parent, 41);
	assert_false(sideband_parse(thread.data, thread.len, &event));
}

static void an_exec_is_told_from_a_change_of_name(void **state)
{
	struct record exec = comm_of(PERF_RECORD_MISC_COMM_EXEC), name = comm_of(0);
	struct sideband_event event;

	(void)state;
	assert_true(sideband_parse(exec.data, exec.len, &event));
	assert_int_equal(event.type, SIDEBAND_EXEC);
	assert_int_equal(event.pid, 42);
	assert_false(sideband_parse(name.data, name.len, &event));
}

static void a_mapping_has_its_place_and_its_file(void **state)
{
	struct record record = mmap_of(PERF_RECORD_MISC_USER, 0x3000, "/bin/settle");
	struct sideband_event event;

	(void)state;
	assert_true(sideband_parse(record.data, record.len, &event));
	assert_int_equal(event.type, SIDEBAND_MMAP);
	assert_int_equal(event.mapping.start, 0x7f0000001000);
	assert_int_equal(event.mapping.end, 0x7f0000004000);
	assert_int_equal(event.mapping.offset, 0x2000);
	assert_int_equal(event.mapping.ino, 1234);
	assert_int_equal(event.mapping.dev, makedev(8, 1));
	assert_false(event.mapping.vdso);
}

static void the_vdso_is_known_by_its_name(void **state)
{
	struct record vdso = mmap_of(0, 0x1000, "[vdso]"), like = mmap_of(0, 0x1000, "[vdso]x");
	struct sideband_event event;

	(void)state;
	assert_true(sideband_parse(vdso.data, vdso.len, &event));
	assert_true(event.mapping.vdso);
	assert_true(sideband_parse(like.data, like.len, &event));
	assert_false(event.mapping.vdso);
}

static void a_mapping_that_can_not_be_is_refused(void **state)
{
	struct record none = mmap_of(0, 0, "/bin/settle");
	struct record beyond = mmap_of(0, UINT64_MAX - 0x1000, "/bin/settle");
	struct record build_id = mmap_of(PERF_RECORD_MISC_MMAP_BUILD_ID, 0x1000, "/bin/settle");
	struct sideband_event event;

	(void)state;
	assert_false(sideband_parse(none.data, none.len, &event));
	assert_false(sideband_parse(beyond.data, beyond.len, &event));
	assert_false(sideband_parse(build_id.data, build_id.len, &event));
}

static void records_that_were_lost_are_counted(void **state)
{
	struct record record = begin(PERF_RECORD_LOST, 0);
	struct sideband_event event;

	(void)state;
	put_u64(&record, 1);
	put_u64(&record, 17);
	put_u64(&record, 99);
	assert_true(sideband_parse(record.data, record.len, &event));
	assert_int_equal(event.type, SIDEBAND_LOST);
	assert_int_equal(event.lost, 17);
}

static struct record symbol_of(uint64_t addr, uint32_t len, uint32_t type_flags, const char *text)
{
	struct record record = begin(PERF_RECORD_KSYMBOL, 0);
	char name[256] = "";

	put_u64(&record, addr);
	put_u32(&record, len);
	put_u32(&record, type_flags);
	strcpy(name, text);
	put(&record, name, (strlen(text) + 8) & ~7UL);
	put_u64(&record, 99);
	return record;
}

static void check_symbol(uint32_t type_flags, const char *text, const char *name, bool gone)
{
	struct record record = symbol_of(0xffffffffc0001000, 64, type_flags, text);
	struct sideband_event event;

	assert_true(sideband_parse(record.data, record.len, &event));
	assert_int_equal(event.type, SIDEBAND_SYMBOL);
	assert_int_equal(event.symbol.start, 0xffffffffc0001000);
	assert_int_equal(event.symbol.end, 0xffffffffc0001040);
	assert_string_equal(event.symbol.name, name);
	assert_int_equal(event.symbol.gone, gone);
}

static void a_function_of_the_kernel_comes_and_goes(void **state)
{
	(void)state;
	check_symbol(PERF_RECORD_KSYMBOL_TYPE_BPF, "bpf_prog_12_tick", "bpf_prog_12_tick [bpf]",
		     false);
	check_symbol(PERF_RECORD_KSYMBOL_TYPE_OOL, "ftrace_trampoline", "ftrace_trampoline", false);
	check_symbol(PERF_RECORD_KSYMBOL_TYPE_BPF | PERF_RECORD_KSYMBOL_FLAGS_UNREGISTER << 16, "b",
		     "b [bpf]", true);
}

static void a_name_that_is_too_long_is_cut(void **state)
{
	char text[201] = "", name[SIDEBAND_NAME_BYTES] = "";

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	memset(name, 'x', sizeof(name) - 1);
	memcpy(name + sizeof(name) - 7, " [bpf]", 7);
	check_symbol(PERF_RECORD_KSYMBOL_TYPE_BPF, text, name, false);
}

static void a_function_without_name_or_place_is_refused(void **state)
{
	struct record nameless = symbol_of(0xffffffffc0001000, 64, 1, "");
	struct record empty = symbol_of(0xffffffffc0001000, 0, 1, "x");
	struct record beyond = symbol_of(UINT64_MAX, 64, 1, "x");
	struct sideband_event event;

	(void)state;
	assert_false(sideband_parse(nameless.data, nameless.len, &event));
	assert_false(sideband_parse(empty.data, empty.len, &event));
	assert_false(sideband_parse(beyond.data, beyond.len, &event));
}

static void a_record_that_is_cut_is_refused(void **state)
{
	struct record record[] = { fork_of(42, 41), comm_of(PERF_RECORD_MISC_COMM_EXEC) };
	struct sideband_event event;

	(void)state;
	assert_false(sideband_parse(record[0].data, record[0].len - 1, &event));
	for (size_t len = 0; len < 24; len++)
		assert_false(sideband_parse(record[1].data, len, &event));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_process_is_told_from_a_new_thread),
		cmocka_unit_test(an_exec_is_told_from_a_change_of_name),
		cmocka_unit_test(a_mapping_has_its_place_and_its_file),
		cmocka_unit_test(the_vdso_is_known_by_its_name),
		cmocka_unit_test(a_mapping_that_can_not_be_is_refused),
		cmocka_unit_test(records_that_were_lost_are_counted),
		cmocka_unit_test(a_function_of_the_kernel_comes_and_goes),
		cmocka_unit_test(a_name_that_is_too_long_is_cut),
		cmocka_unit_test(a_function_without_name_or_place_is_refused),
		cmocka_unit_test(a_record_that_is_cut_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
