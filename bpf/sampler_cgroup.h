/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef BPF_SAMPLER_CGROUP_H
#define BPF_SAMPLER_CGROUP_H

/* Which directory of the cgroup tree the current task is in, and whose row counts for it.  For BPF only. */

#ifdef __bpf__
#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "bpf/kernel_types.h"
#include "bpf/sampler.h"
#include "bpf/sampler_maps.h"

/* 0 = cgroup2, else the v1 hierarchy of the memory controller */
const volatile __s32 prof_hierarchy = 0;

/* A row as it is at one moment: its writer may be at work. */
union class_word {
	__u64 word;
	struct prof_class row;
};

union cgroup_word {
	__u64 word;
	struct prof_cgroup row;
};

static __always_inline __u64 read_word(const void *row)
{
	return *(const volatile __u64 *)row;
}

static __always_inline __u64 current_cgroup(void)
{
	struct task_struct *task;
	int subsys;

	if (!prof_hierarchy)
		return bpf_get_current_cgroup_id();
	task = (void *)bpf_get_current_task();
	subsys = bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id);
	return BPF_CORE_READ(task, cgroups, subsys[subsys & 15], cgroup, kn, id);
}

static __always_inline struct cgroup *current_directory(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	int subsys;

	if (!prof_hierarchy)
		return BPF_CORE_READ(task, cgroups, dfl_cgrp);
	subsys = bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id);
	return BPF_CORE_READ(task, cgroups, subsys[subsys & 15], cgroup);
}

/* The row of the nearest directory above that has one, if that is a container's; *ret_id is its id then.  Whatever a tenant
 * makes below its container costs the maps and the reader nothing. */
static __always_inline void *container_above(struct cgroup *cgrp, __u64 *ret_id)
{
	union cgroup_word row;
	void *found;
	__u64 id;
	__u32 i;

	for (i = 0; i < PROF_NESTING; i++) {
		cgrp = BPF_CORE_READ(cgrp, self.parent, cgroup);
		if (!cgrp)
			return 0;
		id = BPF_CORE_READ(cgrp, kn, id);
		found = bpf_map_lookup_elem(&cgroups, &id);
		if (!found)
			continue;
		row.word = read_word(found);
		if (!(row.row.flags & PROF_CGROUP_WHOLE))
			return 0;
		*ret_id = id;
		return found;
	}
	return 0;
}

#endif
#endif
