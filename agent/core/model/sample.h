/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CORE_MODEL_SAMPLE_H
#define AGENT_CORE_MODEL_SAMPLE_H

/* One aggregated stack, as agent/kernel/sampler.h reads it out of the kernel.  Plain data. */

#include "bpf/sampler.h"
#include "lib/core/base.h"

/* Pointers are valid during the call only. */
struct sample {
	uint64_t cgroup;
	uint64_t image; /* which of the images that the process has had; 0 = a kernel thread */
	uint32_t tgid;
	uint32_t rate_hz;
	uint64_t cpu_ns;
	uint64_t samples;
	enum prof_end end;
	const uint64_t *user; /* leaf first; all but [0] are return addresses */
	size_t user_nr;
	const uint64_t *kernel; /* leaf first */
	size_t kernel_nr;
};

#endif
