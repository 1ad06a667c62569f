/* SPDX-License-Identifier: Apache-2.0 */

/* The sampler on the running kernel.  Skips, and says why, where BPF is not to be had. */

#include "tests/unit/agent/sampler_rig.h"

#include <sched.h>

static void samples_add_up_to_the_cpu_time_of_the_cgroup_at_its_rate(void **state)
{
	struct bench *b = *state;
	uint64_t before, used, seen_ns, taken_ns;
	int64_t wall;

	open_sampler(b, 0);
	make_cgroup(b);
	bind(b);
	set_class(b, CLS, 100, CAPS_ALL);
	start(b);
	spawn(b, chain);
	before = usage_ns(b);
	wall = now_ns();
	work(b, 1500);
	stop(b);
	wall = now_ns() - wall;
	used = usage_ns(b) - before;
	drain(b);
	sampler_slot_clock(b->sampler, SLOT, &seen_ns, &taken_ns);
	assert_int_equal(b->seen.cpu_ns, taken_ns);
	assert_true(seen_ns - taken_ns <= 40 * NSEC_PER_MSEC);
	assert_cpu(b, b->seen.cpu_ns, used, wall);
	assert_near("rate", (double)b->seen.samples * 1e9 / (double)seen_ns, 100, 0.05);
	assert_near("of it in the innermost function", (double)b->seen.in_spin,
		    (double)b->seen.samples, 0.1);
	assert_near("of it with its caller", (double)b->seen.in_chain, (double)b->seen.samples,
		    0.1);
	assert_int_equal(b->seen.processes, 1);
	assert_int_equal(sampler_stat(b->sampler, PROF_STAT_LOST_RING), 0);
	assert_int_equal(sampler_stat(b->sampler, PROF_STAT_NO_STACK), 0);
	assert_int_equal(sampler_stat(b->sampler, PROF_STAT_NO_STATE), 0);
}

/* Run for a second at `rate_hz`; what matters is the CPU time it got, not the clock on the wall.
 * Each CPU may have one stratum open at either end.  Returns that time in ns. */
static double phase(struct bench *b, uint32_t rate_hz)
{
	uint64_t before_ns, after_ns, taken_ns, samples = b->seen.samples;
	double want, strata = 2 * (double)sysconf(_SC_NPROCESSORS_ONLN);

	sampler_slot_clock(b->sampler, SLOT, &before_ns, &taken_ns);
	run(b, 1000);
	sampler_slot_clock(b->sampler, SLOT, &after_ns, &taken_ns);
	want = (double)(after_ns - before_ns) / 1e9 * rate_hz;
	assert_near("samples", (double)(b->seen.samples - samples), want, 0.03 + strata / want);
	return (double)(after_ns - before_ns);
}

static void a_rate_changes_while_it_runs_and_no_time_is_lost(void **state)
{
	struct bench *b = *state;
	uint64_t seen_ns, taken_ns;
	double low, high, open_ns = 4e9 / 19; /* what passes from one phase to the next */

	open_sampler(b, 0);
	make_cgroup(b);
	bind(b);
	set_class(b, CLS, 19, CAPS_ALL);
	start(b);
	spawn(b, chain);
	low = phase(b, 19);
	set_class(b, CLS, 200, CAPS_ALL); /* a higher base as well */
	apply(b);
	high = phase(b, 200);
	set_class(b, CLS, 19, CAPS_ALL);
	apply(b);
	low += phase(b, 19);
	stop(b);
	drain(b);
	sampler_slot_clock(b->sampler, SLOT, &seen_ns, &taken_ns);
	assert_int_equal(b->seen.cpu_ns, taken_ns);
	assert_near("CPU given to 19 Hz", (double)b->seen.rate_ns[19], low, open_ns / low);
	assert_near("CPU given to 200 Hz", (double)b->seen.rate_ns[200], high, open_ns / high);
}

