/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/core/plan/plan_pack.h"

#include <string.h>

#include "lib/core/text/encode.h"

/* --- writing --- */

struct writer {
	uint8_t *byte;
	size_t len, room;
};

static uint8_t *reserve(struct writer *writer, size_t nr)
{
	if (writer->room - writer->len < nr) {
		writer->room = 2 * (writer->room + nr);
		writer->byte = xrealloc(writer->byte, writer->room, 1);
	}
	writer->len += nr;
	return writer->byte + writer->len - nr;
}

/* Seven bits a byte, the lowest first. */
static void put(struct writer *writer, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		*reserve(writer, 1) = (uint8_t)(value | 0x80);
	*reserve(writer, 1) = (uint8_t)value;
}

/* Container ids are most of a plan's bytes: two digits of them make one. */
static bool is_hex(const char *text, size_t len)
{
	return len >= 16 && len % 2 == 0 && strspn(text, "0123456789abcdef") == len;
}

/* 0 = NULL; else 1 + twice the length, and one more if two digits are a byte. */
static void put_text(struct writer *writer, const char *text)
{
	size_t len;

	if (!text) {
		put(writer, 0);
		return;
	}
	len = strlen(text);
	put(writer, 2 * len + 1 + is_hex(text, len));
	if (!is_hex(text, len))
		memcpy(reserve(writer, len), text, len);
	else if (!hex_decode(text, reserve(writer, len / 2), len / 2))
		abort();
}

static void put_class(struct writer *writer, const struct plan_class *cls)
{
	put_text(writer, cls->id);
	put(writer, cls->step_nr);
	for (size_t i = 0; i < cls->step_nr; i++) {
		const struct plan_step *step = &cls->step[i];

		put(writer, step->rate_hz);
		put(writer, step->caps);
		put(writer, step->boost_nr);
		for (size_t k = 0; k < step->boost_nr; k++)
			put_text(writer, step->boost[k]);
	}
}

static void put_target(struct writer *writer, const struct plan_target *target)
{
	put_text(writer, target->uid);
	put_text(writer, target->ns);
	put_text(writer, target->pod);
	put_text(writer, target->service);
	put_text(writer, target->class_id);
	put(writer, target->container_nr);
	for (size_t i = 0; i < target->container_nr; i++) {
		const struct plan_container *container = &target->container[i];

		put_text(writer, container->name);
		put_text(writer, container->cid);
		put_text(writer, container->cgroup);
		put_text(writer, container->class_id);
	}
	put(writer, target->label_nr);
	for (size_t i = 0; i < target->label_nr; i++) {
		put_text(writer, target->label[i].key);
		put_text(writer, target->label[i].value);
	}
}

struct plan_pack *plan_pack(const struct plan *plan)
{
	struct writer writer = { 0 };
	struct plan_pack *pack;
	size_t clocks;

	put(&writer, plan->cls_nr);
	for (size_t i = 0; i < plan->cls_nr; i++)
		put_class(&writer, &plan->cls[i]);
	put(&writer, plan->target_nr);
	for (size_t i = 0; i < plan->target_nr; i++)
		put_target(&writer, &plan->target[i]);
	clocks = writer.len;
	put(&writer, plan->boost_nr);
	for (size_t i = 0; i < plan->boost_nr; i++) {
		put_text(&writer, plan->boost[i].id);
		put(&writer, (uint64_t)plan->boost[i].expires_ns);
		put(&writer, (uint64_t)plan->boost[i].dead_man_ns);
	}
	pack = xmalloc(sizeof(*pack) + writer.len);
	*pack = (struct plan_pack){ .len = writer.len, .clocks = clocks };
	memcpy(pack->byte, writer.byte, writer.len);
	free(writer.byte);
	return pack;
}

/* --- reading --- */

static uint64_t get(const uint8_t **at)
{
	uint64_t value = 0;
	unsigned shift = 0;

	for (; **at & 0x80; shift += 7)
		value |= (uint64_t)(*(*at)++ & 0x7f) << shift;
	return value | (uint64_t) * (*at)++ << shift;
}

