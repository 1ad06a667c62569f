/* SPDX-License-Identifier: Apache-2.0 */

/* On the running kernel: BPF programs that are loaded when the kernel's list of functions has been read have their own names.
 * Skips, and says why, where BPF is not to be had. */

#include "tests/unit/agent/sampler_rig.h"

#include "agent/kernel/sideband.h"
#include "agent/symbolize/symbolize.h"
#include "tests/unit/agent/read_pprof.h"

#define PROGRAMS 4096

struct programs { /* of /proc/kallsyms, as many as there is room for */
	uint64_t addr[PROGRAMS];
	size_t nr;
};

static bool has(const struct programs *programs, uint64_t addr)
{
	for (size_t i = 0; i < programs->nr; i++)
		if (programs->addr[i] == addr)
			return true;
	return false;
}

static void read_programs(struct programs *programs, const char *what)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	char line[512];

	programs->nr = 0;
	while (file && fgets(line, sizeof(line), file))
		if (strstr(line, " bpf_prog_") && strstr(line, what) && programs->nr < PROGRAMS)
			programs->addr[programs->nr++] = strtoull(line, NULL, 16);
	if (file)
		fclose(file);
}

static void on_event(void *ctx, const struct sideband_event *event)
{
	symbolizer_side_event(ctx, event);
}

static struct sideband *open_sideband(struct symbolizer *symbolizer)
{
	struct sideband *sideband = NULL;
	struct err err = ERR_INIT;

	if (sideband_new(on_event, symbolizer, &sideband, &err) < 0) {
		print_message("skipped: %s\n", err.text);
		symbolizer_free(symbolizer);
		skip();
	}
	return sideband;
}

static void check_name(struct symbolizer *symbolizer, uint64_t addr, const char *wanted)
{
	static const struct profile_meta meta = { .ns = "ns",
						  .pod = "p",
						  .container = "c",
						  .node = "n",
						  .rate_hz = 19,
						  .duration_ns = 1 };
	const struct sample sample = {
		.rate_hz = 19, .cpu_ns = 1, .samples = 1, .kernel = &addr, .kernel_nr = 1
	};
	struct profile *profile = profile_new();
	cleanup(freep) uint8_t *data = NULL;
	struct err err = ERR_INIT;
	Pprof__Profile *read;
	size_t len = 0;

	symbolizer_add(symbolizer, profile, &sample);
	assert_int_equal(symbolizer_encode(symbolizer, profile, &meta, &data, &len, &err), 0);
	read = read_pprof(data, len);
	print_message("  %s\n", function_of(read, 0, 0));
	assert_non_null(strstr(function_of(read, 0, 0), wanted));
	pprof__profile__free_unpacked(read, NULL);
	profile_free(profile);
}

static void programs_loaded_later_have_their_own_names(void **state)
{
	struct symbolizer *symbolizer = symbolizer_new(NULL);
	struct sideband *sideband = open_sideband(symbolizer);
	struct programs *before = xcalloc(1, sizeof(*before)), *after = xcalloc(1, sizeof(*after));
	size_t checked = 0;

	while (symbolizer_step(symbolizer))
		;
	read_programs(before, "_tick");
	open_sampler(*state, 0);
	read_programs(after, "_tick");
	sideband_drain(sideband);
	for (size_t i = 0; i < after->nr; i++) {
		if (!after->addr[i] || has(before, after->addr[i]))
			continue;
		check_name(symbolizer, after->addr[i] + 4, "_tick [bpf]");
		checked++;
	}
	if (!checked)
		print_message("skipped: the kernel does not list its BPF programs\n");
	sideband_free(sideband);
	symbolizer_free(symbolizer);
	free(before);
	free(after);
	if (!checked)
		skip();
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(programs_loaded_later_have_their_own_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
