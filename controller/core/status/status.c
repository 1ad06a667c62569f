/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/status/status.h"

#include <stdio.h>
#include <string.h>

#include "controller/core/status/condition.h"
#include "controller/core/status/status_duration.h"
#include "lib/core/limits.h"
#include "lib/core/plan/caps.h"
#include "lib/core/text/rfc3339.h"
#include "lib/core/text/utf8.h"

#define MESSAGE_MAX 512
#define CONFIRMED "Every agent concerned has confirmed."
#define NO_LABELS                                                                                  \
	"The pods of its namespace have more labels than are kept (16 MiB): some are taken for "   \
	"pods without any."
#define REFUSAL_MAX 1024 /* what the CRDs let a message have */

/* The agents have the last word. */
static uint32_t rate_in_force(const struct status_input *input)
{
	const struct status_agents *agents = input->agents;

	return agents->ceiling_node ? MIN(agents->ceiling_hz, input->summary->rate_hz)
				    : input->summary->rate_hz;
}

/* --- what the conditions of a ProfilingPolicy say --- */

/* In which of the states that come before all others is it? */
enum phase {
	PHASE_DELETING,
	PHASE_TOO_MANY,	  /* beyond the share of its namespace */
	PHASE_NOT_STORED, /* a boost whose deadline is not stored yet */
	PHASE_EXPIRED,
	PHASE_NO_TARGETS,
	PHASE_RUNNING,
};

/* What it would select is not known. */
static bool lacks_labels(const struct status_input *input)
{
	return input->summary->no_labels && selector_narrows(&input->object->policy.selector);
}

static enum phase phase_of(const struct status_input *input)
{
	const struct object *object = input->object;
	const struct boost_clock *clock = input->clock;

	if (object->deleting)
		return PHASE_DELETING;
	if (policy_is_boost(&object->policy) && clock_is_of(clock, object->generation) &&
	    clock->durable && clock_expired(clock, input->now.boot_ns))
		return PHASE_EXPIRED;
	if (input->share != SHARE_IN)
		return PHASE_TOO_MANY;
	if (policy_is_boost(&object->policy) &&
	    (!clock_is_of(clock, object->generation) || !clock->durable))
		return PHASE_NOT_STORED;
	return input->summary->pods || lacks_labels(input) ? PHASE_RUNNING : PHASE_NO_TARGETS;
}

static struct verdict phase_verdict(enum phase phase)
{
	static const struct verdict verdict[] = {
		[PHASE_DELETING] = { false, "Deleting", "It is being deleted and not in force." },
		[PHASE_TOO_MANY] = { false, "TooMany",
				     "Its namespace has more policies than are in force." },
		[PHASE_NOT_STORED] = { false, "NotStored",
				       "It begins when its deadline is stored." },
		[PHASE_EXPIRED] = { false, "Expired", "Its duration is over." },
		[PHASE_NO_TARGETS] = { false, "NoTargets", "It selects no running pod." },
		[PHASE_RUNNING] = { true, "InForce", "It is in force." },
	};

	return verdict[phase];
}

static size_t add_text(char *message, size_t len, const char *separator, const char *text)
{
	int more = snprintf(message + len, MESSAGE_MAX - len, "%s%s", len ? separator : "", text);

	return MIN(len + (size_t)more, (size_t)MESSAGE_MAX - 1);
}

/* `sentence`, and why nothing is sampled if that is so. */
static const char *tell_silence(const struct status_input *input, const char *sentence,
				char message[MESSAGE_MAX])
{
	if (input->summary->rate_hz > 0 || !*input->summary->cpu_off_by)
		return sentence;
	snprintf(message, MESSAGE_MAX, "%s Nothing is sampled: %.63s leaves out cpu.", sentence,
		 input->summary->cpu_off_by);
	return message;
}

/* `sentence`, and what of the pods is left out if anything is. */
static const char *tell_lost(const struct status_input *input, const char *sentence,
			     char message[MESSAGE_MAX])
{
	static const char *const what[POD_LOST_NR] = {
		[POD_LOST_SERVICE] = "the service name (1 to 253 bytes, no control characters)",
		[POD_LOST_CONTAINERS] = "containers beyond the 64th",
		[POD_LOST_LABEL] = "labels of profiles (at most 253 bytes, no control characters)",
	};
	const struct policy_summary *summary = input->summary;
	char of[LIMIT_NAME_BYTES + 32];
	size_t len;

	if (!summary->lost || !summary->lost_pod)
		return sentence;
	len = add_text(message, 0, "", sentence);
	snprintf(of, sizeof(of), "Left out of pod %.*s: ", LIMIT_NAME_BYTES, summary->lost_pod);
	len = add_text(message, len, " ", of);
	for (size_t i = 0, nr = 0; i < POD_LOST_NR; i++)
		if (what[i] && summary->lost & 1U << i)
			len = add_text(message, len, nr++ ? ", " : "", what[i]);
	add_text(message, len, "", ".");
	return message;
}

/* Silence says more than what is left out. */
static const char *tell_rest(const struct status_input *input, const char *sentence,
			     char message[MESSAGE_MAX])
{
	const char *told = tell_silence(input, sentence, message);

	return told == sentence ? tell_lost(input, sentence, message) : told;
}

