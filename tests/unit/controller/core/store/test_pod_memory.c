/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <malloc.h>

#include "controller/core/object/cid.h"
#include "controller/core/store/pod_pack.h"
#include "tests/unit/controller/world.h"

#define PODS 20000
#define APP_PODS 10 /* of one application: the same labels, on different nodes */
#define NODE_PODS 30
#define NS_PODS 300
#define BYTES_MAX 400

/* As a Deployment makes it, with a sidecar; bench/scale/fill/pod.json is the same kind of pod. */
static struct object *typical_pod(int i, const char *more_labels)
{
	int app = i / APP_PODS;
	cleanup(freep) char *text = xasprintf(
		"{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"namespace\":\"team-%03d\","
		"\"name\":\"service-%04d-7d9c5b8f64-%05x\",\"uid\":\"%08x-1111-4222-8333-"
		"444455556666\","
		"\"creationTimestamp\":\"2026-01-12T08:15:42Z\",\"labels\":{%s\"app.kubernetes.io/"
		"name\":\"service-%04d\","
		"\"app.kubernetes.io/"
		"part-of\":\"team-%03d\",\"pod-template-hash\":\"7d9c5b8f64\",\"tier\":\"backend\","
		"\"version\":\"v1.42.0\"}},\"spec\":{\"nodeName\":\"node-%04d.eu-1.example.com\","
		"\"containers\":"
		"[{\"name\":\"app\"},{\"name\":\"proxy\"}]},\"status\":{\"phase\":\"Running\","
		"\"containerStatuses\":"
		"[{\"name\":\"app\",\"containerID\":\"containerd://%064x\"},"
		"{\"name\":\"proxy\",\"containerID\":\"containerd://f%063x\"}]}}",
		i / NS_PODS, app, i, i, more_labels, app, i / NS_PODS, i % (PODS / NODE_PODS), i,
		i);

	return world_object_text(text);
}

static size_t used_bytes(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

static void a_typical_pod_takes_at_most_400_bytes_all_in(void **state)
{
	size_t before = used_bytes();
	struct store *store;

	(void)state;
	if (!before) /* a sanitizer's malloc does not tell */
		skip();
	store = store_new();
	for (int i = 0; i < PODS; i++)
		store_apply(store, typical_pod(i, ""));
	print_message("%zu bytes a pod\n", (used_bytes() - before) / PODS);
	assert_in_range((used_bytes() - before) / PODS, 1, BYTES_MAX);
	store_free(store);
}

/* Also when pods come, change and go in any order: the store's own check that all texts were given back. */
static void what_pods_have_in_common_goes_with_the_last_of_them(void **state)
{
	struct store *store = store_new();

	(void)state;
	for (int i = 0; i < 200; i++)
		store_apply(store, typical_pod(i * 7 % 100, i < 100 ? "" : "\"a\":\"b\","));
	for (int i = 0; i < 50; i++) {
		struct object *pod = typical_pod(i, "");

		assert_int_equal(store_delete(store, OBJECT_POD, pod->ns, pod->name).scope,
				 TOUCH_PODS);
		object_free(pod);
	}
	store_free(store);
}

static void equal_texts_are_one(void **state)
{
	struct shared_texts *texts = shared_texts_new();
	char *a = shared_text_take(texts, "key\0value\0", 10);
	char *b = shared_text_take(texts, "key\0other\0", 10);
	char *c = shared_text_take(texts, "key\0value\0", 10);

	(void)state;
	assert_ptr_equal(a, c);
	assert_ptr_not_equal(a, b);
	assert_memory_equal(b, "key\0other\0", 11);
	shared_text_give_back(texts, a);
	assert_string_equal(c + 4, "value");
	shared_text_give_back(texts, c);
	shared_text_give_back(texts, b);
	shared_text_give_back(texts, NULL);
	shared_texts_free(texts);
}

static void container_ids_of_any_length_are_the_same_after_packing(void **state)
{
	static const char digits[] =
		"0123456789abcdef0123456789abcdeffedcba9876543210fedcba9876543210";

	(void)state;
	for (size_t len = 1; len <= CID_DIGITS_MAX; len++) {
		cleanup(freep) char *text = xstrndup(digits, len);
		cleanup(freep) uint8_t *cid = cid_pack(text);
		cleanup(freep) char *again = cid_text(cid);

		assert_string_equal(again, text);
		assert_int_equal(cid_bytes(cid), 1 + (len + 1) / 2);
		assert_true(cid_equal(cid, cid));
		assert_false(cid_equal(cid, NULL));
	}
	assert_true(cid_equal(NULL, NULL));
	assert_null(cid_text(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_typical_pod_takes_at_most_400_bytes_all_in),
		cmocka_unit_test(what_pods_have_in_common_goes_with_the_last_of_them),
		cmocka_unit_test(equal_texts_are_one),
		cmocka_unit_test(container_ids_of_any_length_are_the_same_after_packing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
