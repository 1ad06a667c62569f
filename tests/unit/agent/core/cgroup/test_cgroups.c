/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "agent/core/cgroup/cgroups.h"
#include "tests/unit/agent/plans.h"

#define UID_A "aaaaaaaa-0000-0000-0000-000000000001"
#define UID_B "bbbbbbbb-0000-0000-0000-000000000002"
#define CID_1 "1111111111111111111111111111111111111111111111111111111111111111"
#define CID_2 "2222222222222222222222222222222222222222222222222222222222222222"
#define POD_A "/kubepods/burstable/pod" UID_A
#define POD_B "/kubepods/pod" UID_B

#define CLASSES                                                                                    \
	"'classes':[{'id':'','steps':[{'hz':19,'caps':['cpu']}]},{'id':'shop','steps':[{'hz':49,'" \
	"caps':['cpu']}]}]"
#define TWO_CONTAINERS                                                                             \
	"{" CLASSES ",'targets':[{'uid':'" UID_A                                                   \
	"','ns':'shop','pod':'cart-1','class':'shop','labels':{'app':'cart'},"                     \
	"'containers':[{'name':'app','cid':'" CID_1 "'},{'name':'proxy'}]}]}"
#define ONE_CONTAINER                                                                              \
	"{" CLASSES ",'targets':[{'uid':'" UID_A "','ns':'shop','pod':'cart-1','class':'shop',"    \
	"'service':'cart','containers':[{'name':'app'}]}]}"
#define BY_PATH                                                                                    \
	"{" CLASSES ",'targets':[{'uid':'vm-1','ns':'shop','pod':'till','class':'shop',"           \
	"'containers':[{'name':'main','cgroup':'/demo/till'}]}]}"

static const struct container *container_of_id(const struct cgroups *cgroups, uint64_t id)
{
	const struct cgroup *cgroup = cgroups_find(cgroups, id);

	assert_non_null(cgroup);
	return cgroup->container;
}

static void check_names(const struct container *container, const char *ns, const char *pod,
			const char *name, const char *service)
{
	assert_non_null(container);
	assert_string_equal(container->ns, ns);
	assert_string_equal(container->pod, pod);
	assert_string_equal(container->name, name);
	assert_string_equal(container->service, service);
}

static void what_is_below_a_container_shares_its_slot(void **state)
{
	struct cgroups *cgroups = cgroups_new(10);

	(void)state;
	assert_true(cgroups_add(cgroups, 1, POD_A "/" CID_1 "/init.scope"));
	assert_true(cgroups_add(cgroups, 2, POD_A "/" CID_1));
	assert_false(cgroups_add(cgroups, 2, POD_A "/" CID_1));
	assert_true(cgroups_add(cgroups, 3, POD_A));
	assert_true(cgroups_add(cgroups, 4, "/system.slice"));
	assert_ptr_equal(container_of_id(cgroups, 1), container_of_id(cgroups, 2));
	assert_int_equal(container_of_id(cgroups, 1)->cgroup, 2);
	assert_ptr_not_equal(container_of_id(cgroups, 3), container_of_id(cgroups, 2));
	assert_int_not_equal(container_of_id(cgroups, 3)->slot, container_of_id(cgroups, 2)->slot);
	assert_null(container_of_id(cgroups, 4));
	assert_int_equal(cgroups_container_nr(cgroups), 2);
	cgroups_free(cgroups);
}

static void a_container_is_whole_and_a_pod_is_not(void **state)
{
	struct cgroups *cgroups = cgroups_new(10);
	struct plan plan = plan_of(BY_PATH, 0);

	(void)state;
	cgroups_bind(cgroups, &plan);
	cgroups_add(cgroups, 1, POD_A "/" CID_1);
	cgroups_add(cgroups, 2, POD_A "/" CID_1 "/init.scope");
	cgroups_add(cgroups, 3, POD_A);
	cgroups_add(cgroups, 4, "/system.slice");
	cgroups_add(cgroups, 5, "/demo/till");
	assert_true(cgroup_is_whole(cgroups_find(cgroups, 1)));
	assert_false(cgroup_is_whole(cgroups_find(cgroups, 2)));
	assert_false(cgroup_is_whole(cgroups_find(cgroups, 3)));
	assert_false(cgroup_is_whole(cgroups_find(cgroups, 4)));
	assert_true(cgroup_is_whole(cgroups_find(cgroups, 5)));
	assert_false(cgroup_is_whole(NULL));
	cgroups_free(cgroups);
	plan_release(&plan);
}

