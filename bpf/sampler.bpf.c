/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* The programs of the sampler: maps, helpers and nothing clever; what decides is in
 * sampler_logic.h.
 *
 * Nothing newer than Linux 5.15, no bpf_get_stackid() (it loses or confuses stacks on collisions),
 * hash maps preallocated (a tick runs in an interrupt). */

#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <linux/errno.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/kernel_types.h"
#include "bpf/sampler.h"
#include "bpf/sampler_cgroup.h"
#include "bpf/sampler_logic.h"
#include "bpf/sampler_maps.h"

#define PID_LEVELS 33 /* MAX_PID_NS_LEVEL and the first */

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile __u64 prof_seed = 1;
/* The number of the PID namespace that the agent sees; 0 = the first one, which is everybody's. */
const volatile __u32 prof_pid_namespace = 0;
const volatile __u32 prof_slots = PROF_SLOTS;
__u32 prof_set; /* which counts[] and stacks[] are written to */
struct prof_stats prof_stats[PROF_CPUS] __attribute__((aligned(64)));

static __always_inline struct prof_stats *own_stats(void)
{
	return &prof_stats[bpf_get_smp_processor_id() & (PROF_CPUS - 1)];
}

static __always_inline struct prof_state *own_state(__u32 slot)
{
	__u32 row = bpf_get_smp_processor_id() * prof_slots + slot;

	return slot < prof_slots ? bpf_map_lookup_elem(&states, &row) : 0;
}

/* volatile: the compiler may not merge two loads into one from a computed address, which the
 * verifier refuses for the context. */
#define CTX_REG(ctx, name) (*(const volatile __u64 *)&(ctx)->regs.name)

/* The process's number as the agent's /proc has it. */
static __always_inline __u32 own_tgid(struct task_struct *task)
{
	struct pid *pid;
	__u32 level, i;

	if (!prof_pid_namespace)
		return bpf_get_current_pid_tgid() >> 32;
	pid = BPF_CORE_READ(task, group_leader, thread_pid);
	level = BPF_CORE_READ(pid, level);
	for (i = 0; i < PID_LEVELS && i <= level; i++) {
		struct upid *upid = (void *)pid + bpf_core_field_offset(struct pid, numbers) +
				    i * bpf_core_type_size(struct upid);

		if (BPF_CORE_READ(upid, ns, ns.inum) == prof_pid_namespace)
			return BPF_CORE_READ(upid, nr);
	}
	return 0;
}

/* Unlike the address of its memory, what exec makes never comes back. */
static __always_inline __u64 own_image(struct task_struct *task)
{
	__u64 start = BPF_CORE_READ(task, group_leader, start_boottime);
	__u64 exec = BPF_CORE_READ(task, self_exec_id);
	__u64 hash = prof_hash_step(prof_seed, start, prof_seed);

	return prof_hash_end(prof_hash_step(hash, exec, prof_seed), 0);
}

/* The registers the task had when it last ran in user mode. */
static __always_inline _Bool user_frame(struct bpf_perf_event_data *ctx, struct prof_frame *f)
{
	struct pt_regs___kernel *regs;
	__u64 cs = CTX_REG(ctx, cs) & 0xffff;

	if (prof_is_user_mode(cs)) {
		*f = (struct prof_frame){ CTX_REG(ctx, rip), CTX_REG(ctx, rbp), CTX_REG(ctx, rsp) };
		return cs != PROF_USER_CS32;
	}
	regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
	cs = regs->cs & 0xffff;
	*f = (struct prof_frame){ regs->ip, regs->bp, regs->sp };
	return prof_is_user_frame(cs, f->ip, f->low);
}

/* To the caller's frame.  The only place that knows how; tables for code without frame pointers
 * belong here. */
static __always_inline enum prof_end step(struct prof_frame *f)
{
	enum prof_end end = prof_fp_check(f);
	__u64 record[2];

	if (end != PROF_END_NONE)
		return end;
	if (bpf_probe_read_user(record, sizeof(record), (void *)f->fp))
		return PROF_END_EFAULT;
	return prof_fp_step(f, record);
}

/* Fill scratch->ip with the user stack, and the key with its hash and length.  The length is not
 * returned: the verifier would go on with each value it can have, and check everything after 127
 * times. */
static __noinline int walk_user(struct bpf_perf_event_data *ctx, struct prof_scratch *scratch)
{
	__u64 hash = prof_seed, seed = prof_seed;
	struct prof_frame f;
	__u32 end = PROF_END_TRUNCATED;
	__u32 nr;

	if (!scratch || !user_frame(ctx, &f))
		return 0;
	for (nr = 0; nr < PROF_DEPTH_USER; nr++) {
		scratch->ip[nr] = f.ip;
		hash = prof_hash_step(hash, f.ip, seed);
		end = step(&f);
		if (end != PROF_END_NONE)
			break;
	}
	if (end == PROF_END_NONE)
		end = PROF_END_TRUNCATED;
	else
		nr++;
	scratch->ev.key.end = end;
	scratch->ev.key.user_hash = prof_hash_end(hash, nr);
	scratch->ev.key.user_nr = nr;
	return 0;
}

