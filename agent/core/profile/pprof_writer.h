/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CORE_PROFILE_PPROF_WRITER_H
#define AGENT_CORE_PROFILE_PPROF_WRITER_H

/* The bytes of a pprof, made piece by piece: repeated fields of one message may be concatenated, so each
 * piece is packed as a message of its own and goes through deflate at once.  Pure. */

#include "agent/core/model/array_index.h"
#include "lib/core/base.h"
#include "lib/core/err.h"
#include "proto/pprof.pb-c.h"

#include <zlib.h>

struct pprof_writer {
	ProtobufCBuffer base; /* first: protobuf-c packs into it */
	z_stream deflate;
	uint8_t stage[4096]; /* protobuf-c appends a few bytes at a time */
	size_t stage_len;
	uint8_t *out;
	size_t out_len, out_size;
	const char **text; /* borrowed; [0] is "" */
	size_t text_nr;
	struct array_index by_text;
	int error;
};

must_check int pprof_writer_init(struct pprof_writer *writer, struct err *err);
void pprof_writer_release(struct pprof_writer *writer);

/* Append a piece. */
void pprof_writer_put(struct pprof_writer *writer, const Pprof__Profile *piece);

/* Index of a text that outlives the writer; NULL is "". */
int64_t pprof_writer_text(struct pprof_writer *writer, const char *text);

/* Write the texts and end the stream.  The caller frees *ret_data. */
must_check int pprof_writer_finish(struct pprof_writer *writer, uint8_t **ret_data, size_t *ret_len,
				   struct err *err);

#endif