static void a_class_that_is_off_takes_nothing_and_leaves_no_debt(void **state)
{
	struct bench *b = *state;
	uint64_t before;

	open_sampler(b, 0);
	make_cgroup(b);
	bind(b);
	set_class(b, CLS, 0, CAPS_ALL);
	start(b);
	spawn(b, chain);
	work(b, 1000);
	drain(b);
	assert_int_equal(b->seen.samples, 0);
	set_class(b, CLS, 49, CAPS_ALL);
	before = usage_ns(b);
	apply(b);
	work(b, 300);
	drain(b);
	/* By a comb of 53 Hz, some more or less; a debt would be a second. */
	assert_in_range(b->seen.cpu_ns, 1, usage_ns(b) - before + 400 * NSEC_PER_MSEC);
}

static void an_unknown_cgroup_loses_nothing(void **state)
{
	struct bench *b = *state;
	uint64_t before, used;
	int64_t wall;

	open_sampler(b, 0);
	make_cgroup(b);
	set_class(b, PROF_CLASS_UNKNOWN, 19, CAPS_ALL);
	b->want.base_hz = 211;
	start(b);
	spawn(b, chain);
	before = usage_ns(b);
	wall = now_ns();
	run(b, 1000);
	stop(b);
	wall = now_ns() - wall;
	used = usage_ns(b) - before;
	drain(b);
	assert_cpu(b, b->seen.cpu_ns, used, wall);
	assert_true(sampler_stat(b->sampler, PROF_STAT_UNKNOWN_CGROUP) >= b->seen.samples);
}

static void call_kernel(void)
{
	char page[4096];
	FILE *file = fopen("/proc/self/status", "r");

	while (file && fgets(page, sizeof(page), file))
		sink++;
	if (file)
		fclose(file);
}

static void kernel_frames_come_only_where_they_are_wanted(void **state)
{
	struct bench *b = *state;
	uint64_t with;

	open_sampler(b, 0);
	make_cgroup(b);
	bind(b);
	set_class(b, CLS, 200, CAPS_ALL);
	start(b);
	spawn(b, call_kernel);
	run(b, 700);
	with = b->seen.in_kernel;
	print_message("  with kernel frames: %llu of %llu\n", (unsigned long long)with,
		      (unsigned long long)b->seen.samples);
	assert_true(with > b->seen.samples / 4);
	set_class(b, CLS, 200, CAPS_ALL & ~CAP_KERNEL);
	apply(b);
	drain(b);
	with = b->seen.in_kernel;
	run(b, 300);
	assert_int_equal(b->seen.in_kernel, with);
}

static void a_full_map_overflows_to_the_ring_buffer_and_loses_nothing(void **state)
{
	struct bench *b = *state;
	uint64_t seen_ns, taken_ns;

	open_sampler(b, 4);
	make_cgroup(b);
	bind(b);
	set_class(b, CLS, 200, CAPS_ALL);
	start(b);
	spawn(b, call_kernel);
	run(b, 700);
	stop(b);
	drain(b);
	sampler_slot_clock(b->sampler, SLOT, &seen_ns, &taken_ns);
	assert_int_equal(b->seen.cpu_ns, taken_ns);
	assert_true(sampler_stat(b->sampler, PROF_STAT_OVERFLOW) > 10);
	assert_int_equal(sampler_stat(b->sampler, PROF_STAT_LOST_RING), 0);
}

/* The clock is kept by CPU. */
static void call_kernel_on_one_cpu(void)
{
	cpu_set_t first;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	sched_setaffinity(0, sizeof(first), &first);
	call_kernel();
}