static __noinline int walk_kernel(struct bpf_perf_event_data *ctx, struct prof_scratch *scratch)
{
	__u64 hash = ~prof_seed, seed = prof_seed;
	__u64 *ip;
	long size;
	__u32 nr, i;

	if (!scratch || prof_is_user_mode(ctx->regs.cs))
		return 0;
	ip = &scratch->ip[scratch->ev.key.user_nr & 127];
	size = bpf_get_stack(ctx, ip, PROF_DEPTH_KERNEL * sizeof(__u64), 0);
	if (size <= 0)
		return 0;
	nr = (__u32)size / sizeof(__u64);
	for (i = 0; i < PROF_DEPTH_KERNEL && i < nr; i++)
		hash = prof_hash_step(hash, ip[i], seed);
	scratch->ev.key.kernel_hash = prof_hash_end(hash, nr);
	scratch->ev.key.kernel_nr = nr;
	return 0;
}

/* Tell of a process image once; if nobody hears it, again with its next sample. */
static __always_inline void report_process(const struct prof_key *key, struct prof_stats *own)
{
	struct process process = { key->image, key->tgid };
	struct prof_event_process ev = { PROF_EVENT_PROCESS, key->tgid, key->image, key->cgroup };
	__u32 told = 1;

	if (!key->image || bpf_map_lookup_elem(&processes, &process))
		return;
	if (bpf_ringbuf_output(&events, &ev, sizeof(ev), BPF_RB_FORCE_WAKEUP))
		own->nr[PROF_STAT_LOST_EVENT]++;
	else
		bpf_map_update_elem(&processes, &process, &told, BPF_ANY);
}

/* The loop counts in a variable of its own: verifiers before 6.2 forget what is in a key once a
 * helper has read it, and take the loop for endless. */
static __always_inline long put_stack(void *stacks, __u64 hash, const __u64 *ip, __u32 nr)
{
	struct prof_stack_key key = { .hash = hash, .nr = nr };
	__u32 i;
	long r;

	for (i = 0; i < PROF_CHUNKS; i++) {
		if (i * PROF_CHUNK >= nr)
			break;
		key.chunk = i;
		r = bpf_map_update_elem(stacks, &key, ip + i * PROF_CHUNK, BPF_NOEXIST);
		if (r && r != -EEXIST)
			return r;
	}
	return 0;
}

static __always_inline _Bool add_count(void *counts, const struct prof_event_sample *ev)
{
	struct prof_count *count = bpf_map_lookup_elem(counts, &ev->key);

	if (!count)
		return 0;
	__sync_fetch_and_add(&count->cpu_ns, ev->count.cpu_ns);
	__sync_fetch_and_add(&count->samples, 1);
	return 1;
}

/* Frames first, then the row that refers to them. */
static __always_inline _Bool store(void *counts, void *stacks, struct prof_scratch *scratch)
{
	__u32 user_nr = scratch->ev.key.user_nr & 127, kernel_nr = scratch->ev.key.kernel_nr & 127;
	struct prof_event_sample *ev = &scratch->ev;

	if (add_count(counts, ev))
		return 1;
	if (put_stack(stacks, ev->key.user_hash, scratch->ip, user_nr))
		return 0;
	if (put_stack(stacks, ev->key.kernel_hash, scratch->ip + user_nr, kernel_nr))
		return 0;
	if (!bpf_map_update_elem(counts, &ev->key, &ev->count, BPF_NOEXIST))
		return 1;
	return add_count(counts, ev); /* another CPU was first, or the map is full */
}

static __noinline int store_set(struct prof_scratch *scratch)
{
	if (!scratch)
		return 0;
	if (prof_set & 1)
		return store(&counts1, &stacks1, scratch);
	return store(&counts0, &stacks0, scratch);
}

/* The map is full: by the ring buffer, whole.  The reader is woken when a quarter is full, not each
 * time. */
static __always_inline _Bool send(struct prof_scratch *scratch, struct prof_stats *own)
{
	__u64 quarter = bpf_ringbuf_query(&overflow, BPF_RB_RING_SIZE) / 4;
	__u64 flags = bpf_ringbuf_query(&overflow, BPF_RB_AVAIL_DATA) > quarter
			      ? BPF_RB_FORCE_WAKEUP
			      : BPF_RB_NO_WAKEUP;
	__u64 frames = (scratch->ev.key.user_nr & 127) + (scratch->ev.key.kernel_nr & 127);
	__u64 size = sizeof(scratch->ev) + frames * sizeof(__u64);

	if (bpf_ringbuf_output(&overflow, scratch, size, flags)) {
		own->nr[PROF_STAT_LOST_RING]++;
		return 0;
	}
	own->nr[PROF_STAT_OVERFLOW]++;
	return 1;
}

