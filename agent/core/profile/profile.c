/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/profile/profile.h"

#include <assert.h>
#include <string.h>

#include "lib/core/hash.h"

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
	array_index_release(&profile->by_frame);
	array_index_release(&profile->by_stack);
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

static uint64_t frame_hash(const struct frame *frame)
{
	return hash_u64(frame->addr ^ hash_u64(frame->file));
}

static uint64_t row_hash(const uint32_t *stack, size_t nr)
{
	return hash_bytes(stack, nr * sizeof(*stack));
}

static uint32_t frame_find(const struct profile *profile, const struct frame *frame)
{
	struct array_index_walk walk = array_index_walk(&profile->by_frame, frame_hash(frame));
	uint32_t i = array_index_next(&walk);

	while (i != ARRAY_INDEX_NONE &&
	       (profile->frame[i].addr != frame->addr || profile->frame[i].file != frame->file))
		i = array_index_next(&walk);
	return i;
}

static uint32_t frame_insert(struct profile *profile, const struct frame *frame)
{
	GROW(profile->frame, profile->frame_nr);
	profile->frame[profile->frame_nr] = *frame;
	array_index_add(&profile->by_frame, frame_hash(frame), profile->frame_nr);
	return (uint32_t)profile->frame_nr++;
}

static struct profile_row *row_find(struct profile *profile, uint64_t hash, const uint32_t *stack,
				    size_t nr)
{
	struct array_index_walk walk = array_index_walk(&profile->by_stack, hash);

	for (uint32_t i; (i = array_index_next(&walk)) != ARRAY_INDEX_NONE;) {
		struct profile_row *row = &profile->row[i];

		if (row->nr == nr &&
		    memcmp(&profile->stack[row->first], stack, nr * sizeof(*stack)) == 0)
			return row;
	}
	return NULL;
}

/* Write the stack as indices of frames.  A full profile takes no new frames; then false. */
static bool stack_index(struct profile *profile, const struct frame *frame, size_t nr, bool full,
			uint32_t *ret_stack)
{
	for (size_t i = 0; i < nr; i++) {
		uint32_t found = frame_find(profile, &frame[i]);

		if (found == ARRAY_INDEX_NONE && full)
			return false;
		if (found == ARRAY_INDEX_NONE)
			found = frame_insert(profile, &frame[i]);
		ret_stack[i] = found;
	}
	return true;
}

static void row_insert(struct profile *profile, uint64_t hash, const uint32_t *stack, size_t nr,
		       uint64_t cpu_ns)
{
	GROW(profile->row, profile->row_nr);
	profile->row[profile->row_nr] = (struct profile_row){
		.cpu_ns = cpu_ns,
		.first = (uint32_t)profile->stack_nr,
		.nr = (uint32_t)nr,
	};
	for (size_t i = 0; i < nr; i++) {
		GROW(profile->stack, profile->stack_nr);
		profile->stack[profile->stack_nr++] = stack[i];
	}
	array_index_add(&profile->by_stack, hash, profile->row_nr);
	profile->row_nr++;
}

void profile_add(struct profile *profile, const struct frame *frame, size_t nr, uint64_t cpu_ns,
		 uint64_t samples)
{
	uint32_t stack[PROFILE_STACK];
	uint64_t hash;
	struct profile_row *row = NULL;
	bool full;

	assert(nr > 0 && nr <= PROFILE_STACK);
	profile->cpu_ns += cpu_ns;
	profile->samples += samples;
	full = profile->row_nr >= PROFILE_ROWS || profile->stack_nr + nr > PROFILE_FRAMES;
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
