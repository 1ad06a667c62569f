/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbolize/symbol_resolver.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/core/symbol/demangle.h"
#include "agent/core/symbol/elf.h"
#include "agent/core/symbol/symbol_cache.h"
#include "agent/symbolize/kernel_names.h"
#include "lib/core/text/utf8.h"

#define PAGE_BYTES 4096ULL

struct symbol_resolver {
	struct kernel_names *kernel;
	struct files *files;
	struct procs *procs;
	struct symbol_cache *cache;
	uint64_t found, missing;
};

void symbol_resolver_free(struct symbol_resolver *resolver)
{
	if (!resolver)
		return;
	kernel_names_free(resolver->kernel);
	symbol_cache_free(resolver->cache);
	free(resolver);
}

void symbol_resolver_trim(struct symbol_resolver *resolver)
{
	symbol_cache_trim(resolver->cache);
}

void symbol_resolver_stats(const struct symbol_resolver *resolver,
			   struct symbol_resolver_stats *ret_stats)
{
	*ret_stats = (struct symbol_resolver_stats){
		.found = resolver->found,
		.missing = resolver->missing,
		.names = symbol_cache_nr(resolver->cache),
		.kernel = kernel_names_known(resolver->kernel),
	};
}

void symbol_resolver_check(struct symbol_resolver *resolver, int64_t now_ns)
{
	kernel_names_check(resolver->kernel, now_ns);
}

void symbol_resolver_take(struct symbol_resolver *resolver, const struct sideband_symbol *symbol)
{
	kernel_names_take(resolver->kernel, symbol);
}

bool symbol_resolver_step(struct symbol_resolver *resolver)
{
	kernel_names_step(resolver->kernel);
	return kernel_names_reading(resolver->kernel);
}

bool symbol_resolver_reading(const struct symbol_resolver *resolver)
{
	return kernel_names_reading(resolver->kernel);
}

struct symbol_resolver *symbol_resolver_new(const char *proc, struct files *files,
					    struct procs *procs, int64_t now_ns)
{
	struct symbol_resolver *resolver = xcalloc(1, sizeof(*resolver));
	cleanup(freep) char *kallsyms = xasprintf("%s/kallsyms", proc);
	cleanup(freep) char *modules = xasprintf("%s/modules", proc);

	resolver->kernel = kernel_names_new(kallsyms, modules, now_ns);
	resolver->files = files;
	resolver->procs = procs;
	resolver->cache = symbol_cache_new();
	return resolver;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* The frame's file in the cache.  An address outside the kernel's own text is that of a module, and another's after each
 * reading. */
static uint32_t cache_file(const struct symbol_resolver *resolver, const struct frame *frame)
{
	uint64_t offset;

	if (frame->file != FRAME_KERNEL ||
	    kernel_names_offset(resolver->kernel, frame->addr, &offset))
		return frame->file;
	return UINT32_MAX - kernel_names_version(resolver->kernel);
}

static void put_stand_in(struct symbol_resolver *resolver, const struct frame *frame,
			 const char *module, uint64_t addr)
{
	char text[PROCMAP_PATH_BYTES + 32];

	snprintf(text, sizeof(text), "%s+0x%" PRIx64, module, addr);
	symbol_cache_put(resolver->cache, cache_file(resolver, frame), frame->addr,
			 &(struct symbol_name){ .text = text });
}

static void put_found(struct symbol_resolver *resolver, const struct frame *frame,
		      const char *symbol)
{
	char text[DEMANGLE_OUTPUT], system[ELF_NAME_BYTES];

	demangle(symbol, text);
	utf8_clean(symbol, strlen(symbol), system, sizeof(system));
	symbol_cache_put(resolver->cache, cache_file(resolver, frame), frame->addr,
			 &(struct symbol_name){ .text = text, .system = system, .found = true });
}

static int by_vaddr(const void *left, const void *right)
{
	const struct elf_query *a = left, *b = right;

	return a->vaddr < b->vaddr ? -1 : a->vaddr > b->vaddr;
}

static void resolve_elf(struct symbol_resolver *resolver, struct file *file,
			const struct frame *frame, size_t nr)
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
			put_found(resolver, asked, symbol);
		else
			put_stand_in(resolver, asked, base_name(file->name), query[i].vaddr);
	}
}

/* Frames of one file, sorted by address. */
static void resolve_file(struct symbol_resolver *resolver, const struct frame *frame, size_t nr,
			 int64_t now_ns)
{
	struct file *file;

	procs_reopen(resolver->procs, frame->file, now_ns);
	file = files_find(resolver->files, frame->file);
	if (file && files_parse(resolver->files, file)) {
		resolve_elf(resolver, file, frame, nr);
		return;
	}
	for (size_t i = 0; i < nr; i++)
		put_stand_in(resolver, &frame[i], file ? base_name(file->name) : "[unknown]",
			     frame[i].addr);
}

