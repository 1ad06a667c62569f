/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/kernel/sampler_priv.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "sampler.skel.h"

#define BATCH 512

/* Where one map's rows go, one by one. */
struct drain {
	struct sampler *sampler;
	int map, stacks;
	size_t key_size, value_size;
	void (*row)(struct drain *drain, const void *key, const void *value);
	uint64_t user[PROF_CHUNKS * PROF_CHUNK], kernel[PROF_CHUNKS * PROF_CHUNK];
};

static void each(struct drain *d, const char *key, const char *value, uint32_t nr)
{
	for (uint32_t i = 0; d->row && i < nr; i++)
		d->row(d, key + i * d->key_size, value + i * d->value_size);
}

/* One by one, for kernels and maps that know no batches. */
static int drain_slowly(struct drain *d)
{
	cleanup(freep) char *key = xmalloc(d->key_size);
	cleanup(freep) char *value = xmalloc(d->value_size);
	int nr = 0, r;

	while (bpf_map_get_next_key(d->map, NULL, key) == 0) {
		if (bpf_map_lookup_elem(d->map, key, value) == 0)
			each(d, key, value, 1);
		r = bpf_map_delete_elem(d->map, key);
		if (r < 0)
			return r;
		nr++;
	}
	return nr;
}

/* Read and delete every row; returns how many. */
static int drain_map(struct drain *d)
{
	cleanup(freep) char *key = xcalloc(BATCH, d->key_size);
	cleanup(freep) char *value = xcalloc(BATCH, d->value_size);
	uint32_t at = 0, nr;
	bool first = true;
	int r, sum = 0;

	do {
		nr = BATCH;
		r = bpf_map_lookup_and_delete_batch(d->map, first ? NULL : &at, &at, key, value,
						    &nr, NULL);
		if (r < 0 && r != -ENOENT) {
			r = drain_slowly(d);
			return r < 0 ? r : sum + r;
		}
		each(d, key, value, nr);
		sum += (int)nr;
		first = false;
	} while (r == 0);
	return sum;
}

/* Put a stack's chunks together; returns the number of frames, 0 if a chunk is missing. */
static size_t read_stack(int map, uint64_t hash, uint32_t nr, uint64_t *ip)
{
	struct prof_stack_key key = { .hash = hash, .nr = nr };

	if (!hash || nr > PROF_DEPTH_USER)
		return 0;
	for (; key.chunk * PROF_CHUNK < nr; key.chunk++)
		if (bpf_map_lookup_elem(map, &key, ip + (size_t)key.chunk * PROF_CHUNK) < 0)
			return 0;
	return nr;
}

static void count_row(struct drain *d, const void *key_bytes, const void *value_bytes)
{
	struct prof_key key;
	struct prof_count count;
	struct sample sample;

	memcpy(&key, key_bytes, sizeof(key));
	memcpy(&count, value_bytes, sizeof(count));
	sample = (struct sample){
		.cgroup = key.cgroup,
		.image = key.image,
		.tgid = key.tgid,
		.rate_hz = key.rate_hz,
		.cpu_ns = count.cpu_ns,
		.samples = count.samples,
		.end = key.end,
		.user = d->user,
		.user_nr = read_stack(d->stacks, key.user_hash, key.user_nr, d->user),
		.kernel = d->kernel,
		.kernel_nr = read_stack(d->stacks, key.kernel_hash, key.kernel_nr, d->kernel),
	};
	if (sample.user_nr != key.user_nr || sample.kernel_nr != key.kernel_nr)
		d->sampler->no_stack += count.samples;
	d->sampler->events.sample(d->sampler->ctx, &sample);
}

int sampler_drain(struct sampler *s, struct err *err)
{
	bool second = !(s->skel->bss->prof_set & 1);
	int stacks = bpf_map__fd(second ? s->skel->maps.stacks1 : s->skel->maps.stacks0);
	int counts = bpf_map__fd(second ? s->skel->maps.counts1 : s->skel->maps.counts0);
	cleanup(freep) struct drain *d = xcalloc(1, sizeof(*d));
	int r, rows;

	sampler_poll(s, INT_MAX);
	*d = (struct drain){ .sampler = s,
			     .map = counts,
			     .stacks = stacks,
			     .key_size = sizeof(struct prof_key),
			     .value_size = sizeof(struct prof_count),
			     .row = count_row };
	rows = drain_map(d);
	*d = (struct drain){ .map = stacks,
			     .key_size = sizeof(struct prof_stack_key),
			     .value_size = sizeof(struct prof_chunk) };
	r = drain_map(d);
	if (rows < 0 || r < 0) {
		r = rows < 0 ? rows : r;
		return err_set(err, r, "reading the sample maps: %s", strerror(-r));
	}
	return rows;
}
