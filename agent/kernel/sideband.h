/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_KERNEL_SIDEBAND_H
#define AGENT_KERNEL_SIDEBAND_H

/* The shell over perf events that tell of every fork, exec and executable mapping on the node, and of functions that come to its
 * kernel (agent/core/symbol/sideband_parse.h):
 * one dummy event and one small ring for each CPU that is online at the start.
 *
 * Nobody is woken for a record; read before the answer is needed, and when a ring is half full.
 * Needs CAP_PERFMON.  The rings are accounted to kernel.perf_event_mlock_kb, 516 KiB for each CPU; where that is
 * used up they are made smaller.
 */

#include "agent/core/symbol/sideband_parse.h"
#include "lib/core/err.h"

struct sideband;

/* On failure err says what is missing; the agent does without. */
must_check int sideband_new(void (*event)(void *ctx, const struct sideband_event *event), void *ctx,
			    struct sideband **ret_sideband, struct err *err);
void sideband_free(struct sideband *sideband);

/* A descriptor that polls readable when a ring is half full; then sideband_drain(). */
int sideband_fd(const struct sideband *sideband);

/* Call `event` for all that has been told so far, in the order of time.  NULL is a no-op. */
void sideband_drain(struct sideband *sideband);

uint64_t sideband_lost(const struct sideband *sideband);  /* records; 0 for NULL */
uint64_t sideband_bytes(const struct sideband *sideband); /* of all rings; 0 for NULL */

#endif
