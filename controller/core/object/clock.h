/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_OBJECT_CLOCK_H
#define CONTROLLER_CORE_OBJECT_CLOCK_H

/* The clock of one run of a boost.
 *
 * A run begins when the controller first sees a generation of the policy and ends `duration` later, whatever the wall
 * clock does: CLOCK_BOOTTIME decides.  Wall time is kept for people, and for the one case where it is all there is: a
 * controller on another boot (or host) that takes over from a stored status.
 *
 * How to drive it, once per pass and boost policy:
 *	if (!clock_is_of(clock, generation) && !clock_restore(clock, status, generation, duration_ns, now))
 *		clock_start(clock, generation, duration_ns, now);
 *	clock_clamp(clock, max_duration_ns);
 * then, unless it is durable, write the status, and when it is safely stored set `durable`.  A boost whose clock is not
 * durable is not active: otherwise a crash would begin it anew.  All functions are pure; the caller reads the clocks.
 */

#include "lib/core/base.h"

#include <jansson.h>

#define BOOT_ID_MAX 40 /* /proc/sys/kernel/random/boot_id is 36, and a NUL */

/* Now, in both clocks. */
struct instant {
	int64_t boot_ns; /* CLOCK_BOOTTIME */
	int64_t wall_s;	 /* CLOCK_REALTIME */
	char boot_id[BOOT_ID_MAX];
};

struct boost_clock {
	int64_t generation;		   /* of the policy that this run is of; 0 = no clock */
	int64_t active_since_s, expires_s; /* wall clock as it was at the start */
	int64_t start_ns,
		end_ns; /* CLOCK_BOOTTIME of this host, whole milliseconds; < 0: before its boot */
	char boot_id[BOOT_ID_MAX];
	bool durable; /* the stored status has it: the boost may be active */
};

static inline bool clock_is_of(const struct boost_clock *clock, int64_t generation)
{
	return clock->generation != 0 && clock->generation == generation;
}

/* Begin a run now; it is not durable yet.  generation > 0. */
void clock_start(struct boost_clock *clock, int64_t generation, int64_t duration_ns,
		 const struct instant *now);

/* Continue the run that `status` (an object's stored status, may be NULL, may be anything) tells of, if it is of this
 * generation: by boot time when the boot is the same, else by the wall clock.  Whatever it says, the run has begun by
 * now and lasts at most duration_ns.  It is durable at once, unless it had to be given another start than the status
 * says.  False when the status tells of no such run (*clock is left alone). */
bool clock_restore(struct boost_clock *clock, const json_t *status, int64_t generation,
		   int64_t duration_ns, const struct instant *now);

/* Shorten the run to max_duration_ns (INT64_MAX = no limit); never lengthens.  True when it
 * changed. */
bool clock_clamp(struct boost_clock *clock, int64_t max_duration_ns);

bool clock_active(const struct boost_clock *clock, int64_t boot_ns);
bool clock_expired(const struct boost_clock *clock, int64_t boot_ns);

/* Set activeSince, expiresAt and clock {bootID, startMs, endMs} of a status. */
void clock_to_status(const struct boost_clock *clock, json_t *status);

#endif
