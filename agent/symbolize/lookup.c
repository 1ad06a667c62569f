/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbolize/lookup.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/core/symbol/demangle.h"
#include "agent/core/symbol/elf.h"
#include "agent/core/symbol/names.h"
#include "agent/symbolize/kernel_names.h"
#include "lib/core/utf8.h"

#define KERNEL_START 0xffff800000000000ULL
#define PAGE_BYTES 4096ULL

struct lookup {
	struct kernel_names *kernel;
	struct files *files;
	struct procs *procs;
	struct names *names;
	uint64_t found, missing;
};

void lookup_free(struct lookup *lookup)
{
	if (!lookup)
		return;
	kernel_names_free(lookup->kernel);
	names_free(lookup->names);
	free(lookup);
}

void lookup_trim(struct lookup *lookup)
{
	names_trim(lookup->names);
}

void lookup_stats(const struct lookup *lookup, struct symbolizer_stats *stats)
{
	stats->frames_resolved = lookup->found;
	stats->frames_unresolved = lookup->missing;
	stats->names = names_nr(lookup->names);
	stats->kernel = kernel_names_known(lookup->kernel);
}

bool lookup_step(struct lookup *lookup)
{
	kernel_names_step(lookup->kernel);
	return kernel_names_reading(lookup->kernel);
}

bool lookup_reading(const struct lookup *lookup)
{
	return kernel_names_reading(lookup->kernel);
}

