/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/profile/pprof_writer.h"

#include <errno.h>
#include <string.h>

#include "lib/core/hash.h"

#define OUT_FIRST 16384
#define GZIP_WINDOW (MAX_WBITS + 16)
#define MEM_LEVEL 8

static void out_reserve(struct pprof_writer *writer)
{
	if (writer->out_len < writer->out_size)
		return;
	writer->out_size = MAX(OUT_FIRST, 2 * writer->out_size);
	writer->out = xrealloc(writer->out, writer->out_size, 1);
}

static void feed(struct pprof_writer *writer, const uint8_t *data, size_t len, int flush)
{
	z_stream *deflater = &writer->deflate;
	int r = Z_OK;

	deflater->next_in = (Bytef *)data;
	deflater->avail_in = (uInt)len;
	while (!writer->error && (deflater->avail_in || flush == Z_FINISH)) {
		out_reserve(writer);
		deflater->next_out = writer->out + writer->out_len;
		deflater->avail_out = (uInt)(writer->out_size - writer->out_len);
		r = deflate(deflater, flush);
		writer->out_len = writer->out_size - deflater->avail_out;
		if (r == Z_STREAM_END)
			return;
		if (r != Z_OK && r != Z_BUF_ERROR)
			writer->error = -EIO;
	}
}

static void append(ProtobufCBuffer *buffer, size_t len, const uint8_t *data)
{
	struct pprof_writer *writer = (struct pprof_writer *)buffer;

	if (len > sizeof(writer->stage) - writer->stage_len) {
		feed(writer, writer->stage, writer->stage_len, Z_NO_FLUSH);
		writer->stage_len = 0;
	}
	if (len > sizeof(writer->stage)) {
		feed(writer, data, len, Z_NO_FLUSH);
		return;
	}
	memcpy(writer->stage + writer->stage_len, data, len);
	writer->stage_len += len;
}

int pprof_writer_init(struct pprof_writer *writer, struct err *err)
{
	*writer = (struct pprof_writer){ .base = { .append = append } };
	if (deflateInit2(&writer->deflate, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW, MEM_LEVEL,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return err_set(err, -ENOMEM, "cannot compress: out of memory");
	pprof_writer_text(writer, "");
	return 0;
}

void pprof_writer_release(struct pprof_writer *writer)
{
	deflateEnd(&writer->deflate);
	free(writer->out);
	free(writer->text);
	array_index_release(&writer->by_text);
}

void pprof_writer_put(struct pprof_writer *writer, const Pprof__Profile *piece)
{
	pprof__profile__pack_to_buffer(piece, &writer->base);
}

int64_t pprof_writer_text(struct pprof_writer *writer, const char *text)
{
	const char *key = text ? text : "";
	uint64_t hash = hash_bytes(key, strlen(key));
	struct array_index_walk walk = array_index_walk(&writer->by_text, hash);

	for (uint32_t i; (i = array_index_next(&walk)) != ARRAY_INDEX_NONE;)
		if (strcmp(writer->text[i], key) == 0)
			return i;
	GROW(writer->text, writer->text_nr);
	writer->text[writer->text_nr] = key;
	array_index_add(&writer->by_text, hash, writer->text_nr);
	return (int64_t)writer->text_nr++;
}

int pprof_writer_finish(struct pprof_writer *writer, uint8_t **ret_data, size_t *ret_len,
			struct err *err)
{
	Pprof__Profile piece = PPROF__PROFILE__INIT;

	piece.n_string_table = writer->text_nr;
	piece.string_table = (char **)writer->text;
	pprof_writer_put(writer, &piece);
	feed(writer, writer->stage, writer->stage_len, Z_FINISH);
	if (writer->error)
		return err_set(err, writer->error, "cannot compress the profile");
	*ret_len = writer->out_len;
	*ret_data = TAKE_PTR(writer->out);
	return 0;
}