/* The kernel's addresses are its secret: only places in its own text, which anybody can read in its file, are told. */
static uint64_t kernel_place(const struct symbol_resolver *resolver, uint64_t addr)
{
	uint64_t offset = 0;

	kernel_names_offset(resolver->kernel, addr, &offset);
	return offset;
}

static void put_kernel_stand_in(struct symbol_resolver *resolver, const struct frame *frame)
{
	uint64_t offset = kernel_place(resolver, frame->addr);

	if (offset)
		put_stand_in(resolver, frame, "[kernel]", offset);
	else
		symbol_cache_put(resolver->cache, cache_file(resolver, frame), frame->addr,
				 &(struct symbol_name){ .text = "[kernel]" });
}

static void resolve_kernel(struct symbol_resolver *resolver, const struct frame *frame, size_t nr,
			   int64_t now_ns)
{
	struct symbol_name had;

	kernel_names_need(resolver->kernel);
	for (size_t i = 0; i < nr; i++) {
		const char *name = kernel_names_find(resolver->kernel, frame[i].addr, now_ns);

		if (name)
			put_found(resolver, &frame[i], name);
		else if (!symbol_cache_get(resolver->cache, cache_file(resolver, &frame[i]),
					   frame[i].addr, &had))
			put_kernel_stand_in(resolver, &frame[i]);
	}
}

static int by_place(const void *left, const void *right)
{
	const struct frame *a = left, *b = right;

	if (a->file != b->file)
		return a->file < b->file ? -1 : 1;
	return a->addr < b->addr ? -1 : a->addr > b->addr;
}

static bool is_asked(struct symbol_resolver *resolver, const struct frame *frame)
{
	struct symbol_name name;

	if (frame->file == FRAME_NAMED)
		return false;
	if (!symbol_cache_touch(resolver->cache, cache_file(resolver, frame), frame->addr, &name))
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
static size_t collect(struct symbol_resolver *resolver, struct profile *const *profile, size_t nr,
		      struct frame **ret_frame)
{
	struct frame *frame = NULL;
	size_t frame_nr = 0;

	for (size_t i = 0; i < nr; i++)
		for (size_t j = 0; j < profile[i]->frame_nr; j++) {
			if (!is_asked(resolver, &profile[i]->frame[j]))
				continue;
			GROW(frame, frame_nr);
			frame[frame_nr++] = profile[i]->frame[j];
		}
	*ret_frame = frame;
	return sort_distinct(frame, frame_nr);
}

void symbol_resolver_resolve(struct symbol_resolver *resolver, struct profile *const *profile,
			     size_t nr, int64_t now_ns)
{
	cleanup(freep) struct frame *frame = NULL;
	size_t frame_nr, end;

	symbol_cache_age(resolver->cache);
	frame_nr = collect(resolver, profile, nr, &frame);
	for (size_t first = 0; first < frame_nr; first = end) {
		for (end = first + 1; end < frame_nr && frame[end].file == frame[first].file;)
			end++;
		if (frame[first].file == FRAME_KERNEL)
			resolve_kernel(resolver, &frame[first], end - first, now_ns);
		else
			resolve_file(resolver, &frame[first], end - first, now_ns);
	}
}

/* --- what the encoder needs --- */

struct builder {
	struct symbol_resolver *resolver;
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
	struct symbol_name name = { .text = frame_name(FRAME_UNKNOWN) };
	struct file *file;

	if (frame->file == FRAME_NAMED) {
		location->name = frame_name((enum frame_name)frame->addr);
		return;
	}
	symbol_cache_get(builder->resolver->cache, cache_file(builder->resolver, frame),
			 frame->addr, &name);
	builder->resolver->found += name.found;
	builder->resolver->missing += !name.found;
	location->name = name.text;
	location->system_name = name.system;
	location->addr = frame->addr;
	if (frame->file == FRAME_KERNEL) {
		location->addr = kernel_place(builder->resolver, frame->addr);
		location->mapping = kernel_mapping(builder);
		return;
	}
	file = files_find(builder->resolver->files, frame->file);
	if (!file)
		return;
	if (file->parsed)
		location->addr = elf_vaddr(&file->elf, frame->addr);
	location->mapping = file_mapping(builder, file, frame->addr, name.found);
}

static void add_main_mapping(struct builder *builder)
{
	const struct file *file = files_find(builder->resolver->files, builder->profile->main_file);

	if (file && file->parsed && file->elf.segment_nr)
		file_mapping(builder, file, file->elf.segment[0].offset, true);
}

void symbol_resolver_names(struct symbol_resolver *resolver, const struct profile *profile,
			   struct pprof_names *ret_names)
{
	struct builder builder = { .resolver = resolver, .profile = profile };

	builder.location = xcalloc(profile->frame_nr, sizeof(*builder.location));
	for (size_t i = 0; i < profile->frame_nr; i++)
		describe(&builder, &profile->frame[i], &builder.location[i]);
	add_main_mapping(&builder);
	ret_names->location = builder.location;
	ret_names->mapping = builder.mapping;
	ret_names->mapping_nr = builder.mapping_nr;
}