static void the_plan_names_containers_by_id_uid_and_default(void **state)
{
	struct cgroups *cgroups = cgroups_new(10);
	struct plan plan = plan_of(TWO_CONTAINERS, 0);

	(void)state;
	cgroups_add(cgroups, 1, POD_A "/" CID_1);
	assert_null(container_of_id(cgroups, 1)->ns);
	cgroups_bind(cgroups, &plan);
	check_names(container_of_id(cgroups, 1), "shop", "cart-1", "app", "shop/app");
	assert_int_equal(container_of_id(cgroups, 1)->label_nr, 1);
	assert_string_equal(container_of_id(cgroups, 1)->class_id, "shop");
	/* Two containers, and this id is neither's: the pod is known, the name is not. */
	cgroups_add(cgroups, 2, POD_A "/" CID_2);
	check_names(container_of_id(cgroups, 2), "shop", "cart-1", "222222222222",
		    "shop/222222222222");
	cgroups_add(cgroups, 3, POD_A);
	check_names(container_of_id(cgroups, 3), "shop", "cart-1", "_pod", "shop/_pod");
	cgroups_add(cgroups, 4, POD_B "/" CID_2);
	assert_null(container_of_id(cgroups, 4)->ns);
	cgroups_free(cgroups);
	plan_release(&plan);
}

static void a_pod_of_one_container_needs_no_container_id(void **state)
{
	struct cgroups *cgroups = cgroups_new(10);
	struct plan plan = plan_of(ONE_CONTAINER, 0);

	(void)state;
	cgroups_bind(cgroups, &plan);
	cgroups_add(cgroups, 1, POD_A "/" CID_2);
	check_names(container_of_id(cgroups, 1), "shop", "cart-1", "app", "cart");
	cgroups_free(cgroups);
	plan_release(&plan);
}

static void a_container_id_finds_a_pod_whose_uid_the_path_does_not_tell(void **state)
{
	struct cgroups *cgroups = cgroups_new(10);
	struct plan plan = plan_of(TWO_CONTAINERS, 0);

	(void)state;
	cgroups_bind(cgroups, &plan);
	cgroups_add(cgroups, 1, "/kubepods/pod5c1f0e9d8b7a69584736251403f2e1d0/" CID_1);
	check_names(container_of_id(cgroups, 1), "shop", "cart-1", "app", "shop/app");
	cgroups_free(cgroups);
	plan_release(&plan);
}

static void a_path_of_the_plan_is_a_container_before_and_after_the_plan_comes(void **state)
{
	struct cgroups *cgroups = cgroups_new(10);
	struct plan plan = plan_of(BY_PATH, 0);

	(void)state;
	cgroups_add(cgroups, 1, "demo/till");
	cgroups_add(cgroups, 2, "/demo");
	cgroups_add(cgroups, 3, "/demo/tillage");
	assert_null(container_of_id(cgroups, 1));
	cgroups_bind(cgroups, &plan);
	cgroups_add(cgroups, 4, "/demo/till/" POD_B "/" CID_1);
	check_names(container_of_id(cgroups, 1), "shop", "till", "main", "shop/main");
	assert_string_equal(container_of_id(cgroups, 1)->pod_uid, "vm-1");
	assert_ptr_equal(container_of_id(cgroups, 4), container_of_id(cgroups, 1));
	assert_null(container_of_id(cgroups, 2));
	assert_null(container_of_id(cgroups, 3));
	cgroups_free(cgroups);
	plan_release(&plan);
}

