/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CORE_PUSH_PUSH_RECORD_H
#define AGENT_CORE_PUSH_PUSH_RECORD_H

/* One profile on its way, as bytes: its namespace, its labels and the pprof.  The same bytes wait in memory and
 * lie in a spool's file, which may be torn, damaged or somebody else's: what parses is whole.  Pure.
 *
 *	"rubato1\n"  crc32 of what follows  i64 start  u32 pprof bytes  u16 labels  NAMESPACE\0 NAME\0 VALUE\0 ... pprof
 *
 * Numbers are of this machine's byte order: a spool does not leave it.
 */

#include "agent/core/push/push_labels.h"
#include "lib/core/base.h"
#include "lib/core/err.h"

#define PUSH_RECORD_BYTES                                                                          \
	(8UL * 1024 * 1024) /* a profile's own bound is below it: 4 MiB before gzip */
#define PUSH_FILE_NAME 256
#define PUSH_SEQ_MAX (1ULL << 62)

struct push_record {
	const char *ns;	  /* all borrowed from the bytes */
	int64_t start_ns; /* CLOCK_REALTIME */
	struct {
		const char *name, *value;
	} label[PUSH_LABELS];
	size_t label_nr;
	const uint8_t *pprof;
	size_t pprof_len;
};

/* The bytes, which the caller frees. */
uint8_t *push_record_pack(const char *ns, int64_t start_ns, const struct push_labels *labels,
			  const uint8_t *pprof, size_t pprof_len, size_t *ret_len);

/* -EINVAL with a sentence when it is not what push_record_pack() made. */
must_check int push_record_parse(const uint8_t *bytes, size_t len, struct push_record *ret_record,
				 struct err *err);

/* The name of a spool's file, "SEQUENCE-START-NAMESPACE.push": it says all that the queue needs to know.  Bytes of the
 * namespace that no name of a file should have are %XX; what is too long is cut. */
void push_file_name(const char *ns, int64_t start_ns, uint64_t seq, char ret_name[PUSH_FILE_NAME]);

/* False when it is no such name; a sequence is below PUSH_SEQ_MAX.  ret_ns has room for PUSH_FILE_NAME bytes. */
must_check bool push_file_parse(const char *name, char *ret_ns, int64_t *ret_start_ns,
				uint64_t *ret_seq);

#endif
