/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/control/control_msg.h"

/* The examples of docs/protocol.md, read by what reads the wire. */

#define EXAMPLES_MAX 16
#define NOW (1000 * NSEC_PER_SEC)

static char example[EXAMPLES_MAX][4096];
static size_t example_nr;

/* An example begins with "    {" and goes on with every line that is as far in. */
static int setup(void **state)
{
	FILE *file = fopen("docs/protocol.md", "re");
	bool inside = false;
	char line[1024];

	(void)state;
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, "    {\"", 6) == 0)
			assert_true(++example_nr <= EXAMPLES_MAX);
		inside = strncmp(line, "    {\"", 6) == 0 ||
			 (inside && strncmp(line, "    ", 4) == 0);
		if (inside)
			strncat(example[example_nr - 1], line,
				sizeof(example[0]) - strlen(example[example_nr - 1]) - 1);
	}
	fclose(file);
	return 0;
}

static json_t *read_head(size_t i, struct control_head *ret_head)
{
	json_t *json = NULL;
	struct err err = ERR_INIT;

	if (control_head_unpack(example[i], strlen(example[i]), ret_head, &json, &err) < 0)
		fail_msg("example %zu: %s", i, err.text);
	return json;
}

static void check_hash(const struct plan *plan, const char *hash)
{
	char hex[PLAN_HASH_HEX];

	plan_hash(plan, hex);
	assert_string_equal(hex, hash);
}

static void there_is_one_of_each(void **state)
{
	(void)state;
	assert_int_equal(example_nr, 7); /* session, plan, delta, ttl, three applied */
}

static void the_session(void **state)
{
	struct control_session session;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(control_session_unpack(example[0], strlen(example[0]), &session, &err), 0);
	assert_string_equal(session.node, "worker-1");
	assert_int_equal(session.ttl_ms, 90000);
	assert_int_equal(session.epoch.n, 3);
}

static void the_plan_the_delta_to_it_and_the_clocks(void **state)
{
	struct control_head head, next, clocks;
	json_t *plan_json = read_head(1, &head), *delta_json = read_head(2, &next);
	json_t *ttl_json = read_head(3, &clocks);
	struct plan plan, to;
	struct err err = ERR_INIT;

	(void)state;
	if (plan_from_json(plan_json, NOW, &plan, &err) < 0)
		fail_msg("plan: %s", err.text);
	check_hash(&plan, head.hash);
	assert_int_equal(plan_find_class(&plan, "pay")->step[0].rate_hz, 100);
	assert_string_equal(next.base, head.hash);
	if (plan_delta_apply(&plan, delta_json, NOW, &to, &err) < 0)
		fail_msg("delta: %s", err.text);
	check_hash(&to, next.hash);
	assert_int_equal(plan_find_class(&to, "pay")->step[0].rate_hz, 49);
	assert_int_equal(plan_refresh_boosts(&to, json_object_get(ttl_json, "boosts"), NOW, &err),
			 1);
	assert_int_equal(to.boost[0].expires_ns, NOW + 870 * NSEC_PER_SEC);
	plan_release(&plan);
	plan_release(&to);
	json_decref(plan_json);
	json_decref(delta_json);
	json_decref(ttl_json);
}

static void the_answers(void **state)
{
	struct control_applied applied;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(control_applied_unpack(example[4], strlen(example[4]), &applied, &err), 0);
	assert_int_equal(applied.result, CONTROL_OK);
	assert_int_equal(applied.gen, 2);
	assert_int_equal(control_applied_unpack(example[5], strlen(example[5]), &applied, &err), 0);
	assert_int_equal(applied.result, CONTROL_FAILED);
	assert_int_equal(applied.reason, CONTROL_REASON_APPLY);
	assert_string_equal(applied.error, "the map is full");
	assert_int_equal(control_applied_unpack(example[6], strlen(example[6]), &applied, &err), 0);
	assert_int_equal(applied.gen, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_is_one_of_each),
		cmocka_unit_test(the_session),
		cmocka_unit_test(the_plan_the_delta_to_it_and_the_clocks),
		cmocka_unit_test(the_answers),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
