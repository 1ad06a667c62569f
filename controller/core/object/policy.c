/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/object/policy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controller/core/object/fields.h"
#include "lib/core/limits.h"

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The spec, which both kinds must have, with no fields but `name`. */
static int get_spec(const json_t *json, const char *const *name, size_t name_nr,
		    const json_t **ret_spec, struct err *err)
{
	*ret_spec = json_object_get(json, "spec");
	if (!*ret_spec)
		return err_set(err, -EINVAL, "spec: is missing");
	return fields_check(*ret_spec, "spec", name, name_nr, err);
}

static int read_containers(struct policy *policy, const json_t *spec, struct err *err)
{
	const json_t *list = NULL, *item;
	size_t i;
	int r = fields_get(spec, "spec", "containers", JSON_ARRAY, &list, err);

	if (r < 0)
		return r;
	if (json_array_size(list) > LIMIT_CONTAINER_NAMES)
		return err_set(err, -EINVAL, "spec.containers: has more than %d names",
			       LIMIT_CONTAINER_NAMES);
	json_array_foreach(list, i, item)
	{
		if (!name_valid(json_string_value(item), 63, true))
			return err_set(err, -EINVAL,
				       "spec.containers[%zu]: is not a container name", i);
		GROW(policy->container, policy->container_nr);
		policy->container[policy->container_nr++] = xstrdup(json_string_value(item));
	}
	if (policy->container_nr > 1)
		qsort(policy->container, policy->container_nr, sizeof(char *), by_text);
	for (i = 1; i < policy->container_nr; i++)
		if (strcmp(policy->container[i - 1], policy->container[i]) == 0)
			return err_set(err, -EINVAL, "spec.containers: %s is there twice",
				       policy->container[i]);
	return 0;
}

static int read_capabilities(struct policy *policy, const json_t *spec, bool *ret_has,
			     struct err *err)
{
	static const char *const name[] = { "add", "drop" };
	bool has_add = false, has_drop = false;
	const json_t *caps = NULL;
	int r = fields_get(spec, "spec", "capabilities", JSON_OBJECT, &caps, err);

	if (r < 0)
		return r;
	*ret_has = caps != NULL;
	if (!caps)
		return 0;
	r = fields_check(caps, "spec.capabilities", name, ARRAY_SIZE(name), err);
	if (r < 0)
		return r;
	r = fields_caps(caps, "spec.capabilities", "add", &has_add, &policy->add, err);
	if (r < 0)
		return r;
	r = fields_caps(caps, "spec.capabilities", "drop", &has_drop, &policy->drop, err);
	if (r < 0)
		return r;
	if (!has_add && !has_drop)
		return err_set(err, -EINVAL, "spec.capabilities: needs add, drop or both");
	if (policy->add & policy->drop)
		return err_set(
			err, -EINVAL,
			"spec.capabilities: a capability is either added or dropped, not both");
	return 0;
}

static int read_reason(struct policy *policy, const json_t *spec, struct err *err)
{
	const json_t *json = NULL;
	int r = fields_get(spec, "spec", "reason", JSON_STRING, &json, err);

	if (r < 0 || !json)
		return r;
	if (json_string_length(json) > LIMIT_REASON_BYTES)
		return err_set(err, -EINVAL, "spec.reason: is longer than %d bytes",
			       LIMIT_REASON_BYTES);
	policy->reason = xstrdup(json_string_value(json));
	return 0;
}

int policy_from_json(const json_t *json, struct policy *policy, struct err *err)
{
	static const char *const name[] = { "sampleRateHz", "duration",	    "selector",
					    "containers",   "capabilities", "reason" };
	const json_t *spec = NULL;
	bool has_caps = false;
	int r = get_spec(json, name, ARRAY_SIZE(name), &spec, err);

	if (r < 0)
		return r;
	r = fields_rate(spec, "spec", "sampleRateHz", &policy->has_rate, &policy->rate_hz, err);
	if (r < 0)
		return r;
	r = fields_duration(spec, "spec", "duration", &policy->duration_ns, err);
	if (r < 0)
		return r;
	r = selector_from_json(json_object_get(spec, "selector"), "spec.selector",
			       &policy->selector, err);
	if (r < 0)
		return r;
	r = read_containers(policy, spec, err);
	if (r < 0)
		return r;
	r = read_capabilities(policy, spec, &has_caps, err);
	if (r < 0)
		return r;
	if (!policy->has_rate && !has_caps)
		return err_set(err, -EINVAL,
			       "spec: needs sampleRateHz, capabilities or both; "
			       "without them it changes nothing");
	return read_reason(policy, spec, err);
}