/* What was lost is in the weight of the next. */
static void a_full_ring_buffer_gives_its_cpu_time_back(void **state)
{
	struct bench *b = *state;
	struct sampler_options options = { .rows = 1, .ring_bytes = 4096 };
	uint64_t seen_ns, taken_ns;

	open_sampler_with(b, &options);
	make_cgroup(b);
	bind(b);
	set_class(b, CLS, 200, CAPS_ALL);
	start(b);
	spawn(b, call_kernel_on_one_cpu);
	work(b, 700);
	assert_true(sampler_stat(b->sampler, PROF_STAT_LOST_RING) > 10);
	drain(b);
	run(b, 100);
	stop(b);
	drain(b);
	sampler_slot_clock(b->sampler, SLOT, &seen_ns, &taken_ns);
	assert_int_equal(b->seen.cpu_ns, taken_ns);
	assert_true(seen_ns - taken_ns <= 40 * NSEC_PER_MSEC);
}

/* The cgroup goes from class to class, and each time the class it was in ends. */
static void a_class_that_ends_takes_nothing_from_a_cgroup_that_leaves_it(void **state)
{
	struct bench *b = *state;
	uint64_t seen_ns, taken_ns;
	int64_t end = now_ns() + 30 * NSEC_PER_SEC;

	open_sampler(b, 0);
	make_cgroup(b);
	bind(b);
	set_class(b, CLS, 200, CAPS_ALL);
	set_class(b, CLS + 1, 0, 0);
	start(b);
	spawn(b, chain);
	while (usage_ns(b) < 300 * NSEC_PER_MSEC && now_ns() < end) {
		b->want.cls[b->row.cls] = (struct want_class){ 0 };
		b->row.cls = 2 * CLS + 1 - b->row.cls;
		set_class(b, b->row.cls, 200, CAPS_ALL);
		apply(b);
	}
	stop(b);
	drain(b);
	sampler_slot_clock(b->sampler, SLOT, &seen_ns, &taken_ns);
	assert_int_equal(b->seen.cpu_ns, taken_ns);
	assert_int_equal(b->seen.rate_ns[200], taken_ns);
	assert_true(taken_ns > 0);
}

static void wait_for(struct bench *b, const uint64_t *what)
{
	struct pollfd fd = { .fd = sampler_fd(b->sampler), .events = POLLIN };
	int64_t end = now_ns() + NSEC_PER_SEC;

	while (!*what && now_ns() < end)
		if (poll(&fd, 1, 100) > 0)
			sampler_poll(b->sampler, 1);
}

static void a_new_cgroup_is_told_with_its_id_and_path(void **state)
{
	struct bench *b = *state;
	uint64_t id;

	open_sampler(b, 0);
	set_class(b, CLS, 19, CAPS_ALL);
	start(b);
	make_cgroup(b);
	id = b->seen.cgroup;
	for (int i = 0; i < 20 && b->seen.made != id; i++) {
		b->seen.made = 0;
		wait_for(b, &b->seen.made);
	}
	assert_int_equal(b->seen.made, id);
	assert_string_equal(strrchr(b->seen.made_path, '/'), strrchr(b->dir, '/'));
	assert_int_equal(rmdir(b->dir), 0);
	b->dir[0] = '\0';
	for (int i = 0; i < 20 && b->seen.gone != id; i++) {
		b->seen.gone = 0;
		wait_for(b, &b->seen.gone);
	}
	assert_int_equal(b->seen.gone, id);
}

static void without_cgroup2_the_memory_controller_names_the_container(void **state)
{
	struct bench *b = *state;
	struct sampler_options options = { .v1 = true };

	make_cgroup_in(b, "rw,memory");
	open_sampler_with(b, &options);
	bind(b);
	set_class(b, CLS, 100, CAPS_ALL);
	start(b);
	spawn(b, chain);
	run(b, 500);
	assert_true(b->seen.samples > 5);
	assert_near("of it in the innermost function", (double)b->seen.in_spin,
		    (double)b->seen.samples, 0.1);
}

