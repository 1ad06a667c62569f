/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/process/procs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/process/proc_maps.h"
#include "lib/core/hash.h"
#include "lib/core/table.h"

struct proc {
	struct table_node node; /* by tgid */
	size_t at;
	struct proc_id id;
	struct proc_maps maps;
	int64_t read_ns, used_ns;
	bool missed; /* never read */
	struct image *image
		[2]; /* what the kernel told: for one that is gone before it was read, or read well */
	bool dead;   /* procs_reap() found it gone */
};

struct procs {
	struct table by_tgid;
	struct proc **proc;
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
	return proc->maps.main_file;
}

static void drop(struct procs *procs, struct proc *proc)
{
	struct proc *last = procs->proc[--procs->nr];

	procs->proc[proc->at] = last;
	last->at = proc->at;
	table_remove(&procs->by_tgid, &proc->node);
	procs->mapping_nr -= proc->maps.nr;
	image_put(proc->image[0]);
	image_put(proc->image[1]);
	proc_maps_release(&proc->maps);
	free(proc);
}

void procs_free(struct procs *procs)
{
	if (!procs)
		return;
	while (procs->nr)
		drop(procs, procs->proc[0]);
	table_release(&procs->by_tgid);
	free(procs->proc);
	if (procs->proc_fd >= 0)
		close(procs->proc_fd);
	free(procs);
}

/* The images of one process, the youngest first; hash_u64() is a bijection, so an equal hash is an equal tgid. */
static struct proc *first_image(const struct procs *procs, uint32_t tgid)
{
	return TABLE_ENTRY(table_first(&procs->by_tgid, hash_u64(tgid)), struct proc, node);
}

static struct proc *next_image(const struct proc *proc)
{
	return TABLE_ENTRY(table_next(&proc->node), struct proc, node);
}

static struct proc *find(const struct procs *procs, const struct proc_id *id)
{
	struct proc *proc = first_image(procs, id->tgid);

	while (proc && proc->id.image != id->image)
		proc = next_image(proc);
	return proc;
}

static void drop_oldest(struct procs *procs, const struct proc *but)
{
	struct proc *oldest = NULL;

	for (size_t i = 0; i < procs->nr; i++)
		if (procs->proc[i] != but && (!oldest || procs->proc[i]->used_ns < oldest->used_ns))
			oldest = procs->proc[i];
	if (oldest)
		drop(procs, oldest);
}

/* What was there before stays if they cannot be read or there are none any more. */
static void read_maps(struct procs *procs, struct proc *proc, int64_t now_ns)
{
	struct proc_maps maps;

	proc->read_ns = now_ns;
	proc_maps_read(&maps, procs->proc_fd, proc->id.tgid, procs->files);
	proc->maps.incomplete = maps.incomplete;
	if (maps.nr == 0)
		return;
	if (!maps.main_file)
		maps.main_file = proc->maps.main_file;
	procs->mapping_nr += maps.nr - proc->maps.nr;
	proc_maps_release(&proc->maps);
	proc->maps = maps;
}

/* What the kernel's records call the files of a process that could be read as well. */
static void tell_files(struct procs *procs, const struct proc *proc)
{
	for (size_t i = 0; proc->image[0] && i < proc->maps.nr; i++) {
		const struct proc_mapping *mapping = &proc->maps.mapping[i];
		const struct sideband_mapping *told = image_find(proc->image[0], mapping->start);

		if (mapping->file >= FRAME_FILES && told && told->ino &&
		    mapping->start - told->start + told->offset == mapping->offset)
			files_tell(procs->files, mapping->file, proc->id.cgroup, told->dev,
				   told->ino);
	}
}

/* Hold what the kernel told of it. */
static void adopt(struct procs *procs, struct proc *proc)
{
	bool told = proc->image[0] || proc->image[1];

	if (!told) {
		images_get(procs->images, proc->id.tgid, proc->image);
		told = proc->image[0] || proc->image[1];
		procs->adopted += told && proc->maps.nr == 0;
	}
	proc->missed = proc->maps.nr == 0 && !told && !proc->maps.incomplete;
	tell_files(procs, proc);
}

static struct proc *add(struct procs *procs, const struct proc_id *id, int64_t now_ns)
{
	struct proc *proc = xcalloc(1, sizeof(*proc));

