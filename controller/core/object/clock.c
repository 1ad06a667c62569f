/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/object/clock.h"

#include <stdio.h>
#include <string.h>

#include "lib/core/limits.h"
#include "lib/core/text/rfc3339.h"

/* Whole milliseconds, so that a stored clock reads back as the same one. */
static int64_t whole_ms(int64_t ns)
{
	return ns - ns % NSEC_PER_MSEC;
}

void clock_start(struct boost_clock *clock, int64_t generation, int64_t duration_ns,
		 const struct instant *now)
{
	*clock = (struct boost_clock){
		.generation = generation,
		.active_since_s = now->wall_s,
		.expires_s = now->wall_s + duration_ns / NSEC_PER_SEC,
		.start_ns = whole_ms(now->boot_ns),
		.end_ns = whole_ms(now->boot_ns) + whole_ms(duration_ns),
	};
	memcpy(clock->boot_id, now->boot_id, sizeof(clock->boot_id));
}

static bool read_time(const json_t *status, const char *name, int64_t *ret_s)
{
	const char *text = json_string_value(json_object_get(status, name));

	return text && rfc3339_parse(text, ret_s) == 0;
}

/* By the same boot's clock.  False when the status has none of this boot, or an impossible one. */
static bool restore_boot(struct boost_clock *clock, const json_t *status, int64_t duration_ns,
			 const struct instant *now)
{
	const json_t *json = json_object_get(status, "clock");
	const char *boot_id = json_string_value(json_object_get(json, "bootID"));
	const json_t *start = json_object_get(json, "startMs");
	const json_t *end = json_object_get(json, "endMs");
	int64_t day_ms = LIMIT_BOOST_NS_MAX / NSEC_PER_MSEC, start_ms, end_ms;

	if (!boot_id || !*boot_id || strcmp(boot_id, now->boot_id) != 0)
		return false;
	if (!json_is_integer(start) || !json_is_integer(end))
		return false;
	start_ms = json_integer_value(start);
	end_ms = json_integer_value(end);
	if (start_ms < -day_ms || start_ms > now->boot_ns / NSEC_PER_MSEC || end_ms < start_ms)
		return false;
	clock->start_ns = start_ms * NSEC_PER_MSEC;
	clock->end_ns = MIN(end_ms, start_ms + duration_ns / NSEC_PER_MSEC) * NSEC_PER_MSEC;
	/* For people; a time that is yet to come is no start. */
	if (clock->active_since_s > now->wall_s)
		clock->active_since_s =
			now->wall_s - (now->boot_ns - clock->start_ns) / NSEC_PER_SEC;
	clock->expires_s = clock->active_since_s + (clock->end_ns - clock->start_ns) / NSEC_PER_SEC;
	return true;
}

/* What is left by the wall clock.  A start that is yet to come was told by a clock that ran ahead, or by a liar: then it
 * is now, and stored as such, or every restart would begin it anew. */
static void restore_wall(struct boost_clock *clock, int64_t duration_ns, const struct instant *now)
{
	int64_t whole_s = MIN(clock->expires_s - clock->active_since_s, duration_ns / NSEC_PER_SEC);
	int64_t left_s;

	if (clock->active_since_s > now->wall_s) {
		clock->active_since_s = now->wall_s;
		clock->durable = false;
	}
	clock->expires_s = clock->active_since_s + whole_s;
	left_s = MAX(clock->expires_s - now->wall_s, 0);
	clock->end_ns = whole_ms(now->boot_ns) + left_s * NSEC_PER_SEC;
	clock->start_ns = clock->end_ns - whole_s * NSEC_PER_SEC;
}

bool clock_restore(struct boost_clock *clock, const json_t *status, int64_t generation,
		   int64_t duration_ns, const struct instant *now)
{
	struct boost_clock restored = { .generation = generation, .durable = true };
	const json_t *observed = json_object_get(status, "observedGeneration");

	if (!json_is_integer(observed) || json_integer_value(observed) != generation)
		return false;
	if (!read_time(status, "activeSince", &restored.active_since_s) ||
	    !read_time(status, "expiresAt", &restored.expires_s))
		return false;
	if (restored.expires_s < restored.active_since_s)
		return false;
	if (!restore_boot(&restored, status, duration_ns, now))
		restore_wall(&restored, duration_ns, now);
	memcpy(restored.boot_id, now->boot_id, sizeof(restored.boot_id));
	*clock = restored;
	return true;
}

bool clock_clamp(struct boost_clock *clock, int64_t max_duration_ns)
{
	int64_t length_ns = clock->end_ns - clock->start_ns;

	if (length_ns <= max_duration_ns)
		return false;
	clock->end_ns = clock->start_ns + whole_ms(max_duration_ns);
	clock->expires_s = clock->active_since_s + max_duration_ns / NSEC_PER_SEC;
	return true;
}

bool clock_active(const struct boost_clock *clock, int64_t boot_ns)
{
	return clock->generation != 0 && clock->durable && boot_ns < clock->end_ns;
}

bool clock_expired(const struct boost_clock *clock, int64_t boot_ns)
{
	return clock->generation != 0 && boot_ns >= clock->end_ns;
}

void clock_to_status(const struct boost_clock *clock, json_t *status)
{
	char since[RFC3339_MAX], expires[RFC3339_MAX];

	rfc3339_format(clock->active_since_s, since);
	rfc3339_format(clock->expires_s, expires);
	json_object_set_new(status, "activeSince", json_string(since));
	json_object_set_new(status, "expiresAt", json_string(expires));
	json_object_set_new(status, "clock",
			    json_pack("{s:s, s:I, s:I}", "bootID", clock->boot_id, "startMs",
				      (json_int_t)(clock->start_ns / NSEC_PER_MSEC), "endMs",
				      (json_int_t)(clock->end_ns / NSEC_PER_MSEC)));
}
