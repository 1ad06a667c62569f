/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/reflector/reflector_priv.h"

#include "lib/core/limits.h"
#include "lib/loop.h"

/* What has come of a request: taken apart, a slice at a time. */

#define SLICE_NS (5 * NSEC_PER_MSEC)

static void fail(struct reflector *reflector, const struct err *err)
{
	const struct watch_event event = { .type = WATCH_FAILED };

	reflector->end_err = *err;
	reflector_step(reflector, &event, NULL);
}

static struct watch_kind kind_of(const struct reflector_resource *resource)
{
	return (struct watch_kind){
		.name = resource->kind,
		.api_version = resource->api_version,
		.keep = resource->keep,
		.keep_aside = resource->keep_aside,
	};
}

/* Each returns false when nothing whole is left. */
static bool read_line(struct reflector *reflector)
{
	const struct watch_kind kind = kind_of(reflector->options.resource);
	struct watch_read read = { 0 };
	struct err err = ERR_INIT;
	const char *line;
	size_t len;
	int r;

	if (!json_lines_next(&reflector->lines, &line, &len))
		return false;
	if (line)
		r = watch_read_line(line, len, &kind, &read, &err);
	else
		r = watch_read_passed(&reflector->lines.scan, LIMIT_KUBE_OBJECT_BYTES, &kind, &read,
				      &err);
	if (r < 0)
		fail(reflector, &err);
	else
		reflector_step(reflector, &read.event, &read);
	watch_read_release(&read);
	return true;
}

static int read_item(struct reflector *reflector, const char *text, size_t len, struct err *err)
{
	const struct watch_kind kind = kind_of(reflector->options.resource);
	struct watch_read read = { 0 };
	int r;

	if (text)
		r = watch_read_item(text, len, &kind, &read, err);
	else
		r = watch_read_passed(&reflector->split.scan, LIMIT_KUBE_OBJECT_BYTES, &kind, &read,
				      err);
	if (r == 0)
		reflector_step(reflector, &read.event, &read);
	watch_read_release(&read);
	return r;
}

static bool read_part(struct reflector *reflector)
{
	struct err err = ERR_INIT;
	enum list_part part = LIST_MORE;
	const char *text;
	size_t len;
	int r = list_split_next(&reflector->split, &part, &text, &len, &err);
	bool is_item = part == LIST_ITEM || part == LIST_TOO_LONG;

	if (r == 0 && part == LIST_METADATA) {
		watch_read_release(&reflector->page);
		r = watch_read_metadata(text, len, &reflector->page, &err);
	} else if (r == 0 && is_item && reflector->state.now == WATCH_ASK_LIST) {
		r = read_item(reflector, part == LIST_ITEM ? text : NULL, len, &err);
	}
	if (r < 0)
		fail(reflector, &err);
	return r == 0 && (is_item || part == LIST_METADATA);
}

/* All of an answer has been read. */
static void read_end(struct reflector *reflector)
{
	struct watch_event end = reflector->end;
	struct watch_read page = reflector->page;

	reflector->over = false;
	reflector->page = (struct watch_read){ 0 };
	if (end.type == WATCH_ENDED && reflector->state.now != WATCH_ASK_WATCH &&
	    reflector->state.now != WATCH_ASK_STREAM) {
		enum list_part part = LIST_MORE;
		const char *text;
		size_t len;

		if (list_split_next(&reflector->split, &part, &text, &len, NULL) == 0 &&
		    part == LIST_END && page.event.resource_version)
			end = page.event;
		else
			end.type = WATCH_FAILED;
	}
	reflector_step(reflector, &end, NULL);
	watch_read_release(&page);
}

static void on_slice(uv_idle_t *slice)
{
	uv_idle_stop(slice);
	reflector_drain(slice->data);
}

void reflector_go_on(struct reflector *reflector)
{
	uv_idle_start(&reflector->slice, on_slice);
}

static bool read_one(struct reflector *reflector)
{
	if (reflector->state.now == WATCH_ASK_LIST || reflector->state.now == WATCH_ASK_VERSION)
		return read_part(reflector);
	return reflector->state.now != WATCH_ASK_NOTHING && read_line(reflector);
}

/* Some of what did not come. */
static void sweep(struct reflector *reflector)
{
	const struct reflector_events *events = reflector->options.events;
	bool begins = !reflector->swept_some;

	reflector->swept_some = true;
	if (!events->sweep || events->sweep(reflector->options.ctx, &reflector->seen, begins))
		reflector_swept(reflector);
}

/* Returns false when nothing is left to do with what is there. */
static bool do_one(struct reflector *reflector)
{
	if (!reflector->sweeping)
		return read_one(reflector);
	sweep(reflector);
	return true;
}

void reflector_drain(struct reflector *reflector)
{
	int64_t end_ns = now_boot_ns() + SLICE_NS;
	bool more;

	while ((more = do_one(reflector)) && now_boot_ns() < end_ns)
		;
	if (more)
		reflector_go_on(reflector);
	else if (reflector->over)
		read_end(reflector);
	if (reflector->call)
		kube_call_pause(reflector->call, more);
	if (reflector->changed && !reflector->syncing) {
		reflector->changed = false;
		if (reflector->options.events->settled)
			reflector->options.events->settled(reflector->options.ctx);
	}
}
