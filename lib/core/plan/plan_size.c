/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/core/plan/plan_size.h"

/* Names of members, punctuation and numbers. */
#define CLASS_BYTES 32
#define STEP_BYTES 96 /* all capabilities, too */
#define TARGET_BYTES 128
#define CONTAINER_BYTES 48
#define TEXT_BYTES 8 /* "":"", */
#define BOOST_BYTES 80

/* Control characters, which would take more, are in no plan (plan_check.h). */
static size_t text_bytes(const char *text)
{
	size_t bytes = 0;

	for (; text && *text; text++)
		bytes += 1 + (*text == '"' || *text == '\\');
	return bytes;
}

size_t plan_class_bytes(const struct plan_class *cls)
{
	size_t bytes = CLASS_BYTES + text_bytes(cls->id);

	for (size_t i = 0; i < cls->step_nr; i++) {
		bytes += STEP_BYTES;
		for (size_t k = 0; k < cls->step[i].boost_nr; k++)
			bytes += TEXT_BYTES + text_bytes(cls->step[i].boost[k]);
	}
	return bytes;
}

size_t plan_target_bytes(const struct plan_target *target)
{
	size_t bytes = TARGET_BYTES + text_bytes(target->uid) + text_bytes(target->ns) +
		       text_bytes(target->pod) + text_bytes(target->service) +
		       text_bytes(target->class_id);

	for (size_t i = 0; i < target->container_nr; i++) {
		const struct plan_container *c = &target->container[i];

		bytes += CONTAINER_BYTES + text_bytes(c->name) + text_bytes(c->cid) +
			 text_bytes(c->cgroup) + text_bytes(c->class_id);
	}
	for (size_t i = 0; i < target->label_nr; i++)
		bytes += TEXT_BYTES + text_bytes(target->label[i].key) +
			 text_bytes(target->label[i].value);
	return bytes;
}

size_t plan_boost_bytes(const struct plan_boost *boost)
{
	return BOOST_BYTES + text_bytes(boost->id);
}
