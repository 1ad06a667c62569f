/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/kernel/sampler_priv.h"

#include <assert.h>
#include <string.h>
#include <stdio.h>

#include "sampler.skel.h"

static uint32_t state_row(const struct sampler *s, int cpu, uint32_t slot)
{
	assert(slot < s->skel->rodata->prof_slots);
	return (uint32_t)cpu * s->skel->rodata->prof_slots + slot;
}

void sampler_slot_clock(struct sampler *s, uint32_t slot, uint64_t *ret_seen_ns,
			uint64_t *ret_taken_ns)
{
	struct prof_state state;

	*ret_seen_ns = *ret_taken_ns = 0;
	for (int cpu = 0; cpu < s->possible_cpus; cpu++) {
		uint32_t row = state_row(s, cpu, slot);

		if (bpf_map__lookup_elem(s->skel->maps.states, &row, sizeof(row), &state,
					 sizeof(state), 0) < 0)
			continue;
		*ret_seen_ns += state.ns;
		*ret_taken_ns += state.last_ns;
	}
}

void sampler_slot_reset(struct sampler *s, uint32_t slot)
{
	static const struct prof_state zero;

	for (int cpu = 0; cpu < s->possible_cpus; cpu++) {
		uint32_t row = state_row(s, cpu, slot);
		int r = bpf_map__update_elem(s->skel->maps.states, &row, sizeof(row), &zero,
					     sizeof(zero), BPF_ANY);

		assert(r == 0); /* only a row out of range can fail */
		(void)r;
	}
}

uint64_t sampler_stat(struct sampler *s, enum prof_stat stat)
{
	uint64_t sum = 0;

	if (stat == PROF_STAT_NO_STACK)
		return s->no_stack;
	for (size_t cpu = 0; cpu < PROF_CPUS; cpu++)
		sum += s->skel->bss->prof_stats[cpu].nr[stat];
	return sum;
}

static uint64_t memlock_bytes(int fd)
{
	unsigned long long bytes = 0;
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, "memlock:", 8) == 0)
			bytes = strtoull(line + 8, NULL, 10);
	fclose(file);
	return bytes;
}

uint64_t sampler_map_bytes(const struct sampler *s)
{
	struct bpf_map *map;
	uint64_t sum = 0;

	bpf_object__for_each_map(map, s->skel->obj) sum += memlock_bytes(bpf_map__fd(map));
	return sum;
}

int sampler_cost(const struct sampler *s, struct sampler_cost *ret_cost)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);
	int r = bpf_obj_get_info_by_fd(bpf_program__fd(s->skel->progs.tick), &info, &len);

	if (r < 0)
		return r;
	*ret_cost = (struct sampler_cost){ info.run_time_ns, info.run_cnt, info.verified_insns };
	return 0;
}