static void names_stay_when_the_target_goes_but_the_class_does_not(void **state)
{
	struct cgroups *cgroups = cgroups_new(10);
	struct plan plan = plan_of(TWO_CONTAINERS, 0);

	(void)state;
	cgroups_add(cgroups, 1, POD_A "/" CID_1);
	cgroups_bind(cgroups, &plan);
	cgroups_bind(cgroups, NULL);
	plan_release(&plan);
	check_names(container_of_id(cgroups, 1), "shop", "cart-1", "app", "shop/app");
	assert_null(container_of_id(cgroups, 1)->class_id);
	cgroups_free(cgroups);
}

static void count_freed(void *ctx, const struct container *container)
{
	assert_int_not_equal(container->gone_ns, 0);
	*(uint32_t *)ctx = container->slot;
}

static void a_dead_cgroup_finds_its_pod_for_minutes(void **state)
{
	struct cgroups *cgroups = cgroups_new(10);
	uint32_t slot, freed = 0;

	(void)state;
	cgroups_add(cgroups, 1, POD_A "/" CID_1);
	cgroups_add(cgroups, 2, POD_A "/" CID_1 "/sub");
	slot = container_of_id(cgroups, 1)->slot;
	cgroups_gone(cgroups, 2, 5);
	assert_int_equal(container_of_id(cgroups, 2)->gone_ns, 0);
	cgroups_gone(cgroups, 1, 7);
	assert_int_equal(container_of_id(cgroups, 2)->gone_ns, 7);
	cgroups_reap(cgroups, 7 + CGROUP_TOMBSTONE_NS, count_freed, &freed);
	assert_int_equal(freed, 0);
	assert_non_null(container_of_id(cgroups, 1));
	cgroups_reap(cgroups, 8 + CGROUP_TOMBSTONE_NS, count_freed, &freed);
	assert_int_equal(freed, slot);
	assert_null(cgroups_find(cgroups, 1));
	assert_int_equal(cgroups_nr(cgroups), 0);
	assert_int_equal(cgroups_container_nr(cgroups), 0);
	cgroups_free(cgroups);
}

static void a_directory_made_again_is_another_container(void **state)
{
	struct cgroups *cgroups = cgroups_new(10);

	(void)state;
	cgroups_add(cgroups, 1, POD_A "/" CID_1);
	cgroups_gone(cgroups, 1, 5);
	cgroups_add(cgroups, 2, POD_A "/" CID_1);
	assert_int_not_equal(container_of_id(cgroups, 1)->slot, container_of_id(cgroups, 2)->slot);
	assert_int_equal(container_of_id(cgroups, 2)->gone_ns, 0);
	cgroups_free(cgroups);
}

static void a_full_scan_buries_what_it_did_not_see(void **state)
{
	struct cgroups *cgroups = cgroups_new(10);
	const uint64_t seen[] = { 2, 4 };

	(void)state;
	cgroups_add(cgroups, 1, POD_A);
	cgroups_add(cgroups, 2, POD_B);
	cgroups_add(cgroups, 3, "/user.slice");
	cgroups_add(cgroups, 4, "/system.slice");
	cgroups_keep_only(cgroups, seen, ARRAY_SIZE(seen), 9);
	assert_int_equal(cgroups_find(cgroups, 1)->gone_ns, 9);
	assert_int_equal(cgroups_find(cgroups, 2)->gone_ns, 0);
	assert_null(cgroups_find(cgroups, 3));
	assert_int_equal(cgroups_find(cgroups, 4)->gone_ns, 0);
	cgroups_free(cgroups);
}

static void a_container_without_a_slot_gets_the_first_that_is_free(void **state)
{
	struct cgroups *cgroups = cgroups_new(2);

	(void)state;
	cgroups_add(cgroups, 1, POD_A);
	cgroups_add(cgroups, 2, POD_B);
	assert_int_equal(container_of_id(cgroups, 1)->slot, 1);
	assert_int_equal(container_of_id(cgroups, 2)->slot, 0);
	assert_int_equal(cgroups_slots_missing(cgroups), 1);
	cgroups_gone(cgroups, 1, 5);
	assert_true(cgroups_reap(cgroups, 6 + CGROUP_TOMBSTONE_NS, NULL, NULL));
	assert_int_equal(container_of_id(cgroups, 2)->slot, 1);
	assert_int_equal(cgroups_slots_missing(cgroups), 0);
	cgroups_free(cgroups);
}

