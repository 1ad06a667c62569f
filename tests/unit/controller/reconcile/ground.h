/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_CONTROLLER_RECONCILE_GROUND_H
#define TESTS_UNIT_CONTROLLER_RECONCILE_GROUND_H

/* Small random worlds for rules.h, in terms of their own, and as objects for the controller. */

#include "controller/core/session/node_state.h"
#include "lib/core/base.h"
#include "tests/unit/controller/world.h"

enum { CPU = 1, KERNEL = 2, NATIVE = 4, ALL = 7 };

/* Selectors over the one label `app`, which is x, y or not there. */
enum { ANY, EMPTY, IS_X, NOT_X, SELECTORS };

/* A container's name; a pod as a whole is none. */
enum { WHOLE, APP, SIDE };

#define NODES 3
#define PODS 6
#define POLICIES 7
#define CLUSTERS 4

struct asked { /* a ProfilingPolicy */
	char name[24], ns[2];
	bool newer, deleting, expired;
	int selector, container; /* WHOLE: of all */
	int rate;		 /* -1 = not given */
	int add, drop;
	int duration_s; /* 0 = continuous */
};

struct fleet { /* a ClusterProfilingPolicy; -1 = not given */
	char name[24];
	bool newer;
	int ns_selector, node_selector;
	int rate, caps, max, max_continuous, allowed, max_duration_s;
};

struct guest { /* a pod; app is "", "x" or "y" */
	char name[24], ns[2], app[2];
	int node; /* -1 = none */
	bool has_side, done;
};

struct ground {
	struct asked policy[POLICIES];
	struct fleet cluster[CLUSTERS];
	struct guest pod[PODS];
	char ns_app[2][2], node_app[NODES][2];
	enum hub_state agent[NODES];
	size_t policy_nr, cluster_nr, pod_nr;
};

/* --- a random world --- */

static inline int some(struct random *random, uint32_t percent, uint32_t below)
{
	return random_chance(random, percent) ? (int)random_below(random, below) : -1;
}

static inline void random_app(struct random *random, char app[2])
{
	static const char value[][2] = { "", "x", "y" };

	memcpy(app, value[random_below(random, 3)], sizeof(value[0]));
}

static inline void random_asked(struct random *random, size_t i, struct asked *p)
{
	*p = (struct asked){
		.newer = random_chance(random, 50),
		.deleting = random_chance(random, 5),
		.selector = (int)random_below(random, SELECTORS),
		.container = random_chance(random, 25) ? 1 + (int)random_below(random, 2) : WHOLE,
		.rate = some(random, 75, 5),
		.duration_s = random_chance(random, 60) ? 10 + (int)random_below(random, 90) : 0,
	};
	snprintf(p->name, sizeof(p->name), "p%zu", i);
	snprintf(p->ns, sizeof(p->ns), "%s", random_chance(random, 70) ? "a" : "b");
	/* Few rates, so that there are ties. */
	if (p->rate >= 0)
		p->rate = (int[]){ 0, 30, 49, 100, 200 }[p->rate];
	p->expired = p->duration_s && random_chance(random, 15);
	if (p->rate >= 0 && random_chance(random, 50))
		return;
	p->add = (int)random_below(random, ALL + 1);
	p->drop = (int)random_below(random, ALL + 1) & ~p->add;
	if (p->rate < 0 && !(p->add | p->drop))
		p->add = NATIVE;
}

static inline void random_fleet(struct random *random, size_t i, struct fleet *c)
{
	*c = (struct fleet){
		.newer = random_chance(random, 50),
		.ns_selector = (int)random_below(random, SELECTORS),
		.node_selector = (int)random_below(random, SELECTORS),
		.rate = some(random, 50, 100),
		.caps = some(random, 40, ALL + 1),
		.max = some(random, 40, 150),
		.max_continuous = some(random, 40, 50),
		.allowed = some(random, 25, ALL + 1),
		.max_duration_s =
			random_chance(random, 40) ? 10 + (int)random_below(random, 60) : 0,
	};
	snprintf(c->name, sizeof(c->name), "c%zu", i);
	if (c->max >= 0 && c->max_continuous > c->max)
		c->max_continuous = c->max;
}

static inline void random_guest(struct random *random, size_t i, struct guest *pod)
{
	*pod = (struct guest){
		.node = some(random, 90, NODES),
		.has_side = random_chance(random, 50),
		.done = random_chance(random, 10),
	};
	snprintf(pod->name, sizeof(pod->name), "d%zu", i);
	snprintf(pod->ns, sizeof(pod->ns), "%s", random_chance(random, 70) ? "a" : "b");
	random_app(random, pod->app);
}

