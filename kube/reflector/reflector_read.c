/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/reflector/reflector_priv.h"

#include "lib/loop.h"

/* What has come of a request: taken apart, a slice at a time. */

#define SLICE_NS (5 * NSEC_PER_MSEC)

static void fail(struct kube_watch *watch, const struct err *err)
{
	const struct watch_event event = { .type = WATCH_FAILED };

	watch->end_err = *err;
	kube_watch_step(watch, &event, NULL);
}

/* Each returns false when nothing whole is left. */
static bool read_line(struct kube_watch *watch)
{
	struct watch_read read = { 0 };
	struct err err = ERR_INIT;
	const char *line;
	size_t len;

	if (!json_lines_next(&watch->lines, &line, &len)) {
		if (watch->broken.text[0])
			fail(watch, &watch->broken);
		return false;
	}
	if (watch_read_line(line, len, object_keep(watch->resource->kind), &read, &err) < 0)
		fail(watch, &err);
	else
		kube_watch_step(watch, &read.event, read.object);
	watch_read_release(&read);
	return true;
}

static bool read_part(struct kube_watch *watch)
{
	struct watch_read read = { 0 };
	struct err err = ERR_INIT;
	enum list_part part;
	const char *text;
	size_t len;
	int r = list_split_next(&watch->split, &part, &text, &len, &err);

	if (r == 0 && part == LIST_METADATA) {
		watch_read_release(&watch->page);
		r = watch_read_metadata(text, len, &watch->page, &err);
	} else if (r == 0 && part == LIST_ITEM && watch->state.now == WATCH_ASK_LIST) {
		const struct watch_item_kind kind = {
			.name = object_kind_name(watch->resource->kind),
			.api_version = watch->resource->api_version,
			.keep = object_keep(watch->resource->kind),
		};

		r = watch_read_item(text, len, &kind, &read, &err);
		if (r == 0)
			kube_watch_step(watch, &read.event, read.object);
		watch_read_release(&read);
	}
	if (r < 0)
		fail(watch, &err);
	return r == 0 && (part == LIST_ITEM || part == LIST_METADATA);
}

/* All of an answer has been read. */
static void read_end(struct kube_watch *watch)
{
	struct watch_event end = watch->end;
	struct watch_read page = watch->page;

	watch->over = false;
	watch->page = (struct watch_read){ 0 };
	if (end.type == WATCH_ENDED && watch->state.now != WATCH_ASK_WATCH &&
	    watch->state.now != WATCH_ASK_STREAM) {
		enum list_part part = LIST_MORE;
		const char *text;
		size_t len;

		if (list_split_next(&watch->split, &part, &text, &len, NULL) == 0 &&
		    part == LIST_END && page.event.version)
			end = page.event;
		else
			end.type = WATCH_FAILED;
	}
	kube_watch_step(watch, &end, NULL);
	watch_read_release(&page);
}

static void on_slice(uv_idle_t *slice)
{
	uv_idle_stop(slice);
	kube_watch_drain(slice->data);
}

void kube_watch_go_on(struct kube_watch *watch)
{
	uv_idle_start(&watch->slice, on_slice);
}

static bool read_one(struct kube_watch *watch)
{
	if (watch->state.now == WATCH_ASK_LIST || watch->state.now == WATCH_ASK_VERSION)
		return read_part(watch);
	return watch->state.now != WATCH_ASK_NOTHING && read_line(watch);
}

/* Returns false when nothing is left to do with what is there. */
static bool do_one(struct kube_watch *watch)
{
	if (!watch->sweeping)
		return read_one(watch);
	if (watch->events->sweep(watch->ctx, watch->resource->kind, &watch->seen, &watch->swept))
		kube_watch_swept(watch);
	return true;
}

void kube_watch_drain(struct kube_watch *watch)
{
	int64_t end_ns = now_boot_ns() + SLICE_NS;
	bool more;

	while ((more = do_one(watch)) && now_boot_ns() < end_ns)
		;
	if (more)
		kube_watch_go_on(watch);
	else if (watch->over)
		read_end(watch);
	if (watch->call)
		kube_call_pause(watch->call, more);
	if (watch->changed && !watch->syncing) {
		watch->changed = false;
		watch->events->settled(watch->ctx);
	}
}
