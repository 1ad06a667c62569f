/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "lib/core/control/opamp.h"

#define U "\x0a\x10\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10"

static const uint8_t uid[OPAMP_UID_BYTES] = {
	1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16
};

/* Field numbers by the specification: a mistake in our .proto changes these bytes. */
static void an_agents_message_has_the_bytes_that_the_specification_says(void **state)
{
	static const char golden[] = "\0" U "\x10\x05" /* 2: sequence_num */
				     "\x20\x83\x20"    /* 4: capabilities */
				     "\x3a\x08\x10\x03\x1a\x04"
				     "full"		/* 7: status FAILED, error_message */
				     "\x4a\x00"		/* 9: agent_disconnect */
				     "\x6a\x20\x0a\x15" /* 13: custom_message */
				     "dev.rubato.control/v1\x12\x07"
				     "applied";
	struct opamp_from_agent msg = { .seq = 5,
					.capabilities = 0x1003,
					.has_status = true,
					.status = OPAMP_FAILED,
					.error = "full",
					.leaving = true,
					.custom.type = "applied" };
	uint8_t *bytes;
	size_t len;

	(void)state;
	memcpy(msg.uid, uid, sizeof(uid));
	bytes = opamp_from_agent_pack(&msg, 3, &len);
	assert_memory_equal(bytes + 3, golden, MIN(len, sizeof(golden) - 1));
	assert_int_equal(len, sizeof(golden) - 1);
	free(bytes);
}

static void a_controllers_message_has_the_bytes_that_the_specification_says(void **state)
{
	static const char golden[] =
		"\0" U "\x1a\x49\x0a\x25\x0a\x23" /* 3: remote_config */
		"\x0a\x09plan.json\x12\x16\x0a\x02{}\x12\x10"
		"application/json\x12\x20"
		"\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab"
		"\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab"
		"\x38\x03"; /* 7: capabilities */
	struct opamp_to_agent msg = { .capabilities = 3, .plan = (char *)"{}", .plan_len = 2 };
	uint8_t *bytes;
	size_t len;

	(void)state;
	memcpy(msg.uid, uid, sizeof(uid));
	for (size_t i = 0; i < PLAN_HASH_HEX - 1; i++)
		msg.hash[i] = i % 2 ? 'b' : 'a';
	bytes = opamp_to_agent_pack(&msg, 0, &len);
	assert_int_equal(len, sizeof(golden) - 1);
	assert_memory_equal(bytes, golden, len);
	free(bytes);
}

static void check(const char *bytes, size_t len, const char *sentence)
{
	struct opamp_from_agent msg;
	struct err err = ERR_INIT;

	assert_true(opamp_from_agent_unpack((const uint8_t *)bytes, len, &msg, &err) < 0);
	assert_string_equal(err.text, sentence);
}

static void what_is_no_message_is_refused_with_a_sentence(void **state)
{
	(void)state;
	check("", 0, "an empty message");
	check("\1" U, 19, "header byte 1, expected 0");
	check("\0\xff", 2, "not an AgentToServer message");
	check("\0", 1, "instance_uid: not 16 bytes, or all zero");
	check("\0" U "\x3a\x03\x1a\x01\xff", 24, "remote_config_status.error_message: not UTF-8");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_agents_message_has_the_bytes_that_the_specification_says),
		cmocka_unit_test(a_controllers_message_has_the_bytes_that_the_specification_says),
		cmocka_unit_test(what_is_no_message_is_refused_with_a_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
