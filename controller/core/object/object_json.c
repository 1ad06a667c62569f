/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/object/object_json.h"

#include <string.h>

#include "controller/core/object/cid.h"
#include "lib/core/plan/caps.h"
#include "lib/core/text/json.h"

static void set(json_t *to, const char *key, json_t *value)
{
	json_object_set_new(to, key, json_must(value));
}

static void set_text(json_t *to, const char *key, const char *text)
{
	if (text && *text)
		set(to, key, json_string(text));
}

static void set_number(json_t *to, const char *key, bool has, int64_t number)
{
	if (has)
		set(to, key, json_integer(number));
}

static void set_true(json_t *to, const char *key, bool value)
{
	if (value)
		set(to, key, json_true());
}

static json_t *texts(char *const *text, size_t nr)
{
	json_t *list = json_must(json_array());

	for (size_t i = 0; i < nr; i++)
		json_array_append_new(list, json_must(json_string(text[i])));
	return list;
}

static void set_caps(json_t *to, const char *key, bool has, uint32_t caps)
{
	json_t *list;

	if (!has)
		return;
	list = json_must(json_array());
	for (uint32_t cap = 1; cap && cap <= CAPS_ALL; cap <<= 1)
		if (caps & cap)
			json_array_append_new(list, json_must(json_string(capability_name(cap))));
	set(to, key, list);
}

static void set_selector(json_t *to, const char *key, const struct selector *selector)
{
	static const char *const name[] = { [SELECTOR_IN] = "In",
					    [SELECTOR_NOT_IN] = "NotIn",
					    [SELECTOR_EXISTS] = "Exists",
					    [SELECTOR_NOT_EXISTS] = "DoesNotExist" };
	json_t *list;

	if (!selector_narrows(selector))
		return;
	list = json_must(json_array());
	for (size_t i = 0; i < selector->term_nr; i++) {
		const struct selector_term *term = &selector->term[i];
		json_t *item = json_must(json_object());

		set_text(item, "key", term->key);
		set_text(item, "operator", name[term->op]);
		set(item, "values", texts(term->value, term->value_nr));
		json_array_append_new(list, item);
	}
	set(to, key, list);
}

static void set_labels(json_t *to, const char *labels)
{
	json_t *map = json_must(json_object());

	for (const char *key = labels; key && *key;) {
		const char *value = key + strlen(key) + 1;

		set(map, key, json_string(value));
		key = value + strlen(value) + 1;
	}
	set(to, "labels", map);
}

static void add_policy(json_t *to, const struct policy *policy)
{
	set_number(to, "sampleRateHz", policy->has_rate, policy->rate_hz);
	set_number(to, "duration_ns", policy_is_boost(policy), policy->duration_ns);
	set_selector(to, "selector", &policy->selector);
	if (policy->container_nr)
		set(to, "containers", texts(policy->container, policy->container_nr));
	set_caps(to, "add", policy->add, policy->add);
	set_caps(to, "drop", policy->drop, policy->drop);
	set_text(to, "reason", policy->reason);
}

static void add_cluster_policy(json_t *to, const struct cluster_policy *policy)
{
	set_selector(to, "namespaceSelector", &policy->ns_selector);
	set_selector(to, "nodeSelector", &policy->node_selector);
	set_number(to, "sampleRateHz", policy->has_rate, policy->rate_hz);
	set_caps(to, "capabilities", policy->has_caps, policy->caps);
	set_number(to, "maxSampleRateHz", policy->has_max_rate, policy->max_rate_hz);
	set_number(to, "maxContinuousSampleRateHz", policy->has_max_continuous,
		   policy->max_continuous_hz);
	set_number(to, "maxDuration_ns", policy->max_duration_ns > 0, policy->max_duration_ns);
	set_caps(to, "allowedCapabilities", policy->has_allowed, policy->allowed);
}

static void add_pod(json_t *to, const struct pod *pod)
{
	json_t *list = json_must(json_array());

	set_text(to, "node", pod->node);
	set_text(to, "service", pod->service);
	set_text(to, "workload", pod->workload);
	set_true(to, "done", pod->done);
	for (size_t i = 0; i < pod->container_nr; i++) {
		cleanup(freep) char *cid = cid_text(pod->container[i].cid);
		json_t *item = json_must(json_object());

		set_text(item, "name", pod->container[i].name);
		set_text(item, "id", cid);
		set_text(item, "cgroup", pod->container[i].cgroup);
		json_array_append_new(list, item);
	}
	set(to, "containers", list);
}

json_t *object_to_json(const struct object *object)
{
	json_t *json = json_must(json_object());

	set_text(json, "kind", object_kind_name(object->kind));
	set_text(json, "namespace", object->ns);
	set_text(json, "name", object->name);
	set_text(json, "uid", object->uid);
	set_number(json, "generation", object->generation > 0, object->generation);
	set_number(json, "created", true, object->created_s);
	set_true(json, "deleting", object->deleting);
	set_labels(json, object->labels);
	if (object->kind == OBJECT_POLICY)
		add_policy(json, &object->policy);
	if (object->kind == OBJECT_CLUSTER_POLICY)
		add_cluster_policy(json, &object->cluster);
	if (object->kind == OBJECT_POD)
		add_pod(json, &object->pod);
	return json;
}