static void the_same_directory_seen_from_inside_a_namespace_is_no_rename(void **state)
{
	struct cgroups *cgroups = cgroups_new(4);

	(void)state;
	cgroups_add(cgroups, 1, "/kind" POD_A);
	assert_false(cgroups_add(cgroups, 1, POD_A));
	assert_string_equal(cgroups_find(cgroups, 1)->path, "/kind" POD_A);
	cgroups_add(cgroups, 2, "/old");
	assert_true(cgroups_add(cgroups, 2, POD_B));
	assert_non_null(container_of_id(cgroups, 2));
	cgroups_free(cgroups);
}

static void a_tenant_that_makes_and_removes_cgroups_costs_a_bounded_amount(void **state)
{
	struct cgroups *cgroups = cgroups_new(10);
	char path[300];

	(void)state;
	cgroups_add(cgroups, 1, POD_A "/" CID_1);
	for (uint64_t id = 2; id < 100000; id++) {
		snprintf(path, sizeof(path), POD_A "/" CID_1 "/%llu", (unsigned long long)id);
		cgroups_add(cgroups, id, path);
		cgroups_gone(cgroups, id, (int64_t)id);
	}
	assert_true(cgroups_nr(cgroups) <= CGROUPS_TOMBSTONES_MAX + 1);
	assert_int_equal(cgroups_container_nr(cgroups), 1);
	cgroups_reap(cgroups, 100000 + CGROUP_TOMBSTONE_NS, NULL, NULL);
	assert_int_equal(cgroups_nr(cgroups), 1);
	cgroups_free(cgroups);
}

static void too_many_or_too_long_is_refused_and_counted(void **state)
{
	struct cgroups *cgroups = cgroups_new(10);
	cleanup(freep) char *path = xmalloc(CGROUP_PATH_MAX + 2);

	(void)state;
	memset(path, 'x', CGROUP_PATH_MAX + 1);
	path[CGROUP_PATH_MAX + 1] = '\0';
	assert_false(cgroups_add(cgroups, 1, path));
	for (uint64_t id = 2; id < CGROUPS_LIVING_MAX + 2; id++)
		cgroups_add(cgroups, id, "/x");
	assert_int_equal(cgroups_refused(cgroups), 1);
	assert_false(cgroups_add(cgroups, 1, "/y"));
	assert_int_equal(cgroups_refused(cgroups), 2);
	cgroups_free(cgroups);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_below_a_container_shares_its_slot),
		cmocka_unit_test(a_container_is_whole_and_a_pod_is_not),
		cmocka_unit_test(the_plan_names_containers_by_id_uid_and_default),
		cmocka_unit_test(a_pod_of_one_container_needs_no_container_id),
		cmocka_unit_test(a_container_id_finds_a_pod_whose_uid_the_path_does_not_tell),
		cmocka_unit_test(a_path_of_the_plan_is_a_container_before_and_after_the_plan_comes),
		cmocka_unit_test(names_stay_when_the_target_goes_but_the_class_does_not),
		cmocka_unit_test(a_dead_cgroup_finds_its_pod_for_minutes),
		cmocka_unit_test(a_directory_made_again_is_another_container),
		cmocka_unit_test(a_full_scan_buries_what_it_did_not_see),
		cmocka_unit_test(a_container_without_a_slot_gets_the_first_that_is_free),
		cmocka_unit_test(the_same_directory_seen_from_inside_a_namespace_is_no_rename),
		cmocka_unit_test(a_tenant_that_makes_and_removes_cgroups_costs_a_bounded_amount),
		cmocka_unit_test(too_many_or_too_long_is_refused_and_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
