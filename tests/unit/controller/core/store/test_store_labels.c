/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/core/limits.h"
#include "tests/unit/controller/world.h"

/* The share of labels that a namespace has. */

#define MANY 24 /* pods of a namespace, at most */

static char value[LIMIT_NS_LABEL_BYTES];

/* Its labels have `bytes` bytes, as labels_size() counts them. */
static void put_pod(struct store *store, const char *ns, int nr, size_t bytes)
{
	char name[16];
	json_t *pod = json_pack("{ssss}", "apiVersion", "v1", "kind", "Pod");
	json_t *labels = json_pack("{ss%}", "x", value, bytes - 3);

	assert_non_null(labels);
	snprintf(name, sizeof(name), "p%d", nr);
	set(pod, "metadata",
	    json_pack("{ssssso}", "name", name, "namespace", ns, "labels", labels));
	set(pod, "spec", json_pack("{sss[{ss}]}", "nodeName", "n1", "containers", "name", "app"));
	store_apply(store, world_object(pod));
}

static const struct object *get_pod(const struct store *store, const char *ns, int nr)
{
	char name[16];

	snprintf(name, sizeof(name), "p%d", nr);
	return store_find(store, OBJECT_POD, ns, name);
}

static void delete_pod(struct store *store, const char *ns, int nr)
{
	char name[16];

	snprintf(name, sizeof(name), "p%d", nr);
	store_delete(store, OBJECT_POD, ns, name);
}

static void check_labels(const struct store *store, const char *ns, int nr, bool has)
{
	const struct object *pod = get_pod(store, ns, nr);

	assert_non_null(pod);
	assert_int_equal(labels_get(pod->labels, "x") != NULL, has);
	assert_int_equal(pod->pod.lost, has ? 0 : 1U << POD_LOST_LABELS);
}

#define HALF ((size_t)LIMIT_NS_LABEL_BYTES / 2)

static void what_is_beyond_the_share_is_kept_without_labels(void **state)
{
	struct store *store = store_new();

	(void)state;
	put_pod(store, "alice", 0, HALF);
	put_pod(store, "alice", 1, HALF);
	put_pod(store, "alice", 2, 4);
	put_pod(store, "bob", 0, HALF); /* his share is his */
	check_labels(store, "alice", 0, true);
	check_labels(store, "alice", 1, true);
	check_labels(store, "alice", 2, false);
	check_labels(store, "bob", 0, true);
	store_free(store);
}

static void a_pod_that_changes_when_there_is_room_has_labels_again(void **state)
{
	struct store *store = store_new();

	(void)state;
	put_pod(store, "alice", 0, 2 * HALF);
	put_pod(store, "alice", 1, HALF);
	check_labels(store, "alice", 1, false);
	put_pod(store, "alice", 0, HALF); /* its own are no obstacle to it */
	check_labels(store, "alice", 0, true);
	put_pod(store, "alice", 1, HALF);
	check_labels(store, "alice", 1, true);
	delete_pod(store, "alice", 0);
	delete_pod(store, "alice", 1);
	put_pod(store, "alice", 2, 2 * HALF);
	check_labels(store, "alice", 2, true);
	store_free(store);
}

static void a_pod_that_lost_its_labels_is_news(void **state)
{
	struct store *store = store_new();
	struct touch touch;
	json_t *bare = json_pack("{ssss s{ssss} s{sss[{ss}]}}", "apiVersion", "v1", "kind", "Pod",
				 "metadata", "name", "p1", "namespace", "alice", "spec", "nodeName",
				 "n1", "containers", "name", "app");

	(void)state;
	put_pod(store, "alice", 0, 2 * HALF);
	put_pod(store, "alice", 1, HALF);
	touch = store_apply(store, world_object(bare));
	assert_int_equal(touch.scope, TOUCH_PODS);
	store_free(store);
}

/* What is kept in all, by pods that have labels; each has all of its own, or none and says so. */
static size_t kept(const struct store *store, const char *ns, const size_t bytes[MANY])
{
	size_t sum = 0;

	for (int i = 0; i < MANY; i++) {
		const struct object *pod = get_pod(store, ns, i);
		size_t size = pod ? labels_size(pod->labels) : 0;

		assert_int_equal(pod != NULL, bytes[i] != 0);
		if (pod)
			assert_int_equal(size ? size : bytes[i], bytes[i]);
		if (pod)
			assert_int_equal(pod->pod.lost, size ? 0 : 1U << POD_LOST_LABELS);
		sum += size;
	}
	return sum;
}

static void whatever_comes_and_goes_no_namespace_has_more_than_its_share(void **state)
{
	size_t lost = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 10; seed++) {
		struct random random = { seed };
		struct store *store = store_new();
		size_t alice[MANY] = { 0 }, bob[MANY] = { 0 };

		for (int i = 0; i < 200; i++) {
			int nr = (int)random_below(&random, MANY);

			/* Bob needs no more than his share, and has all of it. */
			bob[nr] = 4 + random_below(&random, LIMIT_NS_LABEL_BYTES / MANY - 4);
			put_pod(store, "bob", nr, bob[nr]);
			alice[nr] = random_chance(&random, 30)
					    ? 0
					    : 4 + random_below(&random, LIMIT_NS_LABEL_BYTES / 4);
			if (alice[nr])
				put_pod(store, "alice", nr, alice[nr]);
			else
				delete_pod(store, "alice", nr);
			assert_true(kept(store, "alice", alice) <= LIMIT_NS_LABEL_BYTES);
			check_labels(store, "bob", nr, true);
			if (alice[nr])
				lost += get_pod(store, "alice", nr)->pod.lost != 0;
		}
		for (int i = 0; i < MANY; i++)
			delete_pod(store, "alice", i);
		put_pod(store, "alice", 0,
			LIMIT_NS_LABEL_BYTES); /* nothing is left on the account */
		check_labels(store, "alice", 0, true);
		store_free(store);
	}
	assert_true(lost > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_beyond_the_share_is_kept_without_labels),
		cmocka_unit_test(a_pod_that_changes_when_there_is_room_has_labels_again),
		cmocka_unit_test(a_pod_that_lost_its_labels_is_news),
		cmocka_unit_test(whatever_comes_and_goes_no_namespace_has_more_than_its_share),
	};

	memset(value, 'v', sizeof(value));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
