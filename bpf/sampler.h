/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef BPF_SAMPLER_H
#define BPF_SAMPLER_H

/* What the BPF programs and the agent share: the maps' keys and values.
 *
 * Included from BPF C and from user C: __u32/__u64 only, padding spelled out, sizes asserted.
 *
 * A tick (one PERF_COUNT_SW_CPU_CLOCK event per CPU): cgroup id -> prof_cgroup {slot, cls} ->
 * prof_class.  A cgroup without a row is its container's, when one lies above it.
 * The container's own clock, prof_state.ns, advances by the event's period.  One hit is taken in
 * every stratum of cls.period_ns on that clock, at a random place in it; its weight is what the
 * clock has gained since the last one taken.  So the sum of weights equals the base comb at every
 * moment and at any rate, and neither a change of the class's period nor of the base needs a
 * correction.
 */

#ifndef __bpf__
#include <linux/types.h>
#endif

#define PROF_CLASSES                                                                               \
	2048 /* twice what a plan may have: a new class never needs the row of one that goes */
#define PROF_CLASS_UNKNOWN 0 /* cgroups that user space has not registered: every tick is taken */
#define PROF_CLASS_OUTSIDE 1 /* registered, but no container: nothing is taken */
#define PROF_SLOTS 4096	     /* containers on a node, living and just dead; slot 0 is nobody's */
#define PROF_SLOTS_MAX 16384 /* where more are asked for */
#define PROF_CGROUPS 16384   /* likewise, four for each container */
#define PROF_DEPTH_USER 127
#define PROF_DEPTH_KERNEL 127

/* How a user stack ended. */
enum prof_end {
	PROF_END_NONE,	    /* no user part: kernel thread, or not asked for */
	PROF_END_COMPLETE,  /* frame pointer 0: the outermost frame */
	PROF_END_TRUNCATED, /* PROF_DEPTH_USER frames */
	PROF_END_EFAULT,    /* a page of the stack could not be read */
	PROF_END_BROKEN,    /* a frame pointer that does not ascend: code without frame pointers */
	PROF_END_NR
};

enum prof_class_flag {
	PROF_WANT_KERNEL = 1 << 0, /* kernel frames */
	PROF_WANT_USER = 1 << 1,   /* user frames */
	PROF_CLASS_USED = 1 << 15, /* the row is some class's, if only one that is off */
};

/* classes[cls]: one word, written and read at once, so that no tick sees half of a change */
struct prof_class {
	__u32 period_ns; /* 1e9 / rate; 0 = take nothing */
	__u16 rate_hz;
	__u16 flags; /* enum prof_class_flag */
} __attribute__((aligned(8)));

enum prof_cgroup_flag {
	PROF_CGROUP_WHOLE = 1 << 0, /* a container: what lies below it is in this row, too */
};

/* How far above a directory its container is looked for. */
#define PROF_NESTING 32

/* cgroups[cgroup id]: the id is the inode of the directory under cgroup2 (kernfs_node.id).  Read at once, too. */
struct prof_cgroup {
	__u32 slot;
	__u16 cls;
	__u16 flags; /* enum prof_cgroup_flag */
} __attribute__((aligned(8)));

/* states[cpu * slots + slot]: a container's clock on one CPU.  Half a cache line, and a plain array: a tick
 * that is not taken touches as little memory as can be. */
struct prof_state {
	__u64 ns;	 /* CPU seen: sum of the ticks' periods */
	__u64 last_ns;	 /* ns when the last one was taken */
	__u64 next_ns;	 /* the place in the present stratum that is taken */
	__u32 offset_ns; /* of next_ns in the stratum */
	__u32 period_ns; /* the class's period that next was made with; 0 = it was off */
};