	proc->id = *id;
	proc->used_ns = now_ns;
	proc->at = procs->nr;
	GROW(procs->proc, procs->nr);
	procs->proc[procs->nr++] = proc;
	table_add(&procs->by_tgid, &proc->node, hash_u64(id->tgid));
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
	for (struct proc *proc = first_image(procs, now->id.tgid); proc; proc = next_image(proc))
		if (proc != now)
			proc->dead = true;
}

void procs_seen(struct procs *procs, const struct proc_id *id, int64_t now_ns)
{
	struct proc *proc = find(procs, id);

	if (proc)
		read_maps(procs, proc, now_ns);
	else
		proc = add(procs, id, now_ns);
	mark_others(procs, proc);
	proc->dead = false;
	adopt(procs, proc);
}

/* A sample of an image that is not known, of a process that is known by another: it has ended. */
static bool has_later_image(struct procs *procs, uint32_t tgid)
{
	for (const struct proc *proc = first_image(procs, tgid); proc; proc = next_image(proc))
		if (!proc->dead)
			return true;
	return false;
}

struct proc *procs_get(struct procs *procs, const struct proc_id *id, int64_t now_ns)
{
	struct proc *proc = find(procs, id);

	if (!proc && has_later_image(procs, id->tgid))
		return NULL;
	if (!proc)
		proc = add(procs, id, now_ns);
	proc->used_ns = now_ns;
	return proc->missed ? NULL : proc;
}

/* Which of the two it was: the one that has code at the address, the later one first. */
static struct frame told_frame(struct procs *procs, const struct proc *proc, uint64_t addr)
{
	struct frame frame = { .file = FRAME_NAMED };

	frame.addr = proc->maps.nr == 0 && !proc->maps.incomplete ? FRAME_EXITED : FRAME_UNKNOWN;

	for (size_t i = 0; i < ARRAY_SIZE(proc->image); i++) {
		const struct sideband_mapping *found = image_find(proc->image[i], addr);

		if (!found)
			continue;
		if (found->ino == 0) {
			frame.addr = found->vdso ? FRAME_VDSO : FRAME_ANON;
			return frame;
		}
		frame.file = files_held(procs->files, proc->id.cgroup, found->dev, found->ino);
		if (frame.file != FRAME_NAMED)
			frame.addr = addr - found->start + found->offset;
		return frame;
	}
	return frame;
}

struct frame procs_frame(struct procs *procs, struct proc *proc, uint64_t addr, int64_t now_ns)
{
	const struct proc_mapping *mapping = proc_maps_find(&proc->maps, addr);

	bool unknown = !mapping || (mapping->file == FRAME_NAMED && proc->maps.incomplete);

	if (unknown && !proc->dead && now_ns - proc->read_ns >= PROCS_REFRESH_NS) {
		read_maps(procs, proc, now_ns);
		mapping = proc_maps_find(&proc->maps, addr);
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
	for (size_t i = 0; i < proc->maps.nr; i++)
		if (proc->maps.mapping[i].file == file)
			return true;
	return false;
}

void procs_reopen(struct procs *procs, uint32_t file, int64_t now_ns)
{
	int tries = 3;

	for (size_t i = 0; i < procs->nr && tries > 0; i++) {
		const struct file *found = files_find(procs->files, file);

		if (!found || found->fd >= 0 || found->refused)
			return;
		if (procs->proc[i]->dead || !maps_file(procs->proc[i], file))
			continue;
		read_maps(procs, procs->proc[i], now_ns);
		tries--;
	}
}

static void sweep_files(struct procs *procs)
{
	for (size_t i = 0; i < procs->nr; i++) {
		const struct proc *proc = procs->proc[i];

		for (size_t j = 0; j < proc->maps.nr; j++) {
			struct file *file = files_find(procs->files, proc->maps.mapping[j].file);

			if (file)
				file->mapped = true;
		}
	}
	files_sweep(procs->files);
}

void procs_reap(struct procs *procs)
{
	/* From the end: what takes the place of one that is dropped has been looked at. */
	for (size_t i = procs->nr; i-- > 0;) {
		struct proc *proc = procs->proc[i];
		struct stat st;
		char path[16];

		if (proc->dead) {
			drop(procs, proc);
			continue;
		}
		snprintf(path, sizeof(path), "%" PRIu32, proc->id.tgid);
		proc->dead = fstatat(procs->proc_fd, path, &st, 0) < 0 && errno == ENOENT;
	}
	if (files_nr(procs->files) > FILES_MAX / 2)
		sweep_files(procs);
}
