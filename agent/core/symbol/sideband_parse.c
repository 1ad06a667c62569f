/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/symbol/sideband_parse.h"

#include <linux/perf_event.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "lib/core/text/utf8.h"

#define TRAILER sizeof(uint64_t) /* PERF_SAMPLE_TIME */

struct task_record { /* PERF_RECORD_FORK */
	struct perf_event_header header;
	uint32_t pid, ppid, tid, ptid;
	uint64_t time;
};

struct comm_record {
	struct perf_event_header header;
	uint32_t pid, tid;
};

struct lost_record {
	struct perf_event_header header;
	uint64_t id, lost;
};

struct ksymbol_record {
	struct perf_event_header header;
	uint64_t addr;
	uint32_t len;
	uint16_t type, flags;
};

struct mmap2_record {
	struct perf_event_header header;
	uint32_t pid, tid;
	uint64_t start, len, offset;
	uint32_t major, minor;
	uint64_t ino, generation;
	uint32_t prot, flags;
};

static bool parse_fork(const char *data, size_t len, struct sideband_event *event)
{
	struct task_record record;

	if (len < sizeof(record))
		return false;
	memcpy(&record, data, sizeof(record));
	event->type = SIDEBAND_FORK;
	event->pid = record.pid;
	event->parent = record.ppid;
	return record.pid != record.ppid;
}

static bool parse_comm(const char *data, size_t len, struct sideband_event *event)
{
	struct comm_record record;

	if (len < sizeof(record))
		return false;
	memcpy(&record, data, sizeof(record));
	event->type = SIDEBAND_EXEC;
	event->pid = record.pid;
	return record.header.misc & PERF_RECORD_MISC_COMM_EXEC;
}

static bool parse_lost(const char *data, size_t len, struct sideband_event *event)
{
	struct lost_record record;

	if (len < sizeof(record))
		return false;
	memcpy(&record, data, sizeof(record));
	event->type = SIDEBAND_LOST;
	event->lost = record.lost;
	return true;
}

static bool parse_mmap2(const char *data, size_t len, struct sideband_event *event)
{
	static const char vdso[] = "[vdso]";
	struct mmap2_record record;
	const char *name = data + sizeof(record);

	if (len < sizeof(record))
		return false;
	memcpy(&record, data, sizeof(record));
	event->type = SIDEBAND_MMAP;
	event->pid = record.pid;
	event->mapping = (struct sideband_mapping){
		.start = record.start,
		.end = record.start + record.len,
		.offset = record.offset,
		.ino = record.ino,
		.dev = makedev(record.major, record.minor),
		.vdso = len - sizeof(record) >= sizeof(vdso) &&
			memcmp(name, vdso, sizeof(vdso)) == 0,
	};
	/* With a build id the numbers of the file are not there; we do not ask for it. */
	return event->mapping.start < event->mapping.end &&
	       !(record.header.misc & PERF_RECORD_MISC_MMAP_BUILD_ID);
}

/* The name is padded with NUL. */
static bool parse_symbol(const char *data, size_t len, struct sideband_event *event)
{
	static const char bpf[] = " [bpf]";
	struct sideband_symbol *symbol = &event->symbol;
	struct ksymbol_record record;
	const char *name = data + sizeof(record);
	size_t clean;

	if (len <= sizeof(record))
		return false;
	memcpy(&record, data, sizeof(record));
	event->type = SIDEBAND_SYMBOL;
	symbol->start = record.addr;
	symbol->end = record.addr + record.len;
	symbol->gone = record.flags & PERF_RECORD_KSYMBOL_FLAGS_UNREGISTER;
	clean = utf8_clean(name, strnlen(name, len - sizeof(record)), symbol->name,
			   sizeof(symbol->name) - sizeof(bpf) + 1);
	if (record.type == PERF_RECORD_KSYMBOL_TYPE_BPF)
		memcpy(symbol->name + clean, bpf, sizeof(bpf));
	return symbol->start < symbol->end && clean > 0;
}

bool sideband_parse(const void *data, size_t len, struct sideband_event *ret_event)
{
	struct sideband_event event = { .pid = 0 };
	struct perf_event_header header;
	bool good = false;

	if (len < sizeof(header) + TRAILER)
		return false;
	memcpy(&header, data, sizeof(header));
	len -= TRAILER;
	if (header.type == PERF_RECORD_FORK)
		good = parse_fork(data, len, &event);
	else if (header.type == PERF_RECORD_COMM)
		good = parse_comm(data, len, &event);
	else if (header.type == PERF_RECORD_MMAP2)
		good = parse_mmap2(data, len, &event);
	else if (header.type == PERF_RECORD_KSYMBOL)
		good = parse_symbol(data, len, &event);
	else if (header.type == PERF_RECORD_LOST)
		good = parse_lost(data, len, &event);
	if (good)
		*ret_event = event;
	return good;
}
