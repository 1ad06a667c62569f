/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/push/push_record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "lib/core/text/encode.h"
#include "lib/core/text/utf8.h"

#define MAGIC "rubato1\n"
#define MAGIC_BYTES 8
#define HEAD_BYTES 26 /* magic, crc, start, pprof bytes, labels */
#define NAME_HEAD 37  /* "SEQUENCE-START-": 16 hex digits, 19 digits */
#define NAME_TAIL ".push"
#define NS_CHARS 200

static uint32_t crc_of(const uint8_t *bytes, size_t len)
{
	return (uint32_t)crc32_z(crc32_z(0, NULL, 0), bytes + MAGIC_BYTES + 4,
				 len - MAGIC_BYTES - 4);
}

static uint8_t *put(uint8_t *at, const void *bytes, size_t len)
{
	memcpy(at, bytes, len);
	return at + len;
}

uint8_t *push_record_pack(const char *ns, int64_t start_ns, const struct push_labels *labels,
			  const uint8_t *pprof, size_t pprof_len, size_t *ret_len)
{
	size_t len = HEAD_BYTES + strlen(ns) + 1 + pprof_len;
	uint32_t pprof_bytes = (uint32_t)pprof_len, crc;
	uint16_t nr = (uint16_t)labels->nr;
	uint8_t *bytes, *at;

	for (size_t i = 0; i < labels->nr; i++)
		len += strlen(labels->label[i].name) + strlen(labels->label[i].value) + 2;
	bytes = at = xmalloc(len);
	at = put(at, MAGIC, MAGIC_BYTES) + sizeof(crc);
	at = put(at, &start_ns, sizeof(start_ns));
	at = put(at, &pprof_bytes, sizeof(pprof_bytes));
	at = put(at, &nr, sizeof(nr));
	at = put(at, ns, strlen(ns) + 1);
	for (size_t i = 0; i < labels->nr; i++) {
		at = put(at, labels->label[i].name, strlen(labels->label[i].name) + 1);
		at = put(at, labels->label[i].value, strlen(labels->label[i].value) + 1);
	}
	put(at, pprof, pprof_len);
	crc = crc_of(bytes, len);
	memcpy(bytes + MAGIC_BYTES, &crc, sizeof(crc));
	*ret_len = len;
	return bytes;
}

/* The next text of valid UTF-8, or NULL. */
static const char *take_text(const uint8_t **at, const uint8_t *end)
{
	const char *text = (const char *)*at;
	const uint8_t *stop = memchr(*at, '\0', (size_t)(end - *at));
	size_t len = stop ? (size_t)(stop - *at) : 0;
	uint32_t code;

	if (!stop)
		return NULL;
	for (size_t i = 0, nr; i < len; i += nr) {
		nr = utf8_char(text + i, len - i, &code);
		if (!nr)
			return NULL;
	}
	*at = stop + 1;
	return text;
}

static bool take_texts(struct push_record *record, const uint8_t **at, const uint8_t *end)
{
	record->ns = take_text(at, end);
	for (size_t i = 0; record->ns && i < record->label_nr; i++) {
		record->label[i].name = take_text(at, end);
		record->label[i].value = record->label[i].name ? take_text(at, end) : NULL;
		if (!record->label[i].value)
			return false;
	}
	return record->ns != NULL;
}

int push_record_parse(const uint8_t *bytes, size_t len, struct push_record *ret_record,
		      struct err *err)
{
	const uint8_t *at = bytes + HEAD_BYTES, *end = bytes + len;
	struct push_record record = { 0 };
	uint32_t pprof_len, crc;
	uint16_t nr;

	if (len < HEAD_BYTES || memcmp(bytes, MAGIC, MAGIC_BYTES) != 0)
		return err_set(err, -EINVAL, "it is no profile of a spool");
	memcpy(&crc, bytes + MAGIC_BYTES, sizeof(crc));
	memcpy(&record.start_ns, bytes + 12, sizeof(record.start_ns));
	memcpy(&pprof_len, bytes + 20, sizeof(pprof_len));
	memcpy(&nr, bytes + 24, sizeof(nr));
	if (crc != crc_of(bytes, len))
		return err_set(err, -EINVAL, "it is damaged: its checksum is another");
	record.label_nr = nr;
	if (nr > PUSH_LABELS || !take_texts(&record, &at, end) || (size_t)(end - at) != pprof_len)
		return err_set(err, -EINVAL, "it is damaged: its lengths do not fit");
	record.pprof = at;
	record.pprof_len = pprof_len;
	*ret_record = record;
	return 0;
}

/* --- names of files --- */

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

void push_file_name(const char *ns, int64_t start_ns, uint64_t seq, char ret_name[PUSH_FILE_NAME])
{
	size_t len = (size_t)snprintf(ret_name, PUSH_FILE_NAME, "%016" PRIx64 "-%019" PRId64 "-",
				      seq, MAX(start_ns, 0));
	size_t end = len + NS_CHARS;

	for (; *ns && len + 3 <= end; ns++) {
		if (is_plain(*ns)) {
			ret_name[len++] = *ns;
			continue;
		}
		ret_name[len++] = '%';
		hex_encode(ns, 1, ret_name + len);
		len += 2;
	}
	memcpy(ret_name + len, NAME_TAIL, sizeof(NAME_TAIL));
}

static bool read_ns(const char *text, size_t len, char *ret_ns)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '%') {
			if (i + 2 >= len || !hex_decode(text + i + 1, ret_ns, 1) || !*ret_ns ||
			    is_plain(*ret_ns))
				return false;
			i += 2;
		} else if (is_plain(text[i])) {
			*ret_ns = text[i];
		} else {
			return false;
		}
		ret_ns++;
	}
	*ret_ns = '\0';
	return true;
}

bool push_file_parse(const char *name, char *ret_ns, int64_t *ret_start_ns, uint64_t *ret_seq)
{
	size_t len = strlen(name), tail = sizeof(NAME_TAIL) - 1;
	char again[PUSH_FILE_NAME];

	if (len < NAME_HEAD + tail || len >= PUSH_FILE_NAME ||
	    !read_ns(name + NAME_HEAD, len - NAME_HEAD - tail, ret_ns))
		return false;
	*ret_seq = strtoull(name, NULL, 16);
	*ret_start_ns = strtoll(name + 17, NULL, 10);
	/* What we did not name is not ours: it is not removed, for one thing. */
	push_file_name(ret_ns, *ret_start_ns, *ret_seq, again);
	return *ret_seq < PUSH_SEQ_MAX && strcmp(name, again) == 0;
}
