/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/symbol/images.h"

#include <string.h>

#include "lib/core/hash.h"
#include "lib/core/table.h"

struct process {
	struct table_node node;
	bool used;
	uint32_t pid;
	struct image *image[2]; /* now, and before the last exec */
};

struct images {
	struct process process[IMAGES_MAX]; /* a ring */
	size_t next;
	struct table table;
};

struct images *images_new(void)
{
	return xcalloc(1, sizeof(struct images));
}

void image_put(struct image *image)
{
	if (!image || --image->refs > 0)
		return;
	free(image->mapping);
	free(image);
}

static struct image *image_new(void)
{
	struct image *image = xcalloc(1, sizeof(*image));

	image->refs = 1;
	return image;
}

static struct image *image_get(struct image *image)
{
	if (image)
		image->refs++;
	return image;
}

static void clear(struct images *images, struct process *process)
{
	if (!process->used)
		return;
	table_remove(&images->table, &process->node);
	image_put(process->image[0]);
	image_put(process->image[1]);
	*process = (struct process){ .used = false };
}

void images_free(struct images *images)
{
	if (!images)
		return;
	for (size_t i = 0; i < IMAGES_MAX; i++)
		clear(images, &images->process[i]);
	table_release(&images->table);
	free(images);
}

static struct process *find(const struct images *images, uint32_t pid)
{
	struct table_node *node = table_first(&images->table, hash_u64(pid));

	while (node && TABLE_ENTRY(node, struct process, node)->pid != pid)
		node = table_next(node);
	return TABLE_ENTRY(node, struct process, node);
}

static struct process *add(struct images *images, uint32_t pid)
{
	struct process *process = &images->process[images->next++ % IMAGES_MAX];

	clear(images, process);
	process->used = true;
	process->pid = pid;
	table_add(&images->table, &process->node, hash_u64(pid));
	return process;
}

/* The child has what its parent has, until it makes an image of its own. */
static void on_fork(struct images *images, uint32_t pid, uint32_t parent_pid)
{
	struct process *process = find(images, pid);
	const struct process *parent;

	if (process) /* another process had this number */
		clear(images, process);
	process = add(images, pid);
	parent = find(images, parent_pid);
	process->image[0] = image_get(parent ? parent->image[0] : NULL);
	if (process->image[0])
		process->image[0]->shared = true;
}

static void on_exec(struct images *images, uint32_t pid)
{
	struct process *process = find(images, pid);

	if (!process)
		process = add(images, pid);
	image_put(process->image[1]);
	process->image[1] = process->image[0];
	process->image[0] = image_new();
}

/* An image of this process only, to be changed. */
static struct image *own(struct process *process)
{
	struct image *old = process->image[0], *image;

	if (!old->shared)
		return old;
	image = image_new();
	image->mapping = xcalloc(old->nr, sizeof(*old->mapping));
	memcpy(image->mapping, old->mapping, old->nr * sizeof(*old->mapping));
	image->nr = old->nr;
	image_put(old);
	process->image[0] = image;
	return image;
}

static void on_mmap(struct images *images, uint32_t pid, const struct sideband_mapping *mapping)
{
	struct process *process = find(images, pid);
	struct image *image;

	if (!process || !process->image[0] || process->image[0]->nr >= IMAGES_MAPPINGS)
		return;
	image = own(process);
	image->mapping = xrealloc(image->mapping, image->nr + 1, sizeof(*image->mapping));
	image->mapping[image->nr++] = *mapping;
}

void images_take(struct images *images, const struct sideband_event *event)
{
	switch (event->type) {
	case SIDEBAND_FORK:
		on_fork(images, event->pid, event->parent);
		break;
	case SIDEBAND_EXEC:
		on_exec(images, event->pid);
		break;
	case SIDEBAND_MMAP:
		on_mmap(images, event->pid, &event->mapping);
		break;
	case SIDEBAND_SYMBOL:
	case SIDEBAND_LOST:
		break;
	}
}

void images_get(const struct images *images, uint32_t pid, struct image *ret_image[2])
{
	const struct process *process = find(images, pid);

	ret_image[0] = process ? image_get(process->image[0]) : NULL;
	ret_image[1] = process ? image_get(process->image[1]) : NULL;
}

/* Of two that overlap the later one is there: unmapping is not told. */
const struct sideband_mapping *image_find(const struct image *image, uint64_t addr)
{
	for (size_t i = image ? image->nr : 0; i > 0; i--)
		if (addr >= image->mapping[i - 1].start && addr < image->mapping[i - 1].end)
			return &image->mapping[i - 1];
	return NULL;
}