static struct verdict programmed(const struct status_input *input, enum phase phase,
				 char message[MESSAGE_MAX])
{
	const struct status_agents *agents = input->agents;

	if (phase != PHASE_RUNNING)
		return phase_verdict(phase);
	if (agents->failed) {
		snprintf(message, MESSAGE_MAX, "The agent on node %.253s refused: %.200s",
			 agents->failed_node,
			 agents->failed_why ? agents->failed_why : "no reason");
		return (struct verdict){ false, "Failed", message };
	}
	if (agents->left_out_node) {
		snprintf(message, MESSAGE_MAX,
			 "The plan of node %.253s has no room for all that it selects there.",
			 agents->left_out_node);
		return (struct verdict){ false, "LeftOut", message };
	}
	if (lacks_labels(input))
		return (struct verdict){ false, "LeftOut", NO_LABELS };
	if (agents->incomplete) {
		snprintf(message, MESSAGE_MAX,
			 "The agent on node %.253s has no room for all containers of this "
			 "namespace.",
			 agents->incomplete_node);
		return (struct verdict){ false, "Incomplete", message };
	}
	if (agents->absent) {
		snprintf(message, MESSAGE_MAX,
			 "No agent is connected on node %.253s%s, where such pods run.",
			 agents->absent_node, agents->absent > 1 ? " and others" : "");
		return (struct verdict){ false, "Disconnected", message };
	}
	if (agents->pending || !agents->applied)
		return (struct verdict){ false, "Pending", "Agents have yet to confirm." };
	return (struct verdict){ true, "Confirmed", tell_rest(input, CONFIRMED, message) };
}

static struct verdict ready(const struct verdict *programmed, enum phase phase)
{
	struct verdict verdict = *programmed;

	/* Nothing is left to do: Current, in the words of kstatus. */
	verdict.is |= phase == PHASE_EXPIRED || phase == PHASE_NO_TARGETS;
	return verdict;
}

/* Any of rate, capabilities and duration; all fit a message: names are bounded. */
static struct verdict clamped(const struct status_input *input, enum phase phase,
			      char message[MESSAGE_MAX])
{
	const struct policy_summary *summary = input->summary;
	char text[STATUS_DURATION_MAX];
	size_t len = 0;

	if (phase == PHASE_RUNNING && summary->rate_to_hz < summary->rate_from_hz) {
		snprintf(text, sizeof(text), "%u Hz lowered to %u Hz by %.63s",
			 summary->rate_from_hz, summary->rate_to_hz, summary->clamped_by);
		len = add_text(message, len, "; ", text);
	}
	for (uint32_t cap = 1; phase == PHASE_RUNNING && cap && cap <= summary->caps_lost;
	     cap <<= 1) {
		if (!(cap & summary->caps_lost))
			continue;
		snprintf(text, sizeof(text), "%s is not allowed", capability_name(cap));
		len = add_text(message, len, "; ", text);
	}
	if (phase == PHASE_RUNNING && rate_in_force(input) < summary->rate_hz) {
		snprintf(text, sizeof(text), "%u Hz lowered to %u Hz by the agent on node %.80s",
			 summary->rate_hz, rate_in_force(input), input->agents->ceiling_node);
		len = add_text(message, len, "; ", text);
	}
	if (status_duration(input->object, input->clock, input->limits, text))
		len = add_text(message, len, "; ", text);
	if (!len)
		return (struct verdict){ false, "WithinLimits", "No limit lowers it." };
	return (struct verdict){ true, "Limited", message };
}

static struct verdict overridden(const struct status_input *input, enum phase phase,
				 char message[MESSAGE_MAX])
{
	const struct policy_summary *summary = input->summary;
	struct verdict verdict = phase_verdict(phase);

	if (phase != PHASE_RUNNING || summary->has_part || !*summary->winner) {
		verdict.is = false;
		if (phase == PHASE_RUNNING)
			verdict.message = tell_silence(input, verdict.message, message);
		return verdict;
	}
	snprintf(message, MESSAGE_MAX, "ProfilingPolicy %.63s decides instead.", summary->winner);
	return (struct verdict){ true, "DecidedByOther", message };
}

static struct verdict expired(const struct status_input *input, enum phase phase)
{
	if (!policy_is_boost(&input->object->policy))
		return (struct verdict){ false, "Continuous", "It has no duration." };
	if (phase == PHASE_EXPIRED)
		return (struct verdict){ true, "DurationOver", "Its duration is over." };
	return (struct verdict){ false, "Running", "Its duration is not over." };
}

static struct verdict accepted(const struct status_input *input, enum phase phase,
			       char message[MESSAGE_MAX])
{
	bool boosts = input->share == SHARE_BOOSTS;

	if (phase != PHASE_TOO_MANY)
		return (struct verdict){ true, "Valid", "It is valid." };
	snprintf(message, MESSAGE_MAX,
		 "A namespace may have %d %s in force at a time; it has older ones. Delete some "
		 "that "
		 "are not needed, and this one begins.",
		 boosts ? LIMIT_NS_BOOSTS : LIMIT_NS_POLICIES, boosts ? "boosts" : "policies");
	return (struct verdict){ false, "TooMany", message };
}

