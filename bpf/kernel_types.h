/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef BPF_KERNEL_TYPES_H
#define BPF_KERNEL_TYPES_H

/* The few kernel structs we read, with only the fields we read.  libbpf finds the true offsets in
 * the running kernel's BTF, hence no vmlinux.h and no kernel headers are needed to build.  For BPF only. */

#ifdef __bpf__
#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct kernfs_node {
	__u64 id;
};

struct cgroup_root {
	int hierarchy_id;
};

struct cgroup;

struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
};

struct cgroup {
	struct cgroup_subsys_state self;
	int level;
	struct kernfs_node *kn;
	struct cgroup_root *root;
};

struct css_set {
	struct cgroup_subsys_state *subsys[16];
	struct cgroup *dfl_cgrp;
};

struct mm_struct;

struct ns_common {
	unsigned int inum;
};

struct pid_namespace {
	struct ns_common ns;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[1]; /* level + 1 */
};

struct task_struct {
	unsigned int flags;
	struct mm_struct *mm;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	__u64 start_boottime;
	__u64 self_exec_id;
	struct css_set *cgroups;
};

/* "___": libbpf matches the name before it; pt_regs is taken by the user-space header. */
struct pt_regs___kernel {
	unsigned long bp, ip, cs, sp;
};

#pragma clang attribute pop

/* The number differs with the kernel's configuration. */
enum cgroup_subsys_id { memory_cgrp_id = 4 };

#endif
#endif
