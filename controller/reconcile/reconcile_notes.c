/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/reconcile/reconcile_priv.h"

#include <stdio.h>
#include <string.h>

/* What people are told of a policy's course, beside its status. */

#define NOTE_BYTES 256

void reconcile_set_notes(struct reconcile *reconcile,
			 void (*note)(void *ctx, enum policy_event event,
				      const struct object *object, const char *text),
			 void *ctx)
{
	reconcile->note = note;
	reconcile->note_ctx = ctx;
}

static void tell(const struct reconcile *reconcile, enum policy_event event,
		 const struct object *object, const char *text)
{
	reconcile->note(reconcile->note_ctx, event, object, text);
}

/* Is it true now, and was not before, or of another generation? */
static bool comes_true(const json_t *before, const json_t *after, const char *type)
{
	return status_condition(after, type) &&
	       (!status_condition(before, type) ||
		status_generation(before, type) != status_generation(after, type));
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
	tell(reconcile, POLICY_RAISED, object, text);
}

void reconcile_note_status(const struct reconcile *reconcile, const struct object *object,
			   const json_t *before, const json_t *after, bool active)
{
	const char *clamped = status_message(after, "Clamped"),
		   *why = status_message(after, "Programmed");

	if (!reconcile->note || object->kind != OBJECT_POLICY)
		return;
	if (active && comes_true(before, after, "Programmed"))
		tell_raised(reconcile, object, after);
	if (comes_true(before, after, "Clamped") && clamped)
		tell(reconcile, POLICY_CLAMPED, object, clamped);
	if (failed(before) == 0 && failed(after) > 0 && why)
		tell(reconcile, POLICY_FAILED, object, why);
}

void reconcile_note_refused(const struct reconcile *reconcile, const struct object *outline,
			    const json_t *before, const json_t *after)
{
	const char *why = status_message(after, "Accepted");
	json_int_t told = json_integer_value(json_object_get(before, "observedGeneration"));

	if (reconcile->note && why && !(status_is_refusal(before) && told == outline->generation))
		tell(reconcile, POLICY_REFUSED, outline, why);
}

void reconcile_note_end(const struct reconcile *reconcile, const struct tracked *item,
			enum outcome outcome)
{
	static const char *const text[OUTCOME_NR] = {
		[OUTCOME_EXPIRED] =
			"The boost ends, its time is over: rates go back to what they were.",
		[OUTCOME_DELETED] =
			"The boost ends, it was deleted: rates go back to what they were.",
		[OUTCOME_EDITED] = "The boost ends, it was edited: the new generation decides.",
	};
	const struct object *object = reconcile_object(reconcile, item);

	if (reconcile->note && object)
		tell(reconcile, POLICY_RESTORED, object, text[outcome]);
}
