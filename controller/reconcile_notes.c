/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/reconcile_priv.h"

#include <stdio.h>
#include <string.h>

/* What people are told of a policy's course, beside its status. */

#define NOTE_BYTES 256

void reconcile_set_notes(struct reconcile *reconcile,
			 void (*note)(void *ctx, enum kube_event_what what,
				      const struct object *object, const char *text),
			 void *ctx)
{
	reconcile->note = note;
	reconcile->note_ctx = ctx;
}

static void tell(const struct reconcile *reconcile, enum kube_event_what what,
		 const struct object *object, const char *text)
{
	reconcile->note(reconcile->note_ctx, what, object, text);
}

static const char *message_of(const json_t *status, const char *type)
{
	const json_t *condition;
	size_t i;

	json_array_foreach(json_object_get(status, "conditions"), i, condition)
	{
		const char *text = json_string_value(json_object_get(condition, "type"));

		if (text && strcmp(text, type) == 0)
			return json_string_value(json_object_get(condition, "message"));
	}
	return NULL;
}

static bool comes_true(const json_t *before, const json_t *after, const char *type)
{
	return !status_condition(before, type) && status_condition(after, type);
}

static json_int_t failed(const json_t *status)
{
	return json_integer_value(json_object_get(json_object_get(status, "agents"), "failed"));
}

static void tell_raised(const struct reconcile *reconcile, const struct object *object,
			const json_t *status)
{
	const char *until = json_string_value(json_object_get(status, "expiresAt"));
	char text[NOTE_BYTES];

	snprintf(text, sizeof(text),
		 "Every agent concerned has confirmed: up to %lld Hz, until %.40s.",
		 (long long)json_integer_value(json_object_get(status, "effectiveSampleRateHz")),
		 until ? until : "its end");
	tell(reconcile, KUBE_EVENT_RAISED, object, text);
}

void reconcile_note_status(const struct reconcile *reconcile, const struct object *object,
			   const json_t *before, const json_t *after, const struct instant *now)
{
	const char *clamped = message_of(after, "Clamped"), *why = message_of(after, "Programmed");

	if (!reconcile->note || object->kind != OBJECT_POLICY)
		return;
	if (policy_is_boost(&object->policy) && clock_active(&object->policy.clock, now->boot_ns) &&
	    comes_true(before, after, "Programmed"))
		tell_raised(reconcile, object, after);
	if (comes_true(before, after, "Clamped") && clamped)
		tell(reconcile, KUBE_EVENT_CLAMPED, object, clamped);
	if (failed(before) == 0 && failed(after) > 0 && why)
		tell(reconcile, KUBE_EVENT_FAILED, object, why);
}

void reconcile_note_end(const struct reconcile *reconcile, const struct tracked *item,
			const char *why)
{
	const struct object *object = reconcile_object(reconcile, item);
	char text[NOTE_BYTES];

	if (!reconcile->note || !object)
		return;
	snprintf(text, sizeof(text), "The boost ends, %s: rates go back to what they were.", why);
	tell(reconcile, KUBE_EVENT_RESTORED, object, text);
}
