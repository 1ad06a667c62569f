/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/agent/sampler_rig.h"

#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include "agent/kernel/sampler_priv.h"
#include "sampler.skel.h"

/* --- a change that fails half-way --- */

static uint32_t kernel_rate(const struct bench *b, uint32_t cls)
{
	struct prof_class row;

	assert_int_equal(bpf_map__lookup_elem(b->sampler->skel->maps.classes, &cls, sizeof(cls),
					      &row, sizeof(row), 0),
			 0);
	return row.rate_hz;
}

/* The class row of a cgroup, or -1. */
static int kernel_class(const struct bench *b, uint64_t id)
{
	struct prof_cgroup row;

	if (bpf_map__lookup_elem(b->sampler->skel->maps.cgroups, &id, sizeof(id), &row, sizeof(row),
				 0) < 0)
		return -1;
	return (int)row.cls;
}

/* Rows of somebody else, until there is room for no more than `free_nr`. */
static void fill_cgroups(struct bench *b, size_t free_nr)
{
	struct prof_cgroup row = { .slot = 1, .cls = CLS };

	for (uint64_t id = 1UL << 40;; id++)
		if (bpf_map__update_elem(b->sampler->skel->maps.cgroups, &id, sizeof(id), &row,
					 sizeof(row), BPF_NOEXIST) < 0)
			break;
	for (uint64_t id = 1UL << 40; id < (1UL << 40) + free_nr; id++)
		assert_int_equal(
			bpf_map__delete_elem(b->sampler->skel->maps.cgroups, &id, sizeof(id), 0),
			0);
}

static uint64_t ticks_in(struct bench *b, int ms)
{
	uint64_t before = sampler_stat(b->sampler, PROF_STAT_TICKS);

	sleep_ms(ms);
	return sampler_stat(b->sampler, PROF_STAT_TICKS) - before;
}

/* At 19 Hz, base 53, with cgroups 1 and 2. */
static void start_with_two(struct bench *b, struct want_cgroup cgroup[4])
{
	open_sampler(b, 0);
	set_class(b, CLS, 19, CAPS_ALL);
	for (size_t i = 0; i < 4; i++)
		cgroup[i] = (struct want_cgroup){ .id = i + 1, .slot = 1, .cls = CLS };
	b->want.cgroup = cgroup;
	b->want.cgroup_nr = 2;
	start(b);
}

static void check_nothing_has_changed(struct bench *b)
{
	assert_int_equal(b->sampler->base_hz, 53);
	assert_int_equal(kernel_rate(b, CLS), 19);
	assert_int_equal(kernel_rate(b, CLS + 1), 0);
	assert_int_equal(kernel_class(b, 1), CLS);
	assert_int_equal(kernel_class(b, 2), CLS);
	assert_int_equal(kernel_class(b, 3), -1);
	assert_int_equal(kernel_class(b, 4), -1);
}

static void a_full_map_undoes_all_that_was_written_before(void **state)
{
	struct bench *b = *state;
	struct want_cgroup cgroup[4];
	struct want good;
	struct err err = ERR_INIT;

	start_with_two(b, cgroup);
	good = b->want;
	/* The class, the base, a deletion, a change and the third cgroup are written; the fourth has no room. */
	fill_cgroups(b, 0);
	set_class(b, CLS, 200, CAPS_ALL);
	set_class(b, CLS + 1, 150, CAPS_ALL);
	cgroup[1].cls = CLS + 1;
	b->want.cgroup = cgroup + 1;
	b->want.cgroup_nr = 3;
	assert_true(sampler_apply(b->sampler, &b->want, &err) < 0);
	assert_non_null(strstr(err.text, "cgroup 4 (slot 1, class row 2)"));
	assert_null(strstr(err.text, "half changed"));
	check_nothing_has_changed(b);
	/* What was there may be asked for again, and what failed when there is room. */
	cgroup[1].cls = CLS;
	assert_int_equal(sampler_apply(b->sampler, &good, &err), 0);
	check_nothing_has_changed(b);
	cgroup[1].cls = CLS + 1;
	fill_cgroups(b, 2);
	apply(b);
	assert_int_equal(kernel_rate(b, CLS), 200);
	assert_int_equal(kernel_class(b, 1), -1);
	assert_int_equal(kernel_class(b, 2), CLS + 1);
	assert_int_equal(kernel_class(b, 4), CLS);
}