/* Sorted by type. */
static void add_policy_conditions(struct condition_list *list, const struct status_input *input)
{
	char lowered[MESSAGE_MAX] = "", winner[MESSAGE_MAX] = "", failed[MESSAGE_MAX] = "";
	enum phase phase = phase_of(input);
	char many[MESSAGE_MAX] = "";
	struct verdict verdict = accepted(input, phase, many);
	struct verdict done = programmed(input, phase, failed);

	condition_add(list, "Accepted", &verdict);
	verdict = clamped(input, phase, lowered);
	condition_add(list, "Clamped", &verdict);
	verdict = expired(input, phase);
	condition_add(list, "Expired", &verdict);
	verdict = overridden(input, phase, winner);
	condition_add(list, "Overridden", &verdict);
	condition_add(list, "Programmed", &done);
	verdict = ready(&done, phase);
	condition_add(list, "Ready", &verdict);
}

/* --- the whole --- */

static void add_numbers(const struct status_input *input, json_t *status)
{
	const struct policy *policy = &input->object->policy;
	const struct policy_summary *summary = input->summary;
	const struct status_agents *agents = input->agents;
	size_t desired = agents->absent + agents->pending + agents->applied + agents->failed;

	if (policy_is_boost(policy) && clock_is_of(input->clock, input->object->generation))
		clock_to_status(input->clock, status);
	if (summary->pods)
		json_object_set_new(status, "effectiveSampleRateHz",
				    json_integer(rate_in_force(input)));
	json_object_set_new(status, "targets",
			    json_pack("{s:I, s:I}", "pods", (json_int_t)summary->pods, "nodes",
				      (json_int_t)summary->nodes));
	json_object_set_new(status, "agents",
			    json_pack("{s:I, s:I, s:I}", "desired", (json_int_t)desired, "applied",
				      (json_int_t)(agents->applied - agents->incomplete), "failed",
				      (json_int_t)(agents->failed + agents->incomplete)));
}

static json_t *start(struct condition_list *list, int64_t generation, const json_t *previous,
		     int64_t now_wall_s)
{
	json_t *status = json_object();

	*list = (struct condition_list){
		.conditions = json_array(),
		.previous = previous,
		.generation = generation,
		.now_wall_s = now_wall_s,
	};
	json_object_set_new(status, "observedGeneration", json_integer(generation));
	json_object_set_new(status, "conditions", list->conditions);
	return status;
}

json_t *status_build(const struct status_input *input)
{
	const struct verdict valid = { true, "Valid", "It is valid." };
	struct condition_list list;
	json_t *status =
		start(&list, input->object->generation, input->previous, input->now.wall_s);

	if (input->object->kind == OBJECT_POLICY) {
		add_policy_conditions(&list, input);
		add_numbers(input, status);
	} else {
		condition_add(&list, "Accepted", &valid);
		condition_add(&list, "Ready", &valid);
	}
	return status;
}

/* --- what is refused --- */

/* What holds instead. */
static void tell_in_force(const struct status_input *input, char *text, size_t size)
{
	const struct object *object = input->object;

	if (!object)
		snprintf(text, size, "nothing is in force");
	else if (object->kind == OBJECT_POLICY && phase_of(input) == PHASE_EXPIRED)
		snprintf(text, size, "generation %lld is over, so nothing is in force",
			 (long long)object->generation);
	else
		snprintf(text, size, "generation %lld stays in force until it is mended",
			 (long long)object->generation);
}

static void tell_refusal(int64_t generation, const char *why, const struct status_input *input,
			 char message[REFUSAL_MAX])
{
	char clean[MESSAGE_MAX], in_force[128];
	size_t len = utf8_clean(why, strlen(why), clean, sizeof(clean));

	if (input->object && input->object->generation == generation) {
		snprintf(message, REFUSAL_MAX,
			 "%s%s It is taken for what it was before, until it is mended.", clean,
			 len && clean[len - 1] == '?' ? "" : ".");
		return;
	}
	tell_in_force(input, in_force, sizeof(in_force));
	snprintf(
		message, REFUSAL_MAX,
		"%s%s Generation %lld is not in force; %s. Change the field, or bring the CRDs and "
		"the controller to the same version.",
		clean, len && clean[len - 1] == '?' ? "" : ".", (long long)generation, in_force);
}

json_t *status_build_refused(int64_t generation, const char *why, const struct status_input *input)
{
	char message[REFUSAL_MAX];
	const struct verdict invalid = { false, "Invalid", message };
	struct condition_list list;
	json_t *status = start(&list, generation, input->previous, input->now.wall_s);

	tell_refusal(generation, why, input, message);
	if (input->object) {
		json_decref(status);
		status = status_build(input);
		json_object_set_new(status, "observedGeneration", json_integer(generation));
		list.conditions = json_object_get(status, "conditions");
	}
	condition_add(&list, "Accepted", &invalid);
	condition_add(&list, "Ready", &invalid);
	return status;
}
