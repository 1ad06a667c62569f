/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/process/proc_maps.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/core/profile/profile.h"
#include "lib/core/sorted.h"

#define LINES_MAX 70000 /* a process has 65,530 mappings unless the node's owner raised it */

struct reader {
	int proc_fd;
	uint32_t tgid;
	struct files *files;
};

static FILE *open_maps(const struct reader *reader)
{
	char path[32];
	FILE *file;
	int fd;

	snprintf(path, sizeof(path), "%" PRIu32 "/maps", reader->tgid);
	fd = openat(reader->proc_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	file = fdopen(fd, "r");
	if (!file)
		close(fd);
	return file;
}

static struct proc_mapping place_of(const struct reader *reader, const struct procmap_line *line,
				    bool *incomplete)
{
	struct file_place place = { .proc_fd = reader->proc_fd,
				    .tgid = reader->tgid,
				    .line = line };
	struct proc_mapping mapping = { .start = line->start,
					.end = line->end,
					.file = FRAME_NAMED };

	mapping.offset = line->kind == PROCMAP_VDSO ? FRAME_VDSO : FRAME_ANON;
	if (line->kind != PROCMAP_FILE)
		return mapping;
	*incomplete |= files_get(reader->files, &place, &mapping.file) < 0;
	mapping.offset = mapping.file == FRAME_NAMED ? FRAME_UNKNOWN : line->offset;
	return mapping;
}

/* From what the kernel knows of it: to ask a tenant's file system may take for ever. */
static bool same_file(const struct reader *reader, const struct procmap_line *line)
{
	char path[32];
	struct statx st;

	snprintf(path, sizeof(path), "%" PRIu32 "/exe", reader->tgid);
	return statx(reader->proc_fd, path, AT_STATX_DONT_SYNC, STATX_INO, &st) == 0 &&
	       st.stx_ino == line->ino;
}

/* Add the mapping that this line describes, if it is executable. */
static void take_line(const struct reader *reader, const struct procmap_line *line,
		      struct proc_maps *maps)
{
	uint64_t end = maps->nr ? maps->mapping[maps->nr - 1].end : 0;
	struct proc_mapping *mapping;

	if (!line->executable || line->start < end)
		return;
	GROW(maps->mapping, maps->nr);
	mapping = &maps->mapping[maps->nr++];
	*mapping = place_of(reader, line, &maps->incomplete);
	if (!maps->main_file && mapping->file >= FRAME_FILES && same_file(reader, line))
		maps->main_file = mapping->file;
}

void proc_maps_read(struct proc_maps *ret_maps, int proc_fd, uint32_t tgid, struct files *files)
{
	const struct reader reader = { proc_fd, tgid, files };
	cleanup(freep) struct procmap_line *line = xmalloc(sizeof(*line));
	cleanup(freep) char *text = NULL;
	size_t size = 0;
	FILE *file = open_maps(&reader);

	*ret_maps = (struct proc_maps){
		.incomplete = !file && (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
	};
	for (int i = 0; file && i < LINES_MAX && ret_maps->nr < PROCMAP_MAPPINGS; i++) {
		ssize_t len = getline(&text, &size, file);

		if (len < 0)
			break;
		if (procmap_parse(text, (size_t)len, line))
			take_line(&reader, line, ret_maps);
	}
	if (file)
		fclose(file);
	if (ret_maps->nr)
		ret_maps->mapping =
			xrealloc(ret_maps->mapping, ret_maps->nr, sizeof(*ret_maps->mapping));
}

void proc_maps_release(struct proc_maps *maps)
{
	free(maps->mapping);
	*maps = (struct proc_maps){ 0 };
}

static int compare_addr(const void *key, const void *element)
{
	const struct proc_mapping *mapping = element;
	uint64_t addr = *(const uint64_t *)key;

	return addr < mapping->start ? -1 : addr >= mapping->end;
}

const struct proc_mapping *proc_maps_find(const struct proc_maps *maps, uint64_t addr)
{
	return sorted_find(&addr, maps->mapping, maps->nr, sizeof(*maps->mapping), compare_addr);
}
