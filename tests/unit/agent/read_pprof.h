/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_AGENT_READ_PPROF_H
#define TESTS_UNIT_AGENT_READ_PPROF_H

/* Reading our profiles back. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

#include "lib/core/base.h"
#include "proto/pprof.pb-c.h"

static inline Pprof__Profile *read_pprof(const uint8_t *data, size_t len)
{
	size_t size = 64 * 1024 * 1024;
	cleanup(freep) uint8_t *raw = xmalloc(size);
	z_stream stream = { .next_in = (Bytef *)data, .avail_in = (uInt)len };
	Pprof__Profile *profile;

	stream.next_out = raw;
	stream.avail_out = (uInt)size;
	assert_int_equal(inflateInit2(&stream, MAX_WBITS + 16), Z_OK);
	assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
	size = stream.total_out;
	inflateEnd(&stream);
	profile = pprof__profile__unpack(NULL, size, raw);
	assert_non_null(profile);
	return profile;
}

static inline const char *text_of(const Pprof__Profile *profile, int64_t index)
{
	assert_in_range(index, 0, profile->n_string_table - 1);
	return profile->string_table[index];
}

/* Name of the function at depth `frame` (0 = leaf) of a sample. */
static inline const char *function_of(const Pprof__Profile *profile, size_t sample, size_t frame)
{
	const Pprof__Sample *of = profile->sample[sample];
	const Pprof__Location *location;

	assert_true(frame < of->n_location_id);
	assert_in_range(of->location_id[frame], 1, profile->n_location);
	location = profile->location[of->location_id[frame] - 1];
	assert_int_equal(location->id, of->location_id[frame]);
	assert_int_equal(location->n_line, 1);
	return text_of(profile, profile->function[location->line[0]->function_id - 1]->name);
}

#endif
