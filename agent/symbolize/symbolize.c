/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbolize/symbolize.h"

#include <string.h>
#include <time.h>

#include "agent/core/model/sample.h"
#include "agent/core/symbol/images.h"
#include "agent/process/files.h"
#include "agent/process/procs.h"
#include "agent/symbolize/symbol_resolver.h"

struct symbolizer {
	struct files *files;
	struct images *images;
	struct procs *procs;
	struct symbol_resolver *resolver;
};

static int64_t monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

struct symbolizer *symbolizer_new(const struct symbolizer_options *options)
{
	struct symbolizer *symbolizer = xcalloc(1, sizeof(*symbolizer));
	const char *proc = options && options->proc ? options->proc : "/proc";

	symbolizer->files = files_new();
	symbolizer->images = images_new();
	symbolizer->procs = procs_new(proc, symbolizer->files, symbolizer->images);
	symbolizer->resolver =
		symbol_resolver_new(proc, symbolizer->files, symbolizer->procs, monotonic_ns());
	return symbolizer;
}

void symbolizer_free(struct symbolizer *symbolizer)
{
	if (!symbolizer)
		return;
	symbol_resolver_free(symbolizer->resolver);
	procs_free(symbolizer->procs);
	images_free(symbolizer->images);
	files_free(symbolizer->files);
	free(symbolizer);
}

void symbolizer_check(struct symbolizer *symbolizer)
{
	symbol_resolver_check(symbolizer->resolver, monotonic_ns());
}

bool symbolizer_step(struct symbolizer *symbolizer)
{
	return symbol_resolver_step(symbolizer->resolver);
}

bool symbolizer_reading(const struct symbolizer *symbolizer)
{
	return symbol_resolver_reading(symbolizer->resolver);
}

void symbolizer_side_event(struct symbolizer *symbolizer, const struct sideband_event *event)
{
	if (event->type == SIDEBAND_SYMBOL)
		symbol_resolver_take(symbolizer->resolver, &event->symbol);
	else
		images_take(symbolizer->images, event);
}

void symbolizer_process_seen(struct symbolizer *symbolizer, const struct proc_id *id)
{
	procs_seen(symbolizer->procs, id, monotonic_ns());
}

static struct frame named(enum frame_name name)
{
	return (struct frame){ .file = FRAME_NAMED, .addr = name };
}

static struct proc *get_proc(struct symbolizer *symbolizer, const struct sample *sample,
			     int64_t now_ns)
{
	const struct proc_id id = { sample->tgid, sample->image, sample->cgroup };

	return procs_get(symbolizer->procs, &id, now_ns);
}

/* The user part, leaf first; returns the number of frames. */
static size_t user_frames(struct symbolizer *symbolizer, const struct sample *sample,
			  struct frame *frame)
{
	int64_t now_ns = monotonic_ns();
	struct proc *proc = get_proc(symbolizer, sample, now_ns);
	size_t nr = 0;

	if (!proc) {
		frame[0] = named(FRAME_EXITED);
		return 1;
	}
	for (size_t i = 0; i < MIN(sample->user_nr, PROF_DEPTH_USER); i++) {
		/* All but the leaf return to behind the call. */
		uint64_t addr = sample->user[i] - (i > 0 && sample->user[i] > 0);
		struct frame next = procs_frame(symbolizer->procs, proc, addr, now_ns);
		bool repeats = nr > 0 && next.file == FRAME_NAMED &&
			       frame[nr - 1].file == FRAME_NAMED && frame[nr - 1].addr == next.addr;

		if (!repeats)
			frame[nr++] = next;
	}
	return nr;
}

static size_t kernel_frames(const struct sample *sample, struct frame *frame)
{
	size_t nr = MIN(sample->kernel_nr, PROF_DEPTH_KERNEL);

	for (size_t i = 0; i < nr; i++)
		frame[i] = (struct frame){
			.file = FRAME_KERNEL,
			.addr = sample->kernel[i] - (i > 0 && sample->kernel[i] > 0),
		};
	return nr;
}

void symbolizer_add(struct symbolizer *symbolizer, struct profile *profile,
		    const struct sample *sample)
{
	struct frame frame[PROFILE_STACK];
	size_t nr = kernel_frames(sample, frame);

	if (sample->user_nr)
		nr += user_frames(symbolizer, sample, frame + nr);
	if (sample->end == PROF_END_TRUNCATED)
		frame[nr++] = named(FRAME_TRUNCATED);
	if (sample->end == PROF_END_EFAULT || sample->end == PROF_END_BROKEN)
		frame[nr++] = named(FRAME_BROKEN);
	if (nr == 0)
		frame[nr++] = named(FRAME_UNKNOWN);
	profile_add(profile, frame, nr, sample->cpu_ns, sample->samples);
	if (!profile->main_file && sample->user_nr) {
		const struct proc *proc = get_proc(symbolizer, sample, 0);

		profile->main_file = proc ? procs_main_file(proc) : 0;
	}
}

void symbolizer_resolve(struct symbolizer *symbolizer, struct profile *const *profile, size_t nr)
{
	symbol_resolver_resolve(symbolizer->resolver, profile, nr, monotonic_ns());
}

int symbolizer_encode(struct symbolizer *symbolizer, const struct profile *profile,
		      const struct profile_meta *meta, uint8_t **ret_data, size_t *ret_len,
		      struct err *err)
{
	struct profile *one = (struct profile *)profile;
	struct pprof_names names;
	int r;

	symbol_resolver_resolve(symbolizer->resolver, &one, 1, monotonic_ns());
	symbol_resolver_names(symbolizer->resolver, profile, &names);
	r = pprof_encode(profile, &names, meta, ret_data, ret_len, err);
	free((void *)names.location);
	free((void *)names.mapping);
	return r;
}

void symbolizer_tick(struct symbolizer *symbolizer)
{
	procs_reap(symbolizer->procs);
	symbol_resolver_trim(symbolizer->resolver);
}

void symbolizer_stats(const struct symbolizer *symbolizer, struct symbolizer_stats *ret_stats)
{
	struct symbol_resolver_stats symbols;

	symbol_resolver_stats(symbolizer->resolver, &symbols);
	*ret_stats = (struct symbolizer_stats){
		.frames_resolved = symbols.found,
		.frames_unresolved = symbols.missing,
		.names = symbols.names,
		.kernel = symbols.kernel,
		.processes_missed = procs_missed(symbolizer->procs),
		.processes_adopted = procs_adopted(symbolizer->procs),
		.files_refused = files_refused(symbolizer->files),
		.processes = procs_nr(symbolizer->procs),
		.files = files_nr(symbolizer->files),
	};
}
