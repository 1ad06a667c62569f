/* SPDX-License-Identifier: Apache-2.0 */

/* What is confirmed is in the kernel: over random worlds with little room, whatever is not told as missing is read back
 * from the maps as the plan has it. */

#include "tests/unit/agent/sampler_rig.h"

#include "agent/core/plan/resolve.h"
#include "agent/kernel/sampler_priv.h"
#include "lib/core/control/control_msg.h"
#include "sampler.skel.h"

#define WORLDS 200
#define NAMESPACES 24 /* more than an answer has room for */
#define PODS 40
#define SLOTS 14
#define CGROUPS 12
#define CEILING_HZ 90

struct world {
	struct bench *b;
	struct cgroups *cgroups;
	struct want *want;
	struct plan plan;
	struct ceiling ceiling;
	uint32_t seed;
	uint64_t next_id;
	int64_t now_ns;
	size_t missing, held; /* worlds with something missing; cgroups that were read back */
};

static uint32_t rnd(struct world *world, uint32_t below)
{
	world->seed = world->seed * 1664525 + 1013904223;
	return (world->seed >> 8) % below;
}

/* Each namespace has a class, each pod is in one. */
static void make_plan(struct world *world)
{
	struct plan *plan = &world->plan;

	plan_release(plan);
	*plan = (struct plan){ .cls = xcalloc(NAMESPACES, sizeof(*plan->cls)),
			       .target = xcalloc(PODS, sizeof(*plan->target)),
			       .cls_nr = NAMESPACES,
			       .target_nr = PODS };
	for (size_t i = 0; i < NAMESPACES; i++) {
		struct plan_step *step = xcalloc(1, sizeof(*step));

		*step = (struct plan_step){ .rate_hz = rnd(world, 201), .caps = CAPS_ALL };
		plan->cls[i] = (struct plan_class){ .id = xasprintf("ns%02zu", i),
						    .step = step,
						    .step_nr = 1 };
	}
	for (size_t i = 0; i < PODS; i++) {
		char *ns = xasprintf("ns%02u", rnd(world, NAMESPACES));

		plan->target[i] = (struct plan_target){
			.uid = xasprintf("aaaaaaaa-0000-0000-0000-%012zu", i),
			.ns = ns,
			.pod = xasprintf("p%zu", i),
			.class_id = xstrdup(ns),
		};
	}
	plan_normalize(plan);
	cgroups_bind(world->cgroups, plan);
}

#define CID "/1111111111111111111111111111111111111111111111111111111111111111"

/* Directories come, some of them below others, and go. */
static void churn(struct world *world)
{
	static const char *const below[] = { "", "/inner", CID, CID "/more" };

	for (uint32_t i = rnd(world, 12); i > 0; i--) {
		uint32_t pod = rnd(world, PODS);
		char path[160];

		snprintf(path, sizeof(path), "/kubepods/podaaaaaaaa-0000-0000-0000-%012u%s", pod,
			 below[rnd(world, ARRAY_SIZE(below))]);
		cgroups_add(world->cgroups, ++world->next_id, path);
	}
	for (size_t i = cgroups_nr(world->cgroups); i-- > 0;)
		if (i < cgroups_nr(world->cgroups) && rnd(world, 3) == 0)
			cgroups_gone(world->cgroups, cgroups_at(world->cgroups, i)->id,
				     world->now_ns);
	world->now_ns += CGROUP_TOMBSTONE_NS / (1 + rnd(world, 4)) + 1;
	cgroups_reap(world->cgroups, world->now_ns, NULL, NULL);
}

static void apply_world(struct world *world)
{
	struct want *want = xmalloc(sizeof(*want));
	struct err err = ERR_INIT;
	int r;

	resolve(&world->plan, world->cgroups, &world->ceiling, world->want, 0, want);
	r = world->want ? sampler_apply(world->b->sampler, want, &err)
			: sampler_start(world->b->sampler, want, &err);
	if (r < 0)
		fail_msg("%s", err.text);
	if (world->want)
		want_release(world->want);
	free(world->want);
	world->want = want;
}

static void check_held(const struct world *world, const struct cgroup *cgroup)
{
	struct bpf_map *cgroups = world->b->sampler->skel->maps.cgroups;
	struct bpf_map *classes = world->b->sampler->skel->maps.classes;
	const struct plan_class *cls = plan_find_class(&world->plan, cgroup->container->class_id);
	struct prof_cgroup row;
	struct prof_class held;
	uint32_t class_row;

	assert_int_equal(bpf_map__lookup_elem(cgroups, &cgroup->id, sizeof(cgroup->id), &row,
					      sizeof(row), 0),
			 0);
	assert_int_equal(row.slot, cgroup->container->slot);
	assert_true(row.slot > 0 && row.slot < SLOTS);
	assert_int_equal(row.flags, cgroup_is_whole(cgroup) ? PROF_CGROUP_WHOLE : 0);
	class_row = row.cls;
	assert_int_equal(bpf_map__lookup_elem(classes, &class_row, sizeof(class_row), &held,
					      sizeof(held), 0),
			 0);
	assert_int_equal(held.rate_hz, MIN(cls->step[0].rate_hz, CEILING_HZ));
	assert_int_equal(held.period_ns, held.rate_hz ? NSEC_PER_SEC / held.rate_hz : 0);
}

static void check_world(struct world *world)
{
	struct control_missing missing;

	resolve_missing(world->want, world->cgroups, &missing);
	world->missing += missing.cgroups > 0;
	for (size_t i = 0; i < cgroups_nr(world->cgroups); i++) {
		const struct cgroup *cgroup = cgroups_at(world->cgroups, i);

		if (cgroup->gone_ns || !cgroup->container ||
		    control_missing_has(&missing, cgroup->container->ns))
			continue;
		check_held(world, cgroup);
		world->held++;
	}
}

static void what_is_not_told_as_missing_is_in_the_kernel(void **state)
{
	struct world world = {
		.b = *state,
		.ceiling = { .max_rate_hz = CEILING_HZ, .caps = CAPS_ALL, .cgroups = CGROUPS },
		.seed = 4711,
		.now_ns = 1,
	};
	const struct sampler_options options = { .slots = SLOTS, .cgroups = CGROUPS };

	open_sampler_with(world.b, &options);
	world.cgroups = cgroups_new(SLOTS);
	for (int i = 0; i < WORLDS; i++) {
		if (i % 3 == 0)
			make_plan(&world);
		churn(&world);
		apply_world(&world);
		check_world(&world);
	}
	print_message("  %zu of %d worlds had no room for something; %zu cgroups were read back\n",
		      world.missing, WORLDS, world.held);
	assert_in_range(world.missing, WORLDS / 10, WORLDS - 1);
	assert_true(world.held > WORLDS);
	cgroups_free(world.cgroups);
	plan_release(&world.plan);
	want_release(world.want);
	free(world.want);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_is_not_told_as_missing_is_in_the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
