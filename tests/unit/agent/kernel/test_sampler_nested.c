/* SPDX-License-Identifier: Apache-2.0 */

/* Directories below a container's, on the running kernel. */

#include "tests/unit/agent/sampler_rig.h"

static void make_below(const struct bench *b, const char *name, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%.4000s/%s", b->dir, name);
	assert_int_equal(mkdir(path, 0755), 0);
}

/* As if it stood in the container's own directory, and without news of the directory. */
static void what_lies_below_a_container_is_its_own(void **state)
{
	struct bench *b = *state;
	char inner[PATH_MAX], deep[PATH_MAX], pid[16];
	uint64_t samples;

	open_sampler(b, 0);
	make_cgroup(b);
	bind(b);
	b->row.whole = true;
	set_class(b, CLS, 100, CAPS_ALL);
	start(b);
	make_below(b, "inner", inner);
	make_below(b, "inner/deep", deep);
	sampler_poll(b->sampler, INT_MAX);
	assert_null(strstr(b->seen.made_path, "/inner"));
	assert_true(sampler_stat(b->sampler, PROF_STAT_NESTED) >= 2);
	spawn(b, chain);
	snprintf(pid, sizeof(pid), "%d", b->child);
	write_file(deep, "cgroup.procs", pid);
	drain(b);
	samples = b->seen.samples;
	work(b, 300);
	drain(b);
	assert_true(b->seen.samples > samples + 10);
	assert_int_equal(b->seen.rate_ns[100], b->seen.cpu_ns);

	b->row.whole = false;
	apply(b);
	drain(b);
	samples = b->seen.samples;
	run(b, 300);
	assert_int_equal(b->seen.samples, samples);
	stop(b);
	assert_int_equal(rmdir(deep), 0);
	assert_int_equal(rmdir(inner), 0);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_lies_below_a_container_is_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