/* No new descriptor from now on; returns what was allowed before. */
static struct rlimit allow_no_files(void)
{
	struct rlimit before, none = { 0 };

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	return before;
}

static void events_that_can_not_be_opened_leave_the_old_ones_running(void **state)
{
	struct bench *b = *state;
	struct want_cgroup cgroup[4];
	struct err err = ERR_INIT;
	struct rlimit before;
	int r;

	start_with_two(b, cgroup);
	set_class(b, CLS, 200, CAPS_ALL);
	before = allow_no_files();
	r = sampler_apply(b->sampler, &b->want, &err);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_true(r < 0);
	check_nothing_has_changed(b);
	make_cgroup(b);
	spawn(b, chain);
	assert_true(ticks_in(b, 400) > 0);
	apply(b);
	assert_int_equal(b->sampler->base_hz, 211);
	assert_true(ticks_in(b, 400) > 0);
}

/* --- a CPU that went off and came back --- */

static void an_event_that_stands_still_is_replaced(void **state)
{
	struct bench *b = *state;
	struct want_cgroup cgroup[4];
	struct err err = ERR_INIT;

	start_with_two(b, cgroup);
	make_cgroup(b);
	spawn(b, chain);
	assert_int_equal(sampler_check_cpus(b->sampler, &err), 0);
	/* To the event, what a CPU does that goes off. */
	for (size_t i = 0; i < b->sampler->cpu_nr; i++)
		assert_int_equal(ioctl(b->sampler->cpu[i].fd, PERF_EVENT_IOC_DISABLE, 0), 0);
	assert_int_equal(ticks_in(b, 300), 0);
	assert_int_equal(sampler_check_cpus(b->sampler, &err), 0);
	assert_int_equal(sampler_check_cpus(b->sampler, &err), 0);
	assert_true(ticks_in(b, 300) > 0);
}

static void events_that_run_are_kept(void **state)
{
	struct bench *b = *state;
	struct want_cgroup cgroup[4];
	struct err err = ERR_INIT;
	struct bpf_link *first;

	start_with_two(b, cgroup);
	first = b->sampler->cpu[0].link;
	for (int i = 0; i < 50; i++)
		assert_int_equal(sampler_check_cpus(b->sampler, &err), 0);
	assert_ptr_equal(b->sampler->cpu[0].link, first);
}

static void cpu1(const char *text)
{
	write_file("/sys/devices/system/cpu/cpu1", "online", text);
}

/* It takes a CPU away from everybody on the machine, so only when asked to. */
static void a_cpu_that_went_off_and_came_back_is_sampled(void **state)
{
	struct bench *b = *state;
	struct want_cgroup cgroup[4];
	struct err err = ERR_INIT;
	uint64_t before = 0, after = 0;
	uint64_t count[2];

	if (!getenv("RUBATO_TEST_HOTPLUG") ||
	    access("/sys/devices/system/cpu/cpu1/online", W_OK) < 0) {
		print_message("skipped: RUBATO_TEST_HOTPLUG is not set, or CPU 1 stays\n");
		skip();
	}
	start_with_two(b, cgroup);
	assert_int_equal(sampler_check_cpus(b->sampler, &err), 0);
	cpu1("0");
	cpu1("1");
	for (int i = 0; i < 2; i++)
		assert_int_equal(sampler_check_cpus(b->sampler, &err), 0);
	assert_int_equal(read(b->sampler->cpu[1].fd, count, sizeof(count)), sizeof(count));
	before = count[1];
	sleep_ms(50);
	assert_int_equal(read(b->sampler->cpu[1].fd, count, sizeof(count)), sizeof(count));
	after = count[1];
	assert_true(after > before);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_full_map_undoes_all_that_was_written_before),
		CASE(events_that_can_not_be_opened_leave_the_old_ones_running),
		CASE(an_event_that_stands_still_is_replaced),
		CASE(events_that_run_are_kept),
		CASE(a_cpu_that_went_off_and_came_back_is_sampled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
