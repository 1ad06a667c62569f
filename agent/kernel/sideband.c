/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/kernel/sideband.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE_BYTES 4096UL
#define RING_BYTES (64UL * 1024)
#define RING_MIN_BYTES (8UL * 1024)

struct ring {
	int fd;
	struct perf_event_mmap_page *page; /* NULL = not mapped */
	uint64_t head;			   /* of this drain */
	uint64_t tail;			   /* what has been read */
	uint64_t time;			   /* of the record at tail */
	size_t len;			   /* of that; 0 = no record */
};

struct sideband {
	void (*event)(void *ctx, const struct sideband_event *event);
	void *ctx;
	int epoll_fd;
	struct ring *ring;
	size_t ring_nr;
	size_t ring_bytes; /* of each, a power of two */
	uint64_t lost;
	char record[SIDEBAND_RECORD_BYTES];
};

static void ring_close(const struct sideband *sideband, struct ring *ring)
{
	if (ring->page)
		munmap(ring->page, PAGE_BYTES + sideband->ring_bytes);
	if (ring->fd >= 0)
		close(ring->fd);
}

static void close_rings(struct sideband *sideband)
{
	for (size_t i = 0; i < sideband->ring_nr; i++)
		ring_close(sideband, &sideband->ring[i]);
	free(sideband->ring);
	sideband->ring = NULL;
	sideband->ring_nr = 0;
}

void sideband_free(struct sideband *sideband)
{
	if (!sideband)
		return;
	close_rings(sideband);
	if (sideband->epoll_fd >= 0)
		close(sideband->epoll_fd);
	free(sideband);
}

static int open_event(int cpu, size_t ring_bytes)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_DUMMY,
		.sample_type = PERF_SAMPLE_TIME,
		.sample_id_all = 1,
		.mmap = 1,
		.mmap2 = 1,
		.comm = 1,
		.comm_exec = 1,
		.task = 1,
		.ksymbol = 1,
		.exclude_kernel = 1,
		.watermark = 1,
		.wakeup_watermark = (uint32_t)(ring_bytes / 2),
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int open_ring(struct sideband *sideband, int cpu)
{
	struct epoll_event wake = { .events = EPOLLIN };
	struct ring *ring;
	void *page;
	int fd = open_event(cpu, sideband->ring_bytes);

	if (fd == -ENODEV) /* this CPU is offline */
		return 0;
	if (fd < 0)
		return fd;
	GROW(sideband->ring, sideband->ring_nr);
	ring = &sideband->ring[sideband->ring_nr++];
	*ring = (struct ring){ .fd = fd };
	page = mmap(NULL, PAGE_BYTES + sideband->ring_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    0);
	if (page == MAP_FAILED)
		return -errno;
	ring->page = page;
	return epoll_ctl(sideband->epoll_fd, EPOLL_CTL_ADD, fd, &wake) < 0 ? -errno : 0;
}

static int open_rings(struct sideband *sideband, size_t ring_bytes)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	int r = 0;

	sideband->ring_bytes = ring_bytes;
	for (int cpu = 0; cpu < cpus && r == 0; cpu++)
		r = open_ring(sideband, cpu);
	if (r < 0)
		close_rings(sideband);
	return r;
}

int sideband_new(void (*event)(void *ctx, const struct sideband_event *event), void *ctx,
		 struct sideband **ret_sideband, struct err *err)
{
	struct sideband *sideband = xcalloc(1, sizeof(*sideband));
	int r = -EPERM;

	sideband->event = event;
	sideband->ctx = ctx;
	sideband->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	/* mmap() says EPERM when kernel.perf_event_mlock_kb is used up. */
	for (size_t bytes = RING_BYTES; r == -EPERM && bytes >= RING_MIN_BYTES; bytes /= 2)
		r = open_rings(sideband, bytes);
	if (r < 0) {
		sideband_free(sideband);
		return err_set(err, r,
			       "opening the events of processes: %s; needs the capability PERFMON "
			       "and room in "
			       "kernel.perf_event_mlock_kb",
			       strerror(-r));
	}
	*ret_sideband = sideband;
	return 0;
}

int sideband_fd(const struct sideband *sideband)
{
	return sideband->epoll_fd;
}

uint64_t sideband_lost(const struct sideband *sideband)
{
	return sideband ? sideband->lost : 0;
}

uint64_t sideband_bytes(const struct sideband *sideband)
{
	return sideband ? sideband->ring_nr * (sideband->ring_bytes + PAGE_BYTES) : 0;
}

/* Records may go over the end of the ring. */
static void copy_out(const struct sideband *sideband, const struct ring *ring, uint64_t from,
		     void *to, size_t len)
{
	const char *data = (const char *)ring->page + PAGE_BYTES;
	size_t at = from & (sideband->ring_bytes - 1);
	size_t first = MIN(len, sideband->ring_bytes - at);

	memcpy(to, data + at, first);
	memcpy((char *)to + first, data, len - first);
}

/* Look at the record at the tail. */
static void peek(const struct sideband *sideband, struct ring *ring)
{
	struct perf_event_header header;

	ring->len = 0;
	if (ring->head - ring->tail < sizeof(header))
		return;
	copy_out(sideband, ring, ring->tail, &header, sizeof(header));
	if (header.size < sizeof(header) + sizeof(ring->time) ||
	    header.size > ring->head - ring->tail) {
		ring->tail = ring->head;
		return;
	}
	ring->len = header.size;
	copy_out(sideband, ring, ring->tail + header.size - sizeof(ring->time), &ring->time,
		 sizeof(ring->time));
}

static struct ring *earliest(const struct sideband *sideband)
{
	struct ring *first = NULL;

	for (size_t i = 0; i < sideband->ring_nr; i++) {
		struct ring *ring = &sideband->ring[i];

		if (ring->len && (!first || ring->time < first->time))
			first = ring;
	}
	return first;
}

static void handle(struct sideband *sideband, const struct ring *ring)
{
	struct sideband_event event;

	if (ring->len > sizeof(sideband->record))
		return;
	copy_out(sideband, ring, ring->tail, sideband->record, ring->len);
	if (!sideband_parse(sideband->record, ring->len, &event))
		return;
	if (event.type == SIDEBAND_LOST)
		sideband->lost += event.lost;
	else
		sideband->event(sideband->ctx, &event);
}

void sideband_drain(struct sideband *sideband)
{
	struct ring *ring;

	for (size_t i = 0; sideband && i < sideband->ring_nr; i++) {
		ring = &sideband->ring[i];
		ring->head = __atomic_load_n(&ring->page->data_head, __ATOMIC_ACQUIRE);
		peek(sideband, ring);
	}
	while (sideband && (ring = earliest(sideband)) != NULL) {
		handle(sideband, ring);
		ring->tail += ring->len;
		peek(sideband, ring);
	}
	for (size_t i = 0; sideband && i < sideband->ring_nr; i++)
		__atomic_store_n(&sideband->ring[i].page->data_tail, sideband->ring[i].tail,
				 __ATOMIC_RELEASE);
}