static char *get_text(const uint8_t **at)
{
	size_t head = get(at), len = (head - 1) / 2;
	char *text;

	if (!head)
		return NULL;
	text = xmalloc(len + 1);
	text[len] = '\0';
	if (head % 2 == 0) {
		hex_encode(*at, len / 2, text);
		*at += len / 2;
	} else {
		memcpy(text, *at, len);
		*at += len;
	}
	return text;
}

/* As many elements as come next, all zeros. */
static void *get_array(const uint8_t **at, size_t size, size_t *ret_nr)
{
	size_t room = 1;

	*ret_nr = get(at);
	while (room < *ret_nr) /* as GROW() has it */
		room *= 2;
	return *ret_nr ? xcalloc(room, size) : NULL;
}

static void get_class(const uint8_t **at, struct plan_class *ret_cls)
{
	ret_cls->id = get_text(at);
	ret_cls->step = get_array(at, sizeof(*ret_cls->step), &ret_cls->step_nr);
	for (size_t i = 0; i < ret_cls->step_nr; i++) {
		struct plan_step *step = &ret_cls->step[i];

		step->rate_hz = (uint32_t)get(at);
		step->caps = (uint32_t)get(at);
		step->boost = get_array(at, sizeof(*step->boost), &step->boost_nr);
		for (size_t k = 0; k < step->boost_nr; k++)
			step->boost[k] = get_text(at);
	}
}

static void get_target(const uint8_t **at, struct plan_target *ret_target)
{
	ret_target->uid = get_text(at);
	ret_target->ns = get_text(at);
	ret_target->pod = get_text(at);
	ret_target->service = get_text(at);
	ret_target->class_id = get_text(at);
	ret_target->container =
		get_array(at, sizeof(*ret_target->container), &ret_target->container_nr);
	for (size_t i = 0; i < ret_target->container_nr; i++) {
		struct plan_container *container = &ret_target->container[i];

		container->name = get_text(at);
		container->cid = get_text(at);
		container->cgroup = get_text(at);
		container->class_id = get_text(at);
	}
	ret_target->label = get_array(at, sizeof(*ret_target->label), &ret_target->label_nr);
	for (size_t i = 0; i < ret_target->label_nr; i++) {
		ret_target->label[i].key = get_text(at);
		ret_target->label[i].value = get_text(at);
	}
}

void plan_unpack_boosts(const struct plan_pack *pack, struct plan *ret_plan)
{
	const uint8_t *at = pack->byte + pack->clocks;

	*ret_plan = (struct plan){ 0 };
	ret_plan->boost = get_array(&at, sizeof(*ret_plan->boost), &ret_plan->boost_nr);
	for (size_t i = 0; i < ret_plan->boost_nr; i++) {
		ret_plan->boost[i].id = get_text(&at);
		ret_plan->boost[i].expires_ns = (int64_t)get(&at);
		ret_plan->boost[i].dead_man_ns = (int64_t)get(&at);
	}
}

void plan_unpack(const struct plan_pack *pack, struct plan *ret_plan)
{
	const uint8_t *at = pack->byte;

	plan_unpack_boosts(pack, ret_plan);
	ret_plan->cls = get_array(&at, sizeof(*ret_plan->cls), &ret_plan->cls_nr);
	for (size_t i = 0; i < ret_plan->cls_nr; i++)
		get_class(&at, &ret_plan->cls[i]);
	ret_plan->target = get_array(&at, sizeof(*ret_plan->target), &ret_plan->target_nr);
	for (size_t i = 0; i < ret_plan->target_nr; i++)
		get_target(&at, &ret_plan->target[i]);
}

bool plan_pack_equal(const struct plan_pack *a, const struct plan_pack *b)
{
	return a->clocks == b->clocks && memcmp(a->byte, b->byte, a->clocks) == 0;
}