static int read_defaults(struct cluster_policy *policy, const json_t *spec, bool *ret_has,
			 struct err *err)
{
	static const char *const name[] = { "sampleRateHz", "capabilities" };
	const json_t *json = NULL;
	int r = fields_get(spec, "spec", "defaults", JSON_OBJECT, &json, err);

	if (r < 0)
		return r;
	*ret_has = json != NULL;
	if (!json)
		return 0;
	r = fields_check(json, "spec.defaults", name, ARRAY_SIZE(name), err);
	if (r < 0)
		return r;
	r = fields_rate(json, "spec.defaults", "sampleRateHz", &policy->has_rate, &policy->rate_hz,
			err);
	if (r < 0)
		return r;
	return fields_caps(json, "spec.defaults", "capabilities", &policy->has_caps, &policy->caps,
			   err);
}

static int read_limits(struct cluster_policy *policy, const json_t *spec, bool *ret_has,
		       struct err *err)
{
	static const char *const name[] = { "maxSampleRateHz", "maxContinuousSampleRateHz",
					    "maxDuration", "allowedCapabilities" };
	const json_t *json = NULL;
	int r = fields_get(spec, "spec", "limits", JSON_OBJECT, &json, err);

	if (r < 0)
		return r;
	*ret_has = json != NULL;
	if (!json)
		return 0;
	r = fields_check(json, "spec.limits", name, ARRAY_SIZE(name), err);
	if (r < 0)
		return r;
	r = fields_rate(json, "spec.limits", name[0], &policy->has_max_rate, &policy->max_rate_hz,
			err);
	if (r < 0)
		return r;
	r = fields_rate(json, "spec.limits", name[1], &policy->has_max_continuous,
			&policy->max_continuous_hz, err);
	if (r < 0)
		return r;
	if (policy->has_max_rate && policy->has_max_continuous &&
	    policy->max_continuous_hz > policy->max_rate_hz)
		return err_set(err, -EINVAL,
			       "spec.limits.maxContinuousSampleRateHz: "
			       "cannot be above maxSampleRateHz");
	r = fields_duration(json, "spec.limits", name[2], &policy->max_duration_ns, err);
	if (r < 0)
		return r;
	return fields_caps(json, "spec.limits", name[3], &policy->has_allowed, &policy->allowed,
			   err);
}

int cluster_policy_from_json(const json_t *json, struct cluster_policy *policy, struct err *err)
{
	static const char *const name[] = { "namespaceSelector", "nodeSelector", "defaults",
					    "limits" };
	bool has_defaults = false, has_limits = false;
	const json_t *spec = NULL;
	int r = get_spec(json, name, ARRAY_SIZE(name), &spec, err);

	if (r < 0)
		return r;
	r = selector_from_json(json_object_get(spec, name[0]), "spec.namespaceSelector",
			       &policy->ns_selector, err);
	if (r < 0)
		return r;
	r = selector_from_json(json_object_get(spec, name[1]), "spec.nodeSelector",
			       &policy->node_selector, err);
	if (r < 0)
		return r;
	r = read_defaults(policy, spec, &has_defaults, err);
	if (r < 0)
		return r;
	r = read_limits(policy, spec, &has_limits, err);
	if (r < 0)
		return r;
	if (!has_defaults && !has_limits)
		return err_set(err, -EINVAL,
			       "spec: needs defaults, limits or both; "
			       "without them it changes nothing");
	return 0;
}

void policy_release(struct policy *policy)
{
	for (size_t i = 0; i < policy->container_nr; i++)
		free(policy->container[i]);
	free(policy->container);
	free(policy->reason);
	selector_release(&policy->selector);
}

void cluster_policy_release(struct cluster_policy *policy)
{
	selector_release(&policy->ns_selector);
	selector_release(&policy->node_selector);
}