static void a_check_of_unchanged_cpus_changes_nothing(void **state)
{
	struct bench *b = *state;
	struct err err = ERR_INIT;
	uint64_t ticks;

	open_sampler(b, 0);
	assert_int_equal(sampler_check_cpus(b->sampler, &err), 0);
	set_class(b, CLS, 19, CAPS_ALL);
	make_cgroup(b);
	bind(b);
	start(b);
	spawn(b, chain);
	assert_int_equal(sampler_check_cpus(b->sampler, &err), 0);
	ticks = sampler_stat(b->sampler, PROF_STAT_TICKS);
	run(b, 300);
	assert_true(sampler_stat(b->sampler, PROF_STAT_TICKS) > ticks);
}

static void a_slot_begins_at_zero_for_the_next_container(void **state)
{
	struct bench *b = *state;
	uint64_t seen_ns, taken_ns;

	open_sampler(b, 0);
	make_cgroup(b);
	bind(b);
	set_class(b, CLS, 49, CAPS_ALL);
	start(b);
	spawn(b, chain);
	run(b, 300);
	stop(b);
	sampler_slot_clock(b->sampler, SLOT, &seen_ns, &taken_ns);
	assert_true(seen_ns > 0);
	sampler_slot_reset(b->sampler, SLOT);
	sampler_slot_clock(b->sampler, SLOT, &seen_ns, &taken_ns);
	assert_int_equal(seen_ns, 0);
	assert_int_equal(taken_ns, 0);
}

static void a_row_that_can_not_be_written_is_named_and_the_old_ones_stay(void **state)
{
	struct bench *b = *state;
	struct want_cgroup *many = xcalloc(PROF_CGROUPS + 1, sizeof(*many));
	struct err err = ERR_INIT;

	open_sampler(b, 0);
	set_class(b, CLS, 19, CAPS_ALL);
	start(b);
	for (size_t i = 0; i < PROF_CGROUPS + 1; i++)
		many[i] = (struct want_cgroup){ .id = i + 1, .slot = 1, .cls = CLS };
	b->want.cgroup = many;
	b->want.cgroup_nr = PROF_CGROUPS;
	apply(b);
	b->want.cgroup_nr = PROF_CGROUPS + 1;
	assert_int_equal(sampler_apply(b->sampler, &b->want, &err), -E2BIG);
	assert_non_null(strstr(err.text, "16385 cgroups"));
	b->want.cgroup_nr = 0;
	apply(b);
	free(many);
}

static void it_is_small(void **state)
{
	struct bench *b = *state;
	struct sampler_cost cost = { 0 };

	open_sampler(b, 0);
	assert_int_equal(sampler_cost(b->sampler, &cost), 0);
	print_message("  verified instructions: %llu, maps: %llu bytes\n",
		      (unsigned long long)cost.verified_insns,
		      (unsigned long long)sampler_map_bytes(b->sampler));
	assert_true(cost.verified_insns < 30000); /* 6.1 walks the longest way */
	if (sysconf(_SC_NPROCESSORS_CONF) <= 2)
		assert_in_range(sampler_map_bytes(b->sampler), 1000000, 11 * 1024 * 1024);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(it_is_small),
		CASE(samples_add_up_to_the_cpu_time_of_the_cgroup_at_its_rate),
		CASE(a_rate_changes_while_it_runs_and_no_time_is_lost),
		CASE(a_class_that_is_off_takes_nothing_and_leaves_no_debt),
		CASE(an_unknown_cgroup_loses_nothing),
		CASE(kernel_frames_come_only_where_they_are_wanted),
		CASE(a_full_map_overflows_to_the_ring_buffer_and_loses_nothing),
		CASE(a_full_ring_buffer_gives_its_cpu_time_back),
		CASE(a_class_that_ends_takes_nothing_from_a_cgroup_that_leaves_it),
		CASE(a_new_cgroup_is_told_with_its_id_and_path),
		CASE(without_cgroup2_the_memory_controller_names_the_container),
		CASE(a_check_of_unchanged_cpus_changes_nothing),
		CASE(a_slot_begins_at_zero_for_the_next_container),
		CASE(a_row_that_can_not_be_written_is_named_and_the_old_ones_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
