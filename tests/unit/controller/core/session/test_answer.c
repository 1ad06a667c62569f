/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "controller/core/session/answer.h"

#define HASH "0be400000000000000000000000000000000000000000000000000000000cafe"

static const struct hub_fsm fsm = { .gen = 7 };

static struct control_applied read_answer(const struct opamp_from_agent *msg)
{
	struct control_applied applied = { .gen = 99 };
	struct err err = ERR_INIT;

	assert_int_equal(answer_read(msg, &fsm, &applied, &err), 0);
	return applied;
}

static void our_own_words_are_taken_as_they_are(void **state)
{
	const struct control_applied said = { .gen = 3, .hash = HASH, .result = CONTROL_PARTIAL };
	struct opamp_from_agent msg = { .has_status = true, .status = OPAMP_FAILED };
	struct control_applied applied;

	(void)state;
	strcpy(msg.custom.type, CONTROL_APPLIED);
	msg.custom.body = control_applied_pack(&said);
	msg.custom.body_len = strlen(msg.custom.body);
	applied = read_answer(&msg);
	assert_int_equal(applied.gen, 3);
	assert_int_equal(applied.result, CONTROL_PARTIAL);
	assert_string_equal(applied.hash, HASH);
	opamp_from_agent_release(&msg);
}

static void a_status_alone_answers_the_last_plan(void **state)
{
	struct control_applied applied = read_answer(&(struct opamp_from_agent){
		.has_status = true, .status = OPAMP_APPLIED, .hash = HASH });

	(void)state;
	assert_int_equal(applied.gen, 7);
	assert_int_equal(applied.result, CONTROL_OK);
	assert_string_equal(applied.have, HASH);
}

static void a_failed_status_alone_is_a_refusal_with_its_words(void **state)
{
	struct control_applied applied = read_answer(&(struct opamp_from_agent){
		.has_status = true, .status = OPAMP_FAILED, .hash = HASH, .error = "no room" });

	(void)state;
	assert_int_equal(applied.result, CONTROL_FAILED);
	assert_int_equal(applied.reason, CONTROL_REASON_APPLY);
	assert_string_equal(applied.have, "");
	assert_string_equal(applied.error, "no room");
}

static void a_message_about_something_else_says_nothing_of_plans(void **state)
{
	struct control_applied applied = read_answer(&(struct opamp_from_agent){ .seq = 5 });

	(void)state;
	assert_int_equal(applied.gen, 0);
	assert_string_equal(applied.hash, "");
}

static void an_empty_first_message_lacks_the_state(void **state)
{
	(void)state;
	assert_true(answer_lacks_state(&(struct opamp_from_agent){ .seq = 5 }));
	assert_false(answer_lacks_state(&(struct opamp_from_agent){ .has_description = true }));
	assert_false(answer_lacks_state(&(struct opamp_from_agent){ .has_status = true }));
	assert_false(answer_lacks_state(
		&(struct opamp_from_agent){ .custom = { .type = CONTROL_APPLIED } }));
}

static void nonsense_is_refused(void **state)
{
	char body[] = "[]";
	const struct opamp_from_agent msg = {
		.custom = { .type = CONTROL_APPLIED, .body = body, .body_len = 2 }
	};
	struct control_applied applied = { .gen = 99 };
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(answer_read(&msg, &fsm, &applied, &err), -EPROTO);
	assert_int_equal(applied.gen, 99);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_own_words_are_taken_as_they_are),
		cmocka_unit_test(a_status_alone_answers_the_last_plan),
		cmocka_unit_test(a_failed_status_alone_is_a_refusal_with_its_words),
		cmocka_unit_test(a_message_about_something_else_says_nothing_of_plans),
		cmocka_unit_test(an_empty_first_message_lacks_the_state),
		cmocka_unit_test(nonsense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