struct lookup *lookup_new(const char *proc, struct files *files, struct procs *procs,
			  int64_t now_ns)
{
	struct lookup *lookup = xcalloc(1, sizeof(*lookup));
	cleanup(freep) char *kallsyms = xasprintf("%s/kallsyms", proc);

	lookup->kernel = kernel_names_new(kallsyms, now_ns);
	lookup->files = files;
	lookup->procs = procs;
	lookup->names = names_new();
	return lookup;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

static void put_stand_in(struct lookup *lookup, const struct frame *frame, const char *module,
			 uint64_t addr)
{
	char text[PROCMAP_PATH_BYTES + 32];

	snprintf(text, sizeof(text), "%s+0x%" PRIx64, module, addr);
	names_put(lookup->names, frame->file, frame->addr, &(struct name){ .text = text });
	lookup->missing++;
}

static void put_found(struct lookup *lookup, const struct frame *frame, const char *symbol)
{
	char text[DEMANGLE_OUTPUT], system[ELF_NAME_BYTES];

	demangle(symbol, text);
	utf8_clean(symbol, strlen(symbol), system, sizeof(system));
	names_put(lookup->names, frame->file, frame->addr,
		  &(struct name){ .text = text, .system = system, .found = true });
	lookup->found++;
}

static int by_vaddr(const void *left, const void *right)
{
	const struct elf_query *a = left, *b = right;

	return a->vaddr < b->vaddr ? -1 : a->vaddr > b->vaddr;
}

static void resolve_elf(struct lookup *lookup, struct file *file, const struct frame *frame,
			size_t nr)
{
	cleanup(freep) struct elf_query *query = xcalloc(nr, sizeof(*query));
	struct elf_source source = files_source(file);
	char symbol[ELF_NAME_BYTES];

	for (size_t i = 0; i < nr; i++) {
		query[i].vaddr = elf_vaddr(&file->elf, frame[i].addr);
		query[i].tag = i;
	}
	qsort(query, nr, sizeof(*query), by_vaddr);
	/* What was found before an error stands; the rest gets stand-ins. */
	if (elf_lookup(&source, &file->elf, query, nr, NULL) < 0)
		file->damaged = true;
	for (size_t i = 0; i < nr; i++) {
		const struct frame *asked = &frame[query[i].tag];

		if (elf_name(&source, &query[i], symbol))
			put_found(lookup, asked, symbol);
		else
			put_stand_in(lookup, asked, base_name(file->name), query[i].vaddr);
	}
}

/* Frames of one file, sorted by address. */
static void resolve_file(struct lookup *lookup, const struct frame *frame, size_t nr,
			 int64_t now_ns)
{
	struct file *file;

	procs_reopen(lookup->procs, frame->file, now_ns);
	file = files_find(lookup->files, frame->file);
	if (file && files_parse(lookup->files, file)) {
		resolve_elf(lookup, file, frame, nr);
		return;
	}
	for (size_t i = 0; i < nr; i++)
		put_stand_in(lookup, &frame[i], file ? base_name(file->name) : "[unknown]",
			     frame[i].addr);
}

static void resolve_kernel(struct lookup *lookup, const struct frame *frame, size_t nr,
			   int64_t now_ns)
{
	struct name had;

	kernel_names_need(lookup->kernel);
	for (size_t i = 0; i < nr; i++) {
		const char *name = kernel_names_find(lookup->kernel, frame[i].addr, now_ns);

		if (name)
			put_found(lookup, &frame[i], name);
		else if (!names_get(lookup->names, FRAME_KERNEL, frame[i].addr, &had))
			put_stand_in(lookup, &frame[i], "[kernel]", frame[i].addr);
	}
}

static int by_place(const void *left, const void *right)
{
	const struct frame *a = left, *b = right;

	if (a->file != b->file)
		return a->file < b->file ? -1 : 1;
	return a->addr < b->addr ? -1 : a->addr > b->addr;
}

static bool is_asked(const struct lookup *lookup, const struct frame *frame)
{
	struct name name;

	if (frame->file == FRAME_NAMED)
		return false;
	if (!names_get(lookup->names, frame->file, frame->addr, &name))
		return true;
	/* Its module may have been read meanwhile. */
	return frame->file == FRAME_KERNEL && !name.found;
}

static size_t sort_distinct(struct frame *frame, size_t nr)
{
	size_t distinct = 0;

	if (nr)
		qsort(frame, nr, sizeof(*frame), by_place);
	for (size_t i = 0; i < nr; i++)
		if (i == 0 || by_place(&frame[i], &frame[distinct - 1]) != 0)
			frame[distinct++] = frame[i];
	return distinct;
}

/* The distinct frames whose names are not known yet, by file and address. */
static size_t collect(const struct lookup *lookup, struct profile *const *profile, size_t nr,
		      struct frame **ret_frame)
{
	struct frame *frame = NULL;
	size_t frame_nr = 0;

	for (size_t i = 0; i < nr; i++)
		for (size_t j = 0; j < profile[i]->frame_nr; j++) {
			if (!is_asked(lookup, &profile[i]->frame[j]))
				continue;
			GROW(frame, frame_nr);
			frame[frame_nr++] = profile[i]->frame[j];
		}
	*ret_frame = frame;
	return sort_distinct(frame, frame_nr);
}

void lookup_resolve(struct lookup *lookup, struct profile *const *profile, size_t nr,
		    int64_t now_ns)
{
	cleanup(freep) struct frame *frame = NULL;
	size_t frame_nr = collect(lookup, profile, nr, &frame), end;

	for (size_t first = 0; first < frame_nr; first = end) {
		for (end = first + 1; end < frame_nr && frame[end].file == frame[first].file;)
			end++;
		if (frame[first].file == FRAME_KERNEL)
			resolve_kernel(lookup, &frame[first], end - first, now_ns);
		else
			resolve_file(lookup, &frame[first], end - first, now_ns);
	}
}

/* --- what the encoder needs --- */

struct builder {
	const struct lookup *lookup;
	const struct profile *profile;
	struct pprof_location *location;
	struct pprof_mapping *mapping;
	size_t mapping_nr;
};

/* Index + 1 of this mapping, made if need be. */
static uint32_t add_mapping(struct builder *builder, const struct pprof_mapping *mapping)
{
	for (size_t i = builder->mapping_nr; i > 0; i--) {
		const struct pprof_mapping *known = &builder->mapping[i - 1];

		if (known->filename == mapping->filename && known->start == mapping->start &&
		    known->has_functions == mapping->has_functions && known->main == mapping->main)
			return (uint32_t)i;
	}
	GROW(builder->mapping, builder->mapping_nr);
	builder->mapping[builder->mapping_nr++] = *mapping;
	return (uint32_t)builder->mapping_nr;
}

static uint32_t kernel_mapping(struct builder *builder)
{
	static const char name[] = "[kernel.kallsyms]";

	return add_mapping(builder, &(struct pprof_mapping){
					    .start = KERNEL_START,
					    .limit = UINT64_MAX,
					    .filename = name,
					    .has_functions = true,
				    });
}

static uint32_t file_mapping(struct builder *builder, const struct file *file, uint64_t offset,
			     bool found)
{
	const struct elf_segment *segment = NULL;
	struct pprof_mapping mapping = {
		.filename = file->name,
		.build_id = file->build_id,
		.has_functions = found,
		.main = found && file->id == builder->profile->main_file,
	};

	if (file->parsed)
		segment = elf_find_segment(&file->elf, offset);
	if (segment) {
		uint64_t skew = segment->vaddr % PAGE_BYTES;

		mapping.start = segment->vaddr - skew;
		mapping.limit = (segment->vaddr + segment->size + PAGE_BYTES - 1) & -PAGE_BYTES;
		mapping.offset = segment->offset - MIN(skew, segment->offset);
	}
	return add_mapping(builder, &mapping);
}

static void describe(struct builder *builder, const struct frame *frame,
		     struct pprof_location *location)
{
	struct name name = { .text = frame_name(FRAME_UNKNOWN) };
	struct file *file;

	if (frame->file == FRAME_NAMED) {
		location->name = frame_name((enum frame_name)frame->addr);
		return;
	}
	names_get(builder->lookup->names, frame->file, frame->addr, &name);
	location->name = name.text;
	location->system_name = name.system;
	location->addr = frame->addr;
	if (frame->file == FRAME_KERNEL) {
		location->mapping = kernel_mapping(builder);
		return;
	}
	file = files_find(builder->lookup->files, frame->file);
	if (!file)
		return;
	if (file->parsed)
		location->addr = elf_vaddr(&file->elf, frame->addr);
	location->mapping = file_mapping(builder, file, frame->addr, name.found);
}

static void add_main_mapping(struct builder *builder)
{
	const struct file *file = files_find(builder->lookup->files, builder->profile->main_file);

	if (file && file->parsed && file->elf.segment_nr)
		file_mapping(builder, file, file->elf.segment[0].offset, true);
}

void lookup_names(const struct lookup *lookup, const struct profile *profile,
		  struct pprof_names *ret_names)
{
	struct builder builder = { .lookup = lookup, .profile = profile };

	builder.location = xcalloc(profile->frame_nr, sizeof(*builder.location));
	for (size_t i = 0; i < profile->frame_nr; i++)
		describe(&builder, &profile->frame[i], &builder.location[i]);
	add_main_mapping(&builder);
	ret_names->location = builder.location;
	ret_names->mapping = builder.mapping;
	ret_names->mapping_nr = builder.mapping_nr;
}
