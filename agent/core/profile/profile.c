/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/profile/profile.h"

#include <assert.h>
#include <string.h>

#define SLOTS_FIRST 64

struct profile *profile_new(void)
{
	return xcalloc(1, sizeof(struct profile));
}

void profile_free(struct profile *profile)
{
	if (!profile)
		return;
	free(profile->frame);
	free(profile->stack);
	free(profile->row);
	free(profile->frame_slot);
	free(profile->row_slot);
	free(profile);
}

const char *frame_name(enum frame_name name)
{
	static const char *const text[FRAME_NAME_NR] = {
		[FRAME_OTHER] = "[other]",	   [FRAME_EXITED] = "[process exited]",
		[FRAME_TRUNCATED] = "[truncated]", [FRAME_BROKEN] = "[broken stack]",
		[FRAME_UNKNOWN] = "[unknown]",	   [FRAME_ANON] = "[anon]",
		[FRAME_VDSO] = "[vdso]",	   [FRAME_UNATTRIBUTED] = "[unattributed]",
	};

	return name < FRAME_NAME_NR ? text[name] : text[FRAME_UNKNOWN];
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ULL;
	return hash ^ (hash >> 29);
}

static uint32_t frame_hash(const struct frame *frame)
{
	return (uint32_t)mix(mix(0, frame->addr), frame->file);
}

static uint32_t row_hash(const uint32_t *stack, size_t nr)
{
	uint64_t hash = nr;

	for (size_t i = 0; i < nr; i++)
		hash = mix(hash, stack[i]);
	return (uint32_t)hash;
}

static void slot_put(uint32_t *slot, size_t slots, uint32_t hash, size_t index)
{
	size_t at = hash & (slots - 1);

	while (slot[at])
		at = (at + 1) & (slots - 1);
	slot[at] = (uint32_t)index + 1;
}

/* The tables are kept at most half full, so that a search ends. */
static void frames_reserve(struct profile *profile)
{
	if (profile->frame_nr * 2 < profile->frame_slots)
		return;
	profile->frame_slots = MAX(SLOTS_FIRST, 2 * profile->frame_slots);
	free(profile->frame_slot);
	profile->frame_slot = xcalloc(profile->frame_slots, sizeof(*profile->frame_slot));
	for (size_t i = 0; i < profile->frame_nr; i++)
		slot_put(profile->frame_slot, profile->frame_slots, frame_hash(&profile->frame[i]),
			 i);
}

static void rows_reserve(struct profile *profile)
{
	if (profile->row_nr * 2 < profile->row_slots)
		return;
	profile->row_slots = MAX(SLOTS_FIRST, 2 * profile->row_slots);
	free(profile->row_slot);
	profile->row_slot = xcalloc(profile->row_slots, sizeof(*profile->row_slot));
	for (size_t i = 0; i < profile->row_nr; i++)
		slot_put(profile->row_slot, profile->row_slots, profile->row[i].hash, i);
}

/* Index + 1, or 0. */
static uint32_t frame_find(const struct profile *profile, const struct frame *frame)
{
	for (size_t at = frame_hash(frame);; at++) {
		uint32_t found = profile->frame_slot[at & (profile->frame_slots - 1)];

		if (!found)
			return 0;
		if (profile->frame[found - 1].addr == frame->addr &&
		    profile->frame[found - 1].file == frame->file)
			return found;
	}
}

static uint32_t frame_insert(struct profile *profile, const struct frame *frame)
{
	GROW(profile->frame, profile->frame_nr);
	profile->frame[profile->frame_nr] = *frame;
	slot_put(profile->frame_slot, profile->frame_slots, frame_hash(frame), profile->frame_nr);
	return (uint32_t)++profile->frame_nr;
}

static struct profile_row *row_find(struct profile *profile, uint32_t hash, const uint32_t *stack,
				    size_t nr)
{
	for (size_t at = hash;; at++) {
		uint32_t found = profile->row_slot[at & (profile->row_slots - 1)];
		struct profile_row *row;

		if (!found)
			return NULL;
		row = &profile->row[found - 1];
		if (row->hash == hash && row->nr == nr &&
		    memcmp(&profile->stack[row->first], stack, nr * sizeof(*stack)) == 0)
			return row;
	}
}

/* Write the stack as indices of frames.  A full profile takes no new frames; then false. */
static bool stack_index(struct profile *profile, const struct frame *frame, size_t nr, bool full,
			uint32_t *ret_stack)
{
	for (size_t i = 0; i < nr; i++) {
		uint32_t found;

		frames_reserve(profile);
		found = frame_find(profile, &frame[i]);
		if (!found && full)
			return false;
		if (!found)
			found = frame_insert(profile, &frame[i]);
		ret_stack[i] = found - 1;
	}
	return true;
}

static void row_insert(struct profile *profile, uint32_t hash, const uint32_t *stack, size_t nr,
		       uint64_t cpu_ns)
{
	GROW(profile->row, profile->row_nr);
	profile->row[profile->row_nr] = (struct profile_row){
		.cpu_ns = cpu_ns,
		.hash = hash,
		.first = (uint32_t)profile->stack_nr,
		.nr = (uint32_t)nr,
	};
	for (size_t i = 0; i < nr; i++) {
		GROW(profile->stack, profile->stack_nr);
		profile->stack[profile->stack_nr++] = stack[i];
	}
	slot_put(profile->row_slot, profile->row_slots, hash, profile->row_nr);
	profile->row_nr++;
}

void profile_add(struct profile *profile, const struct frame *frame, size_t nr, uint64_t cpu_ns,
		 uint64_t samples)
{
	uint32_t stack[PROFILE_STACK], hash;
	struct profile_row *row = NULL;
	bool full;

	assert(nr > 0 && nr <= PROFILE_STACK);
	profile->cpu_ns += cpu_ns;
	profile->samples += samples;
	full = profile->row_nr >= PROFILE_ROWS || profile->stack_nr + nr > PROFILE_FRAMES;
	rows_reserve(profile);
	if (!stack_index(profile, frame, nr, full, stack)) {
		profile->other_ns += cpu_ns;
		return;
	}
	hash = row_hash(stack, nr);
	row = row_find(profile, hash, stack, nr);
	if (row)
		row->cpu_ns += cpu_ns;
	else if (full)
		profile->other_ns += cpu_ns;
	else
		row_insert(profile, hash, stack, nr, cpu_ns);
}
