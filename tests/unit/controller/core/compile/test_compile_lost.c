/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/core/limits.h"
#include "tests/unit/controller/world.h"

/* What of pods no plan can say is left out alone, and told. */

#define SECOND NSEC_PER_SEC

struct fixture {
	struct store *store;
	struct compiler *compiler;
	struct plan plan;
};

static void begin(struct fixture *f)
{
	static const char *const label[] = { "team" };
	const struct compile_options options = { .label = label, .label_nr = 1 };

	*f = (struct fixture){ .store = store_new(), .compiler = compiler_new(&options) };
}

static void end(struct fixture *f)
{
	plan_release(&f->plan);
	compiler_free(f->compiler);
	store_free(f->store);
}

static void give(struct fixture *f, struct object *object)
{
	struct touch touch = store_apply(f->store, object);

	compiler_touch(f->compiler, f->store, &touch);
}

static void compile(struct fixture *f)
{
	struct compile_result result;

	compiler_compile(f->compiler, f->store, "n1", SECOND, &result);
	plan_release(&f->plan);
	f->plan = result.plan;
}

/* `more` is put into its metadata. */
static void give_pod(struct fixture *f, const char *name, json_t *more, size_t containers)
{
	json_t *list = json_array();
	json_t *pod = json_pack("{ssss s{ssss} s{sssO}}", "apiVersion", "v1", "kind", "Pod",
				"metadata", "name", name, "namespace", "a", "spec", "nodeName",
				"n1", "containers", list);

	for (size_t i = 0; i < containers; i++) {
		char text[16];

		snprintf(text, sizeof(text), "c%zu", i);
		json_array_append_new(list, json_pack("{ss}", "name", text));
	}
	json_decref(list);
	json_object_update(json_object_get(pod, "metadata"), more);
	json_decref(more);
	give(f, world_object(pod));
}

static void give_policy(struct fixture *f, const char *name, const char *app)
{
	json_t *spec = json_pack("{si}", "sampleRateHz", 49);

	if (app)
		set(spec, "selector", json_pack("{s{ss}}", "matchLabels", "app", app));
	give(f, world_object(json_pack("{ssss s{ssss} so}", "apiVersion", PROFILING_API_VERSION,
				       "kind", "ProfilingPolicy", "metadata", "name", name,
				       "namespace", "a", "spec", spec)));
}

static json_t *service(const char *text)
{
	return json_pack("{s{ss}}", "annotations", "pyroscope.io/service_name", text);
}

static json_t *labels(const char *key, const char *text)
{
	return json_pack("{s{ssss}}", "labels", "app", "x", key, text);
}

static void check(struct fixture *f, const char *policy, unsigned lost, const char *pod)
{
	struct policy_summary summary;

	compiler_summary(f->compiler, "a", policy, &summary);
	assert_int_equal(summary.lost, lost);
	if (pod)
		assert_string_equal(summary.lost_pod, pod);
	else
		assert_null(summary.lost_pod);
}

static void a_name_that_cannot_be_said_is_left_out_alone(void **state)
{
	struct left_out left_out;
	struct fixture f;

	(void)state;
	begin(&f);
	give_policy(&f, "all", NULL);
	give_policy(&f, "some", "x");
	give_pod(&f, "p1", service("shop"), 1);
	give_pod(&f, "p2", service("shop\n"), 1);
	compile(&f);
	assert_int_equal(f.plan.target_nr, 2);
	assert_string_equal(plan_find_target(&f.plan, f.plan.target[0].uid)->ns, "a");
	check(&f, "all", 1U << POD_LOST_SERVICE, "p2");
	check(&f, "some", 0, NULL); /* it selects neither */
	give_pod(&f, "p0", labels("team", "a\nb"), 1);
	compile(&f);
	assert_int_equal(f.plan.target_nr, 3);
	check(&f, "all", 1U << POD_LOST_SERVICE | 1U << POD_LOST_LABEL, "p0");
	check(&f, "some", 1U << POD_LOST_LABEL, "p0");
	compiler_left_out(f.compiler, &left_out);
	assert_int_equal(left_out.lost[POD_LOST_SERVICE], 1);
	assert_int_equal(left_out.lost[POD_LOST_LABEL], 1);
	assert_int_equal(left_out.lost[POD_LOST_CONTAINERS], 0);
	assert_int_equal(left_out.no_room, 0);
	end(&f);
}

static void when_it_is_mended_nothing_is_left_out(void **state)
{
	struct left_out left_out;
	struct fixture f;

	(void)state;
	begin(&f);
	give_policy(&f, "all", NULL);
	give_pod(&f, "p", service("\x1b[2J"), LIMIT_PLAN_CONTAINERS + 1);
	compile(&f);
	check(&f, "all", 1U << POD_LOST_SERVICE | 1U << POD_LOST_CONTAINERS, "p");
	assert_int_equal(f.plan.target[0].container_nr, LIMIT_PLAN_CONTAINERS);
	give_pod(&f, "p", service("shop"), LIMIT_PLAN_CONTAINERS);
	compile(&f);
	check(&f, "all", 0, NULL);
	compiler_left_out(f.compiler, &left_out);
	assert_int_equal(left_out.lost[POD_LOST_CONTAINERS], 0);
	end(&f);
}

static void labels_beyond_the_share_are_told_to_all_of_the_namespace(void **state)
{
	cleanup(freep) char *text = xmalloc(LIMIT_NS_LABEL_BYTES);
	struct policy_summary summary;
	struct fixture f;

	(void)state;
	begin(&f);
	memset(text, 'v', LIMIT_NS_LABEL_BYTES);
	text[LIMIT_NS_LABEL_BYTES - 20] = '\0';
	give_policy(&f, "some", "x");
	give_pod(&f, "p1", labels("big", text), 1);
	give_pod(&f, "p2", labels("team", "blue and green"), 1);
	compile(&f);
	compiler_summary(f.compiler, "a", "some", &summary);
	assert_int_equal(summary.pods, 1);
	assert_true(summary.no_labels);
	assert_int_equal(summary.lost, 0);
	give_pod(&f, "p1", labels("big", "no more"), 1);
	give_pod(&f, "p2", labels("team", "blue and green"), 1);
	compile(&f);
	compiler_summary(f.compiler, "a", "some", &summary);
	assert_int_equal(summary.pods, 2);
	assert_false(summary.no_labels);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_that_cannot_be_said_is_left_out_alone),
		cmocka_unit_test(when_it_is_mended_nothing_is_left_out),
		cmocka_unit_test(labels_beyond_the_share_are_told_to_all_of_the_namespace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
