/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/process/procs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUCKETS 1024
#define LINES_MAX 70000 /* a process has 65,530 mappings unless the node's owner raised it */

struct mapping {
	uint64_t start, end;
	uint64_t offset; /* in the file; for FRAME_NAMED the enum frame_name */
	uint32_t file;
};

struct proc {
	struct proc *next; /* in the bucket */
	uint32_t tgid;
	uint64_t mm;
	struct mapping *mapping; /* by address */
	size_t mapping_nr;
	uint32_t main_file;
	int64_t read_ns, used_ns;
	bool missed; /* never read */
	struct image *image
		[2]; /* what the kernel told: for one that is gone before it was read, or read well */
	bool dead;   /* procs_reap() found it gone */
};

struct procs {
	struct proc *bucket[BUCKETS];
	size_t nr, mapping_nr;
	int proc_fd;
	struct files *files;
	const struct images *images;
	uint64_t missed, adopted;
};

struct procs *procs_new(const char *proc, struct files *files, const struct images *images)
{
	struct procs *procs = xcalloc(1, sizeof(*procs));

	procs->proc_fd = open(proc, O_PATH | O_DIRECTORY | O_CLOEXEC);
	procs->files = files;
	procs->images = images;
	return procs;
}

size_t procs_nr(const struct procs *procs)
{
	return procs->nr;
}

uint64_t procs_missed(const struct procs *procs)
{
	return procs->missed;
}

uint64_t procs_adopted(const struct procs *procs)
{
	return procs->adopted;
}

uint32_t procs_main_file(const struct proc *proc)
{
	return proc->main_file;
}

/* Unlink and free the process that `link` points to. */
static void drop(struct procs *procs, struct proc **link)
{
	struct proc *proc = *link;

	*link = proc->next;
	procs->nr--;
	procs->mapping_nr -= proc->mapping_nr;
	image_put(proc->image[0]);
	image_put(proc->image[1]);
	free(proc->mapping);
	free(proc);
}

void procs_free(struct procs *procs)
{
	if (!procs)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		while (procs->bucket[i])
			drop(procs, &procs->bucket[i]);
	if (procs->proc_fd >= 0)
		close(procs->proc_fd);
	free(procs);
}

static struct proc **bucket_of(struct procs *procs, uint32_t tgid)
{
	return &procs->bucket[tgid % BUCKETS];
}

static struct proc *find(struct procs *procs, uint32_t tgid, uint64_t mm)
{
	for (struct proc *proc = *bucket_of(procs, tgid); proc; proc = proc->next)
		if (proc->tgid == tgid && proc->mm == mm)
			return proc;
	return NULL;
}

static void drop_oldest(struct procs *procs, const struct proc *but)
{
	struct proc **oldest = NULL;

	for (size_t i = 0; i < BUCKETS; i++)
		for (struct proc **link = &procs->bucket[i]; *link; link = &(*link)->next)
			if (*link != but && (!oldest || (*link)->used_ns < (*oldest)->used_ns))
				oldest = link;
	if (oldest)
		drop(procs, oldest);
}

