/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_CONTROLLER_WORLD_H
#define TESTS_UNIT_CONTROLLER_WORLD_H

/* A small random cluster for property tests, the same for the same seed: namespaces a and b, nodes n1 and n2,
 * few names, so that objects often replace one another. */

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "controller/core/compile/compile.h"
#include "lib/core/plan/caps.h"

struct random {
	uint64_t state; /* not 0 */
};

static inline uint32_t random_below(struct random *random, uint32_t below)
{
	random->state ^= random->state >> 12;
	random->state ^= random->state << 25;
	random->state ^= random->state >> 27;
	return (uint32_t)((random->state * 0x2545F4914F6CDD1DULL) >> 33) % below;
}

static inline bool random_chance(struct random *random, uint32_t percent)
{
	return random_below(random, 100) < percent;
}

/* The object that `json`, which is released, tells of. */
static inline struct object *world_object(json_t *json)
{
	struct object *object = NULL;
	struct err err = ERR_INIT;

	if (object_from_manifest(json, &object, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
	json_decref(json);
	return object;
}

static inline struct object *world_object_text(const char *text)
{
	json_error_t error;
	json_t *json = json_loads(text, 0, &error);

	if (!json) {
		fprintf(stderr, "%s\n%s\n", error.text, text);
		abort();
	}
	return world_object(json);
}

static inline void set(json_t *object, const char *key, json_t *value)
{
	json_object_set_new(object, key, value);
}

static inline json_t *random_labels(struct random *random)
{
	json_t *labels = json_object();

	if (random_chance(random, 70))
		set(labels, "app", json_string(random_chance(random, 50) ? "x" : "y"));
	if (random_chance(random, 30))
		set(labels, "tier", json_string("gold"));
	return labels;
}

static inline json_t *random_selector(struct random *random)
{
	switch (random_below(random, 4)) {
	case 0:
		return json_object();
	case 1:
		return json_pack("{s:{s:s}}", "matchLabels", "app", "x");
	case 2:
		return json_pack("{s:[{s:s,s:s,s:[s]}]}", "matchExpressions", "key", "app",
				 "operator", "NotIn", "values", "x");
	default:
		return json_pack("{s:[{s:s,s:s}]}", "matchExpressions", "key", "tier", "operator",
				 "Exists");
	}
}

static inline json_t *random_caps(struct random *random, uint32_t from, uint32_t *ret_caps)
{
	json_t *list = json_array();

	*ret_caps = 0;
	for (uint32_t cap = 1; cap <= CAPS_ALL; cap <<= 1) {
		if (!(from & cap) || !random_chance(random, 40))
			continue;
		*ret_caps |= cap;
		json_array_append_new(list, json_string(capability_name(cap)));
	}
	return list;
}

static inline json_t *random_policy_spec(struct random *random)
{
	json_t *spec = json_object(), *caps = json_object();
	uint32_t add, drop;

	if (random_chance(random, 70))
		set(spec, "sampleRateHz", json_integer(random_below(random, 201)));
	if (random_chance(random, 60))
		set(spec, "duration", json_sprintf("%us", 10 + random_below(random, 90)));
	if (random_chance(random, 50))
		set(spec, "selector", random_selector(random));
	if (random_chance(random, 25))
		set(spec, "containers",
		    json_pack("[s]", random_chance(random, 50) ? "app" : "side"));
	set(caps, "add", random_caps(random, CAPS_ALL, &add));
	set(caps, "drop", random_caps(random, CAPS_ALL & ~add, &drop));
	if (random_chance(random, 40) || !json_object_get(spec, "sampleRateHz"))
		set(spec, "capabilities", caps);
	else
		json_decref(caps);
	return spec;
}

static inline json_t *random_cluster_spec(struct random *random)
{
	json_t *spec = json_object(), *defaults = json_object(), *limits = json_object();
	uint32_t max_hz = random_below(random, 201), caps;

	if (random_chance(random, 40))
		set(spec, "namespaceSelector", random_selector(random));
	if (random_chance(random, 40))
		set(spec, "nodeSelector", random_selector(random));
	if (random_chance(random, 60))
		set(defaults, "sampleRateHz", json_integer(random_below(random, 100)));
	if (random_chance(random, 40))
		set(defaults, "capabilities", random_caps(random, CAPS_ALL, &caps));
	if (random_chance(random, 50))
		set(limits, "maxSampleRateHz", json_integer(max_hz));
	if (random_chance(random, 40))
		set(limits, "maxContinuousSampleRateHz",
		    json_integer(random_below(random, max_hz + 1)));
	if (random_chance(random, 40))
		set(limits, "maxDuration", json_sprintf("%us", 10 + random_below(random, 60)));
	if (random_chance(random, 30))
		set(limits, "allowedCapabilities", random_caps(random, CAPS_ALL, &caps));
	set(spec, "defaults", defaults);
	set(spec, "limits", limits);
	return spec;
}

static inline json_t *random_pod(struct random *random, json_t *json)
{
	static const char *const phase[] = { "Running", "Pending", "Succeeded" };
	json_t *spec = json_pack("{s:[{s:s}]}", "containers", "name", "app");

	if (random_chance(random, 60))
		json_array_append_new(json_object_get(spec, "containers"),
				      json_pack("{s:s}", "name", "side"));
	if (random_chance(random, 90))
		set(spec, "nodeName", json_string(random_chance(random, 50) ? "n1" : "n2"));
	set(json, "spec", spec);
	set(json, "status", json_pack("{s:s}", "phase", phase[random_below(random, 3)]));
	return json;
}

static inline enum object_kind random_kind(struct random *random)
{
	static const enum object_kind kind[] = {
		OBJECT_POLICY, OBJECT_POLICY, OBJECT_POLICY,	OBJECT_POD,	      OBJECT_POD,
		OBJECT_POD,    OBJECT_NODE,   OBJECT_NAMESPACE, OBJECT_CLUSTER_POLICY
	};

	return kind[random_below(random, ARRAY_SIZE(kind))];
}

/* The name of an object of the kind that may exist. */
static inline void random_name(struct random *random, enum object_kind kind, char ret_ns[2],
			       char ret_name[4])
{
	static const char *const prefix[] = { "p", "c", "", "n", "d" };
	bool namespaced = kind == OBJECT_POLICY || kind == OBJECT_POD;

	snprintf(ret_ns, 2, "%s", !namespaced ? "" : random_chance(random, 50) ? "a" : "b");
	if (kind == OBJECT_NAMESPACE)
		snprintf(ret_name, 4, "%s", random_chance(random, 50) ? "a" : "b");
	else
		snprintf(ret_name, 4, "%s%u", prefix[kind],
			 1 + random_below(random, kind == OBJECT_NODE ? 2 : 5));
}

static inline struct object *random_object(struct random *random, enum object_kind kind)
{
	bool ours = kind <= OBJECT_CLUSTER_POLICY;
	char ns[2], name[4];
	json_t *json, *meta;

	random_name(random, kind, ns, name);
	meta = json_pack("{s:s, s:o, s:s}", "name", name, "labels", random_labels(random),
			 "creationTimestamp",
			 random_chance(random, 50) ? "2026-01-01T00:00:00Z"
						   : "2026-01-02T00:00:00Z");
	if (*ns)
		set(meta, "namespace", json_string(ns));
	if (random_chance(random, 5))
		set(meta, "deletionTimestamp", json_string("2026-01-03T00:00:00Z"));
	json = json_pack("{s:s, s:s, s:o}", "apiVersion", ours ? PROFILING_API_VERSION : "v1",
			 "kind", object_kind_name(kind), "metadata", meta);
	if (kind == OBJECT_POLICY)
		set(json, "spec", random_policy_spec(random));
	else if (kind == OBJECT_CLUSTER_POLICY)
		set(json, "spec", random_cluster_spec(random));
	else if (kind == OBJECT_POD)
		random_pod(random, json);
	return world_object(json);
}

/* Apply, start the clock of a new boost, and tell the compiler (may be NULL). */
static inline void world_apply(struct store *store, struct compiler *compiler,
			       struct object *object, int64_t now_ns)
{
	struct instant now = { .boot_ns = now_ns, .wall_s = 1000 + now_ns / NSEC_PER_SEC };
	bool is_policy = object->kind == OBJECT_POLICY;
	struct touch touch = store_apply(store, object);
	struct boost_clock clock;

	if (compiler)
		compiler_touch(compiler, store, &touch);
	if (!is_policy || !policy_is_boost(&object->policy) ||
	    clock_is_of(store_clock(store, object->ns, object->name), object->generation))
		return;
	clock_start(&clock, object->generation, object->policy.duration_ns, &now);
	clock.durable = true;
	touch = store_set_clock(store, object->ns, object->name, &clock);
	if (compiler)
		compiler_touch(compiler, store, &touch);
}

#endif
