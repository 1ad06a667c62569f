/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "agent/core/push/push_body.h"
#include "agent/core/push/push_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_bytes(const uint8_t *bytes, size_t len)
{
	struct push_record record;

	if (push_record_parse(bytes, len, &record, NULL) < 0)
		return;
	if (record.pprof + record.pprof_len != bytes + len)
		abort();
	for (int wire = PUSH_WIRE_PYROSCOPE; wire <= PUSH_WIRE_PARCA_GRPC; wire++) {
		size_t body_len;

		free(push_body((enum push_wire)wire, &record, 1, &body_len));
	}
}

/* As a name of a file, as it is, and with a checksum that is right: else nothing would get beyond that. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[PUSH_FILE_NAME], ns[PUSH_FILE_NAME], again[PUSH_FILE_NAME];
	size_t len = size < sizeof(name) - 1 ? size : sizeof(name) - 1;
	int64_t start_ns;
	uint8_t *copy;
	uint64_t seq;

	memcpy(name, data, len);
	name[len] = '\0';
	if (push_file_parse(name, ns, &start_ns, &seq)) {
		push_file_name(ns, start_ns, seq, again);
		if (strcmp(name, again) != 0)
			abort();
	}
	try_bytes(data, size);
	if (size < 12)
		return 0;
	copy = malloc(size);
	memcpy(copy, data, size);
	memcpy(copy, "rubato1\n", 8);
	*(uint32_t *)(void *)(copy + 8) =
		(uint32_t)crc32(crc32(0, NULL, 0), copy + 12, (uInt)(size - 12));
	try_bytes(copy, size);
	free(copy);
	return 0;
}