static FILE *open_maps(const struct procs *procs, uint32_t tgid)
{
	char path[32];
	FILE *file;
	int fd;

	snprintf(path, sizeof(path), "%" PRIu32 "/maps", tgid);
	fd = openat(procs->proc_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	file = fdopen(fd, "r");
	if (!file)
		close(fd);
	return file;
}

static struct mapping place_of(struct procs *procs, uint32_t tgid, const struct procmap_line *line)
{
	struct file_place place = { .proc_fd = procs->proc_fd, .tgid = tgid, .line = line };
	struct mapping mapping = { .start = line->start, .end = line->end, .file = FRAME_NAMED };

	mapping.offset = line->kind == PROCMAP_VDSO ? FRAME_VDSO : FRAME_ANON;
	if (line->kind != PROCMAP_FILE)
		return mapping;
	mapping.file = files_get(procs->files, &place);
	mapping.offset = mapping.file == FRAME_NAMED ? FRAME_UNKNOWN : line->offset;
	return mapping;
}

static bool same_file(const struct procs *procs, uint32_t tgid, const struct procmap_line *line)
{
	char path[32];
	struct stat st;

	snprintf(path, sizeof(path), "%" PRIu32 "/exe", tgid);
	return fstatat(procs->proc_fd, path, &st, 0) == 0 && st.st_ino == line->ino;
}

/* Add the mapping that this line describes, if it is executable. */
static void take_line(struct procs *procs, struct proc *read, const struct procmap_line *line)
{
	uint64_t end = read->mapping_nr ? read->mapping[read->mapping_nr - 1].end : 0;
	struct mapping *mapping;

	if (!line->executable || line->start < end)
		return;
	GROW(read->mapping, read->mapping_nr);
	mapping = &read->mapping[read->mapping_nr++];
	*mapping = place_of(procs, read->tgid, line);
	if (!read->main_file && mapping->file >= FRAME_FILES && same_file(procs, read->tgid, line))
		read->main_file = mapping->file;
}

/* Read the mappings; what was there before stays if they cannot be read or there are none any more. */
static void read_maps(struct procs *procs, struct proc *proc, int64_t now_ns)
{
	cleanup(freep) struct procmap_line *line = xmalloc(sizeof(*line));
	cleanup(freep) char *text = NULL;
	struct proc read = { .tgid = proc->tgid, .main_file = proc->main_file };
	size_t size = 0;
	FILE *maps = open_maps(procs, proc->tgid);

	proc->read_ns = now_ns;
	for (int i = 0; maps && i < LINES_MAX && read.mapping_nr < PROCMAP_MAPPINGS; i++) {
		ssize_t len = getline(&text, &size, maps);

		if (len < 0)
			break;
		if (procmap_parse(text, (size_t)len, line))
			take_line(procs, &read, line);
	}
	if (maps)
		fclose(maps);
	if (read.mapping_nr == 0)
		return;
	free(proc->mapping);
	procs->mapping_nr += read.mapping_nr - proc->mapping_nr;
	proc->mapping = xrealloc(read.mapping, read.mapping_nr, sizeof(*read.mapping));
	proc->mapping_nr = read.mapping_nr;
	proc->main_file = read.main_file;
}

/* Hold what the kernel told of it. */
static void adopt(struct procs *procs, struct proc *proc)
{
	bool told = proc->image[0] || proc->image[1];

	if (!told) {
		images_get(procs->images, proc->tgid, proc->image);
		told = proc->image[0] || proc->image[1];
		procs->adopted += told && proc->mapping_nr == 0;
	}
	proc->missed = proc->mapping_nr == 0 && !told;
}

static struct proc *add(struct procs *procs, uint32_t tgid, uint64_t mm, int64_t now_ns)
{
	struct proc *proc = xcalloc(1, sizeof(*proc)), **bucket = bucket_of(procs, tgid);

	proc->tgid = tgid;
	proc->mm = mm;
	proc->used_ns = now_ns;
	proc->next = *bucket;
	*bucket = proc;
	procs->nr++;
	read_maps(procs, proc, now_ns);
	adopt(procs, proc);
	procs->missed += proc->missed;
	while (procs->nr > PROCS_MAX || (procs->mapping_nr > PROCS_MAPPINGS && procs->nr > 1))
		drop_oldest(procs, proc);
	return proc;
}

/* Another image of this process runs now: what /proc shows is not theirs any more. */
static void mark_others(struct procs *procs, const struct proc *now)
{
	for (struct proc *proc = *bucket_of(procs, now->tgid); proc; proc = proc->next)
		if (proc->tgid == now->tgid && proc != now)
			proc->dead = true;
}

void procs_seen(struct procs *procs, uint32_t tgid, uint64_t mm, int64_t now_ns)
{
	struct proc *proc = find(procs, tgid, mm);

	if (proc)
		read_maps(procs, proc, now_ns);
	else
		proc = add(procs, tgid, mm, now_ns);
	mark_others(procs, proc);
	proc->dead = false;
	adopt(procs, proc);
}

/* A sample of an image that is not known, of a process that is known by another: it has ended. */
static bool has_later_image(struct procs *procs, uint32_t tgid)
{
	for (struct proc *proc = *bucket_of(procs, tgid); proc; proc = proc->next)
		if (proc->tgid == tgid && !proc->dead)
			return true;
	return false;
}

struct proc *procs_get(struct procs *procs, uint32_t tgid, uint64_t mm, int64_t now_ns)
{
	struct proc *proc = find(procs, tgid, mm);

	if (!proc && has_later_image(procs, tgid))
		return NULL;
	if (!proc)
		proc = add(procs, tgid, mm, now_ns);
	proc->used_ns = now_ns;
	return proc->missed ? NULL : proc;
}

static const struct mapping *find_mapping(const struct proc *proc, uint64_t addr)
{
	size_t low = 0, high = proc->mapping_nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (proc->mapping[middle].end <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == proc->mapping_nr || proc->mapping[low].start > addr)
		return NULL;
	return &proc->mapping[low];
}

/* Which of the two it was: the one that has code at the address, the later one first. */
static struct frame told_frame(struct procs *procs, const struct proc *proc, uint64_t addr)
{
	struct frame frame = { .file = FRAME_NAMED };

	frame.addr = proc->mapping_nr == 0 ? FRAME_EXITED : FRAME_UNKNOWN;

	for (size_t i = 0; i < ARRAY_SIZE(proc->image); i++) {
		const struct sideband_mapping *found = image_find(proc->image[i], addr);

		if (!found)
			continue;
		if (found->ino == 0) {
			frame.addr = found->vdso ? FRAME_VDSO : FRAME_ANON;
			return frame;
		}
		frame.file = files_held(procs->files, found->dev, found->ino);
		if (frame.file != FRAME_NAMED)
			frame.addr = addr - found->start + found->offset;
		return frame;
	}
	return frame;
}

struct frame procs_frame(struct procs *procs, struct proc *proc, uint64_t addr, int64_t now_ns)
{
	const struct mapping *mapping = find_mapping(proc, addr);

	if (!mapping && !proc->dead && now_ns - proc->read_ns >= PROCS_REFRESH_NS) {
		read_maps(procs, proc, now_ns);
		mapping = find_mapping(proc, addr);
	}
	if (!mapping)
		return told_frame(procs, proc, addr);
	if (mapping->file == FRAME_NAMED)
		return (struct frame){ .file = FRAME_NAMED, .addr = mapping->offset };
	return (struct frame){
		.file = mapping->file,
		.addr = addr - mapping->start + mapping->offset,
	};
}

static bool maps_file(const struct proc *proc, uint32_t file)
{
	for (size_t i = 0; i < proc->mapping_nr; i++)
		if (proc->mapping[i].file == file)
			return true;
	return false;
}

void procs_reopen(struct procs *procs, uint32_t file, int64_t now_ns)
{
	int tries = 3;

	for (size_t i = 0; i < BUCKETS && tries > 0; i++)
		for (struct proc *proc = procs->bucket[i]; proc && tries > 0; proc = proc->next) {
			const struct file *found = files_find(procs->files, file);

			if (!found || found->fd >= 0 || found->refused)
				return;
			if (proc->dead || !maps_file(proc, file))
				continue;
			read_maps(procs, proc, now_ns);
			tries--;
		}
}

static void sweep_files(struct procs *procs)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (const struct proc *proc = procs->bucket[i]; proc; proc = proc->next)
			for (size_t j = 0; j < proc->mapping_nr; j++) {
				struct file *file = files_find(procs->files, proc->mapping[j].file);

				if (file)
					file->mapped = true;
			}
	files_sweep(procs->files);
}

void procs_reap(struct procs *procs)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		struct proc **link = &procs->bucket[i];

		while (*link) {
			struct stat st;
			char path[16];

			if ((*link)->dead) {
				drop(procs, link);
				continue;
			}
			snprintf(path, sizeof(path), "%" PRIu32, (*link)->tgid);
			(*link)->dead =
				fstatat(procs->proc_fd, path, &st, 0) < 0 && errno == ENOENT;
			link = &(*link)->next;
		}
	}
	if (files_nr(procs->files) > FILES_MAX / 2)
		sweep_files(procs);
}
