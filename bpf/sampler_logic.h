/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef BPF_SAMPLER_LOGIC_H
#define BPF_SAMPLER_LOGIC_H

/* The decisions of the sampler: plain values in, plain values out.
 *
 * The same lines are compiled for the kernel and, by the unit tests, for the host.  No helper is
 * called here; randomness and memory come in as arguments.
 */

#include "bpf/sampler.h"

#define prof_inline static inline __attribute__((always_inline))

/* A container's CPU ran for another `tick_ns`.  Returns the weight of the sample to take, or 0;
 * sets *draw when prof_draw() must be called before the next tick.
 *
 * A class that is off (class_ns 0) moves last_ns along, so that no weight ever holds time in which
 * nothing was to be sampled.  A class that changed begins a new stratum now: a raise does not wait
 * for the end of a long old one.  What had run up till then stays in the next weight. */
prof_inline __u64 prof_hit(struct prof_state *s, __u64 tick_ns, __u32 class_ns, _Bool *draw)
{
	__u64 weight, stratum;

	*draw = 0;
	s->ns += tick_ns;
	if (!class_ns) {
		s->last_ns = s->ns;
		s->period_ns = 0;
		return 0;
	}
	if (s->period_ns != class_ns) {
		s->period_ns = class_ns;
		s->next_ns = s->ns;
		*draw = 1;
		return 0;
	}
	if (s->ns < s->next_ns)
		return 0;
	weight = s->ns - s->last_ns;
	s->last_ns = s->ns;
	stratum = s->next_ns - s->offset_ns + class_ns;
	/* Only when the class is faster than the base: do not pile up a debt of strata. */
	if (stratum + class_ns < s->ns)
		stratum = s->ns - class_ns;
	s->next_ns = stratum;
	*draw = 1;
	return weight;
}

/* Choose the place in the stratum that prof_hit() has begun; rnd is uniform in 32 bits. */
prof_inline void prof_draw(struct prof_state *s, __u32 rnd)
{
	s->offset_ns = ((__u64)s->period_ns * rnd) >> 32;
	s->next_ns += s->offset_ns;
}

/* include/linux/sched.h */
#define PROF_TASK_IO_WORKER 0x00000010U
#define PROF_TASK_KTHREAD 0x00200000U

/* Whether the task runs user code of its own: a kernel thread that borrows an address space does not, nor does a worker of
 * io_uring, whose registers are those of who made it. */
prof_inline _Bool prof_is_user_task(__u32 flags)
{
	return !(flags & (PROF_TASK_IO_WORKER | PROF_TASK_KTHREAD));
}

/* x86-64.  __USER32_CS is 0x23: a 32-bit program's frames have another shape. */
#define PROF_USER_CS32 0x23

prof_inline _Bool prof_is_user_mode(__u64 cs)
{
	return (cs & 3) == 3;
}

/* Whether registers saved on entry to the kernel are a user's that can be walked.  A thread that has never been in user
 * mode has neither place nor stack. */
prof_inline _Bool prof_is_user_frame(__u64 cs, __u64 ip, __u64 sp)
{
	return prof_is_user_mode(cs) && cs != PROF_USER_CS32 && (ip || sp);
}

/* A frame of a walk by frame pointers. */
struct prof_frame {
	__u64 ip;
	__u64 fp;
	__u64 low; /* the frame record may not lie below: the stack pointer, then the end of the
		      last record */
};

#define PROF_USER_LOW 4096ULL	    /* nothing is mapped below */
#define PROF_USER_HIGH (1ULL << 56) /* user addresses end here with 5-level page tables */

/* Whether a frame record can be read at f->fp: PROF_END_NONE = yes, else why the walk ends. */
prof_inline enum prof_end prof_fp_check(const struct prof_frame *f)
{
	if (!f->fp)
		return PROF_END_COMPLETE;
	if ((f->fp & 7) || f->fp < f->low || f->fp < PROF_USER_LOW || f->fp >= PROF_USER_HIGH)
		return PROF_END_BROKEN;
	return PROF_END_NONE;
}

/* Go to the caller: `record` is what stands at f->fp, {caller's frame pointer, return address}.
 * PROF_END_NONE = f is the caller's frame now; else f is left alone. */
prof_inline enum prof_end prof_fp_step(struct prof_frame *f, const __u64 record[2])
{
	if (!record[1])
		return PROF_END_COMPLETE;
	if (record[1] < PROF_USER_LOW || record[1] >= PROF_USER_HIGH)
		return PROF_END_BROKEN;
	f->low = f->fp + 16;
	f->fp = record[0];
	f->ip = record[1];
	return PROF_END_NONE;
}

/* One word of the keyed hash of a stack.  The seed is random and secret, so that a tenant cannot
 * make two stacks meet; never 0, which stands for no stack. */
prof_inline __u64 prof_hash_step(__u64 hash, __u64 word, __u64 seed)
{
	hash = (hash ^ word) * (seed | 1);
	return hash ^ (hash >> 29);
}

prof_inline __u64 prof_hash_end(__u64 hash, __u32 nr)
{
	hash = (hash ^ nr) * 0x9e3779b97f4a7c15ULL;
	hash ^= hash >> 32;
	return hash ? hash : 1;
}

#endif