/* Returns whether somebody will hear of it.  Not static: such a function is verified once, whoever calls it. */
__noinline int take(struct bpf_perf_event_data *ctx, __u64 class_word, __u64 cgroup, __u64 weight)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	_Bool user = BPF_CORE_READ(task, mm) && prof_is_user_task(BPF_CORE_READ(task, flags));
	__u32 zero = 0;
	struct prof_scratch *scratch = bpf_map_lookup_elem(&scratches, &zero);
	union class_word cls = { class_word };
	struct prof_stats *own = own_stats();
	struct prof_event_sample *ev;

	if (!scratch) {
		own->nr[PROF_STAT_NO_STATE]++;
		return 0;
	}
	own->nr[PROF_STAT_TAKEN]++;
	ev = &scratch->ev;
	ev->type = PROF_EVENT_SAMPLE;
	ev->count = (struct prof_count){ weight, 1 };
	ev->key = (struct prof_key){ .cgroup = cgroup,
				     .tgid = own_tgid(task),
				     .rate_hz = cls.row.rate_hz };
	if (user)
		ev->key.image = own_image(task);
	if (user && (cls.row.flags & PROF_WANT_USER))
		walk_user(ctx, scratch);
	if (cls.row.flags & PROF_WANT_KERNEL)
		walk_kernel(ctx, scratch);
	report_process(&ev->key, own);
	return store_set(scratch) || send(scratch, own);
}

SEC("perf_event")
int tick(struct bpf_perf_event_data *ctx)
{
	struct prof_stats *own = own_stats();
	union cgroup_word row = { .row = { .cls = PROF_CLASS_UNKNOWN } };
	union class_word cls;
	void *found, *found_cls;
	struct prof_state *state = 0;
	__u64 cgroup, weight;
	__u32 class_nr;
	_Bool draw;

	own->nr[PROF_STAT_TICKS]++;
	cgroup = current_cgroup();
	found = bpf_map_lookup_elem(&cgroups, &cgroup);
	if (!found)
		found = container_above(current_directory(), &cgroup);
	if (found) {
		row.word = read_word(found);
		state = own_state(row.row.slot);
	}
	class_nr = row.row.cls;
	found_cls = bpf_map_lookup_elem(&classes, &class_nr);
	if (!found_cls || (found && !state)) {
		own->nr[PROF_STAT_NO_STATE]++;
		return 0;
	}
	cls.word = read_word(found_cls);
	if (state) {
		weight = prof_hit(state, ctx->sample_period, cls.row.period_ns, &draw);
		if (draw)
			prof_draw(state, bpf_get_prandom_u32());
	} else {
		own->nr[PROF_STAT_UNKNOWN_CGROUP]++;
		weight = cls.row.period_ns ? ctx->sample_period : 0;
	}
	/* What could not be handed over is in the weight of the next. */
	if (weight && !take(ctx, cls.word, cgroup, weight) && state)
		state->last_ns -= weight;
	return 0;
}

static __always_inline int report_cgroup(__u32 type, struct cgroup *cgrp, const char *path)
{
	struct prof_event_cgroup *ev;
	struct prof_stats *own = own_stats();
	__u64 container;
	long len;

	if (cgrp->root->hierarchy_id != prof_hierarchy)
		return 0;
	if (container_above(cgrp, &container)) {
		own->nr[PROF_STAT_NESTED]++;
		return 0;
	}
	ev = bpf_ringbuf_reserve(&events, sizeof(*ev), 0);
	if (!ev) {
		own->nr[PROF_STAT_LOST_EVENT]++;
		return 0;
	}
	ev->type = type;
	ev->level = cgrp->level;
	ev->id = cgrp->kn->id;
	ev->hierarchy = cgrp->root->hierarchy_id;
	ev->pad = 0;
	len = bpf_probe_read_kernel_str(ev->path, sizeof(ev->path), path);
	if (len < 0 || len == sizeof(ev->path)) { /* cut: a wrong name is worse than a late one */
		own->nr[PROF_STAT_LOST_EVENT]++;
		bpf_ringbuf_discard(ev, 0);
		return 0;
	}
	bpf_ringbuf_submit(ev, BPF_RB_FORCE_WAKEUP);
	return 0;
}

SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(cgroup_mkdir, struct cgroup *cgrp, const char *path)
{
	return report_cgroup(PROF_EVENT_MKDIR, cgrp, path);
}

SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(cgroup_rmdir, struct cgroup *cgrp, const char *path)
{
	return report_cgroup(PROF_EVENT_RMDIR, cgrp, path);
}

SEC("tp_btf/cgroup_rename")
int BPF_PROG(cgroup_rename, struct cgroup *cgrp, const char *path)
{
	return report_cgroup(PROF_EVENT_RENAME, cgrp, path);
}
