/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/kernel/sampler_priv.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "sampler.skel.h"

static void on_cgroup(struct sampler *s, const void *data, size_t size)
{
	const struct prof_event_cgroup *ev = data;

	if (size < sizeof(*ev))
		return;
	if (ev->type == PROF_EVENT_RMDIR)
		s->events.cgroup_gone(s->ctx, ev->id, ev->path);
	else
		s->events.cgroup_made(s->ctx, ev->id, ev->path);
}

static void on_process(struct sampler *s, const void *data, size_t size)
{
	const struct prof_event_process *ev = data;

	if (size >= sizeof(*ev))
		s->events.process_seen(s->ctx, ev->tgid, ev->image, ev->cgroup);
}

static void on_sample(struct sampler *s, const void *data, size_t size)
{
	const struct prof_event_sample *ev = data;
	const uint64_t *ip = (const uint64_t *)(ev + 1);
	struct sample sample;

	if (size < sizeof(*ev) + sizeof(*ip) * ((size_t)ev->key.user_nr + ev->key.kernel_nr))
		return;
	sample = (struct sample){
		.cgroup = ev->key.cgroup,
		.image = ev->key.image,
		.tgid = ev->key.tgid,
		.rate_hz = ev->key.rate_hz,
		.cpu_ns = ev->count.cpu_ns,
		.samples = ev->count.samples,
		.end = ev->key.end,
		.user = ip,
		.user_nr = ev->key.user_nr,
		.kernel = ip + ev->key.user_nr,
		.kernel_nr = ev->key.kernel_nr,
	};
	s->events.sample(s->ctx, &sample);
}

/* A negative result stops the reader after this record: that is how `max` is kept. */
static int on_record(void *ctx, void *data, size_t size)
{
	struct sampler *s = ctx;
	const uint32_t *type = data;

	if (*type == PROF_EVENT_SAMPLE)
		on_sample(s, data, size);
	else if (*type == PROF_EVENT_PROCESS)
		on_process(s, data, size);
	else
		on_cgroup(s, data, size);
	return --s->poll_left > 0 ? 0 : -ECANCELED;
}

int sampler_poll(struct sampler *s, int max)
{
	s->poll_left = max;
	if (max > 0)
		ring_buffer__consume(s->ring);
	return max - s->poll_left;
}

int sampler_fd(const struct sampler *s)
{
	return ring_buffer__epoll_fd(s->ring);
}

static int open_rings(struct sampler *s, struct err *err)
{
	int r;

	s->ring = ring_buffer__new(bpf_map__fd(s->skel->maps.events), on_record, s, NULL);
	if (!s->ring)
		return err_set(err, -errno, "mapping the ring buffer: %s", strerror(errno));
	r = ring_buffer__add(s->ring, bpf_map__fd(s->skel->maps.overflow), on_record, s);
	return r < 0 ? err_set(err, r, "mapping the ring buffer: %s", strerror(-r)) : 0;
}

int sampler_new(const struct sampler_options *options, const struct sampler_events *events,
		void *ctx, struct sampler **ret_sampler, struct err *err)
{
	struct sampler *s = xcalloc(1, sizeof(*s));
	int r;

	s->events = *events;
	s->ctx = ctx;
	r = sampler_load(s, options, err);
	if (r == 0)
		r = open_rings(s, err);
	if (r < 0) {
		sampler_free(s);
		return r;
	}
	*ret_sampler = s;
	return 0;
}

void sampler_free(struct sampler *s)
{
	if (!s)
		return;
	if (sampler_set_base(s, 0, NULL) < 0)
		assert(!"closing can not fail");
	for (size_t i = 0; i < ARRAY_SIZE(s->cgroup_link); i++)
		bpf_link__destroy(s->cgroup_link[i]);
	ring_buffer__free(s->ring);
	if (s->cls)
		munmap(s->cls, PROF_CLASSES * sizeof(*s->cls));
	sampler_bpf__destroy(s->skel);
	map_rows_release(&s->applied);
	free(s);
}

static int watch_cgroups(struct sampler *s, struct err *err)
{
	struct bpf_program *program[] = { s->skel->progs.cgroup_mkdir, s->skel->progs.cgroup_rmdir,
					  s->skel->progs.cgroup_rename };

	for (size_t i = 0; i < ARRAY_SIZE(program); i++) {
		if (!bpf_program__autoload(program[i]) || s->cgroup_link[i])
			continue;
		s->cgroup_link[i] = bpf_program__attach_trace(program[i]);
		if (!s->cgroup_link[i])
			return err_set(err, -errno, "attaching to the tracepoint %s: %s",
				       bpf_program__name(program[i]), strerror(errno));
	}
	return 0;
}

int sampler_start(struct sampler *s, const struct want *want, struct err *err)
{
	int r = watch_cgroups(s, err);

	return r < 0 ? r : sampler_apply(s, want, err);
}

void sampler_swap(struct sampler *s)
{
	__atomic_fetch_xor(&s->skel->bss->prof_set, 1, __ATOMIC_SEQ_CST);
}