static inline void random_ground(struct random *random, struct ground *ret_ground)
{
	struct ground *ground = ret_ground;

	*ground = (struct ground){
		.policy_nr = 1 + random_below(random, POLICIES),
		.cluster_nr = random_below(random, CLUSTERS + 1),
		.pod_nr = random_below(random, PODS + 1),
	};
	for (size_t i = 0; i < ground->policy_nr; i++)
		random_asked(random, i, &ground->policy[i]);
	for (size_t i = 0; i < ground->cluster_nr; i++)
		random_fleet(random, i, &ground->cluster[i]);
	for (size_t i = 0; i < ground->pod_nr; i++)
		random_guest(random, i, &ground->pod[i]);
	for (size_t i = 0; i < 2; i++)
		random_app(random, ground->ns_app[i]);
	for (size_t i = 0; i < NODES; i++) {
		random_app(random, ground->node_app[i]);
		ground->agent[i] = random_chance(random, 60)
					   ? HUB_APPLIED
					   : (enum hub_state)random_below(random, 4);
	}
}

/* --- as objects --- */

static inline json_t *new_object(const char *kind, const char *ns, const char *name,
				 const char *app)
{
	json_t *meta =
		json_pack("{ss ss sI}", "name", name, "uid", name, "generation", (json_int_t)1);

	if (*ns)
		set(meta, "namespace", json_string(ns));
	if (*app)
		set(meta, "labels", json_pack("{ss}", "app", app));
	return json_pack("{ss ss so}", "apiVersion",
			 strstr(kind, "Policy") ? PROFILING_API_VERSION : "v1", "kind", kind,
			 "metadata", meta);
}

static inline json_t *selector(int which)
{
	if (which == IS_X)
		return json_pack("{s{ss}}", "matchLabels", "app", "x");
	if (which == NOT_X)
		return json_pack("{s[{ss ss s[s]}]}", "matchExpressions", "key", "app", "operator",
				 "NotIn", "values", "x");
	return json_object();
}

static inline json_t *caps_list(int caps)
{
	static const char *const name[] = { "cpu", "kernel", "native" };
	json_t *list = json_array();

	for (int i = 0; i < 3; i++)
		if (caps & 1 << i)
			json_array_append_new(list, json_string(name[i]));
	return list;
}

static inline void set_created(json_t *object, bool newer)
{
	set(json_object_get(object, "metadata"), "creationTimestamp",
	    json_string(newer ? "2026-01-02T00:00:00Z" : "2026-01-01T00:00:00Z"));
}

static inline json_t *policy_object(const struct asked *p)
{
	json_t *object = new_object("ProfilingPolicy", p->ns, p->name, ""), *spec = json_object();

	set_created(object, p->newer);
	if (p->deleting)
		set(json_object_get(object, "metadata"), "deletionTimestamp",
		    json_string("2026-01-03T00:00:00Z"));
	if (p->selector != ANY)
		set(spec, "selector", selector(p->selector));
	if (p->container)
		set(spec, "containers", json_pack("[s]", p->container == APP ? "app" : "side"));
	if (p->rate >= 0)
		set(spec, "sampleRateHz", json_integer(p->rate));
	if (p->duration_s)
		set(spec, "duration", json_sprintf("%ds", p->duration_s));
	if (p->add | p->drop)
		set(spec, "capabilities",
		    json_pack("{so so}", "add", caps_list(p->add), "drop", caps_list(p->drop)));
	set(object, "spec", spec);
	return object;
}

static inline void set_given(json_t *object, const char *key, int value)
{
	if (value >= 0)
		set(object, key, json_integer(value));
}

static inline json_t *fleet_object(const struct fleet *c)
{
	json_t *object = new_object("ClusterProfilingPolicy", "", c->name, "");
	json_t *defaults = json_object(), *limits = json_object();

	set_created(object, c->newer);
	set_given(defaults, "sampleRateHz", c->rate);
	if (c->caps >= 0)
		set(defaults, "capabilities", caps_list(c->caps));
	set_given(limits, "maxSampleRateHz", c->max);
	set_given(limits, "maxContinuousSampleRateHz", c->max_continuous);
	if (c->allowed >= 0)
		set(limits, "allowedCapabilities", caps_list(c->allowed));
	if (c->max_duration_s)
		set(limits, "maxDuration", json_sprintf("%ds", c->max_duration_s));
	set(object, "spec",
	    json_pack("{so so so so}", "namespaceSelector", selector(c->ns_selector),
		      "nodeSelector", selector(c->node_selector), "defaults", defaults, "limits",
		      limits));
	return object;
}

static inline json_t *pod_object(const struct guest *pod)
{
	json_t *object = new_object("Pod", pod->ns, pod->name, pod->app);
	json_t *spec = json_pack("{s[{ss}]}", "containers", "name", "app");

	if (pod->has_side)
		json_array_append_new(json_object_get(spec, "containers"),
				      json_pack("{ss}", "name", "side"));
	if (pod->node >= 0)
		set(spec, "nodeName", json_sprintf("n%d", pod->node));
	set(object, "spec", spec);
	set(object, "status", json_pack("{ss}", "phase", pod->done ? "Succeeded" : "Running"));
	return object;
}

#endif