/* counts[]: one row for each distinct (container, process, stack, rate) of a window */
struct prof_key {
	__u64 cgroup;
	__u64 user_hash; /* 0 = none */
	__u64 kernel_hash;
	__u64 image; /* keyed hash of the process's start and its number of exec; 0 = a kernel thread */
	__u32 tgid;    /* in the agent's PID namespace; 0 = not visible there */
	__u32 rate_hz; /* of the class when it was taken */
	__u32 end;     /* enum prof_end */
	__u16 user_nr; /* frames; what the reader needs to find the chunks */
	__u16 kernel_nr;
};

struct prof_count {
	__u64 cpu_ns; /* sum of weights */
	__u64 samples;
};

/* stacks[]: a stack is cut into chunks, so that a row is small and most stacks need one or two */
#define PROF_CHUNK 24
#define PROF_CHUNKS ((PROF_DEPTH_USER + PROF_CHUNK - 1) / PROF_CHUNK)
struct prof_stack_key {
	__u64 hash;
	__u32 chunk; /* 0.. */
	__u32 nr;    /* frames of the whole stack */
};
struct prof_chunk {
	__u64 ip[PROF_CHUNK]; /* leaf first */
};

/* Ring buffer records, told apart by `type`. */
enum prof_event_type {
	PROF_EVENT_MKDIR = 1,
	PROF_EVENT_RMDIR,
	PROF_EVENT_RENAME,
	PROF_EVENT_PROCESS, /* the first sample of a process image */
	PROF_EVENT_SAMPLE,  /* a sample that found its map full */
};

#define PROF_PATH 512
struct prof_event_cgroup {
	__u32 type;
	__u32 level;
	__u64 id;
	__u32 hierarchy; /* cgroup_root.hierarchy_id; 0 is cgroup2 */
	__u32 pad;
	char path[PROF_PATH]; /* from the root of the hierarchy, NUL-terminated */
};

struct prof_event_process {
	__u32 type;
	__u32 tgid;
	__u64 image;
	__u64 cgroup;
};

/* Behind it stand the frames, __u64 each: key.user_nr, then key.kernel_nr. */
struct prof_event_sample {
	__u32 type;
	__u32 pad;
	struct prof_key key;
	struct prof_count count;
};

/* Every early return counts. */
enum prof_stat {
	PROF_STAT_TICKS,	  /* ticks of a non-idle CPU */
	PROF_STAT_TAKEN,	  /* samples taken */
	PROF_STAT_OVERFLOW,	  /* samples that went by the ring buffer: nothing lost */
	PROF_STAT_LOST_RING,	  /* samples lost: map and ring buffer full */
	PROF_STAT_LOST_EVENT,	  /* cgroup or process events lost: the rescan finds them */
	PROF_STAT_UNKNOWN_CGROUP, /* ticks of cgroups not registered yet */
	PROF_STAT_NO_STATE,	  /* internal: a slot out of range */
	PROF_STAT_NESTED, /* directories that came and went below a container: nobody's news */
	PROF_STAT_KERNEL_NR,
	/* Counted by the reader: samples kept without their frames, a chunk was gone. */
	PROF_STAT_NO_STACK = PROF_STAT_KERNEL_NR
};

/* One cache line for each CPU; beyond PROF_CPUS, CPUs share one and may lose counts. */
#define PROF_CPUS 1024
struct prof_stats {
	__u64 nr[PROF_STAT_KERNEL_NR];
};

_Static_assert(sizeof(struct prof_class) == 8, "one word");
_Static_assert(sizeof(struct prof_cgroup) == 8, "one word");
_Static_assert(PROF_CLASSES <= 1 << 16, "prof_cgroup.cls");
_Static_assert(sizeof(struct prof_state) == 32, "shared with BPF");
_Static_assert(sizeof(struct prof_stats) == 64, "a cache line");
_Static_assert(sizeof(struct prof_key) == 48, "shared with BPF");
_Static_assert(sizeof(struct prof_stack_key) == 16, "shared with BPF");
_Static_assert(sizeof(struct prof_event_process) == 24, "shared with BPF");
_Static_assert(sizeof(struct prof_event_sample) == 72, "shared with BPF");

#endif
