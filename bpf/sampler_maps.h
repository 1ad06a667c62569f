/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef BPF_SAMPLER_MAPS_H
#define BPF_SAMPLER_MAPS_H

/* The maps of the sampler; keys and values are in sampler.h.  For BPF only. */

#ifdef __bpf__
#include <bpf/bpf_helpers.h>

#include "bpf/sampler.h"

/* Room for a sample: the ring buffer's record, which ends with the frames, and as much behind it as
 * the last chunk of a full kernel stack reads beyond its end. */
struct prof_scratch {
	struct prof_event_sample ev;
	__u64 ip[PROF_DEPTH_USER + PROF_CHUNKS * PROF_CHUNK + 1];
};

/* Sizes that depend on the node are set before loading. */
#define COUNTS                                                                                     \
	__uint(type, BPF_MAP_TYPE_HASH);                                                           \
	__uint(max_entries, 4096);                                                                 \
	__type(key, struct prof_key);                                                              \
	__type(value, struct prof_count)
#define STACKS                                                                                     \
	__uint(type, BPF_MAP_TYPE_HASH);                                                           \
	__uint(max_entries, 12288);                                                                \
	__type(key, struct prof_stack_key);                                                        \
	__type(value, struct prof_chunk)

struct {
	COUNTS;
} counts0 SEC(".maps"), counts1 SEC(".maps");

struct {
	STACKS;
} stacks0 SEC(".maps"), stacks1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PROF_CGROUPS);
	__type(key, __u64);
	__type(value, struct prof_cgroup);
} cgroups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags,
	       BPF_F_MMAPABLE); /* a word is stored at once, which an update does not promise */
	__uint(max_entries, PROF_CLASSES);
	__type(key, __u32);
	__type(value, struct prof_class);
} classes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PROF_SLOTS);
	__type(key, __u32);
	__type(value, struct prof_state);
} states SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct prof_scratch);
} scratches SEC(".maps");

struct process {
	__u64 image;
	__u64 tgid;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct process);
	__type(value, __u32);
} processes SEC(".maps");

/* Two, so that samples can not crowd out the news. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 512 * 1024);
} overflow SEC(".maps");

#endif
#endif
