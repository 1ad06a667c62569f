/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "lib/core/text/encode.h"

/* The test vectors of RFC 4648, section 10. */
static const char *const vector[][2] = {
	{ "", "" },
	{ "f", "Zg==" },
	{ "fo", "Zm8=" },
	{ "foo", "Zm9v" },
	{ "foob", "Zm9vYg==" },
	{ "fooba", "Zm9vYmE=" },
	{ "foobar", "Zm9vYmFy" },
};

static void base64_is_as_the_rfc_has_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(vector); i++) {
		cleanup(freep) char *text = base64_encode(vector[i][0], strlen(vector[i][0]));
		char bytes[BASE64_BYTES(8)];
		ptrdiff_t nr = base64_decode(vector[i][1], strlen(vector[i][1]), bytes);

		assert_string_equal(text, vector[i][1]);
		assert_int_equal(nr, strlen(vector[i][0]));
		assert_memory_equal(bytes, vector[i][0], (size_t)nr);
	}
}

static void base64url_has_no_padding(void **state)
{
	char bytes[BASE64_BYTES(8)];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(vector); i++) {
		ptrdiff_t nr = base64url_decode(vector[i][1], strcspn(vector[i][1], "="), bytes);

		assert_int_equal(nr, strlen(vector[i][0]));
		assert_memory_equal(bytes, vector[i][0], (size_t)nr);
	}
	assert_int_equal(base64url_decode("Zg==", 4, bytes), -1);
}

static void every_byte_comes_back(void **state)
{
	char bytes[256], back[BASE64_BYTES(344)], hex[2 * 256 + 1];
	cleanup(freep) char *text = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 167 + 13);
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		free(text);
		text = base64_encode(bytes, len);
		assert_int_equal(base64_decode(text, strlen(text), back), len);
		assert_memory_equal(back, bytes, len);
		hex_encode(bytes, len, hex);
		assert_int_equal(strlen(hex), 2 * len);
		assert_true(hex_decode(hex, back, len));
		assert_memory_equal(back, bytes, len);
	}
}

static void what_is_not_base64_is_refused(void **state)
{
	static const char *const bad[] = {
		"Z",
		"Zg",
		"Zg=",
		"Zg===",
		"=",
		"==",
		"====",
		"Z===",
		"=Zg=",
		"Z=g=",
		"Zm9v\n",
		"Zm 9",
		" Zm9v",
		"Zm9-",
		"Zm9_",
		"Zg==Zg==",
		"Zm9v!",
		"Zm\xff"
		"v",
	};
	char bytes[BASE64_BYTES(16)];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(base64_decode(bad[i], strlen(bad[i]), bytes), -1);
	assert_int_equal(base64_decode("Zm\0v", 4, bytes), -1);
	assert_int_equal(base64url_decode("Zm9+", 4, bytes), -1);
	assert_int_equal(base64url_decode("Zm9vY", 5, bytes), -1);
}

static void the_alphabets_differ_in_two_characters(void **state)
{
	uint8_t bytes[BASE64_BYTES(4)];

	(void)state;
	assert_int_equal(base64_decode("+/+/", 4, bytes), 3);
	assert_memory_equal(bytes, "\xfb\xff\xbf", 3);
	assert_int_equal(base64url_decode("-_-_", 4, bytes), 3);
	assert_memory_equal(bytes, "\xfb\xff\xbf", 3);
	assert_int_equal(base64url_span("a-_Z9.b", 7), 5);
	assert_int_equal(base64url_span("a-_Z9.b", 3), 3);
	assert_int_equal(base64url_span("a+", 2), 1);
}

static void hex_takes_both_cases_and_nothing_else(void **state)
{
	uint8_t bytes[2] = { 0 };

	(void)state;
	assert_true(hex_decode("aF09", bytes, 2));
	assert_memory_equal(bytes, "\xaf\x09", 2);
	assert_false(hex_decode("aF0", bytes, 2));
	assert_false(hex_decode("", bytes, 1));
	assert_false(hex_decode("g0", bytes, 1));
	assert_false(hex_decode("0x", bytes, 1));
	for (int c = 0; c < 256; c++)
		assert_int_equal(hex_value((char)c) >= 0,
				 c && strchr("0123456789abcdefABCDEF", c) != NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base64_is_as_the_rfc_has_it),
		cmocka_unit_test(base64url_has_no_padding),
		cmocka_unit_test(every_byte_comes_back),
		cmocka_unit_test(what_is_not_base64_is_refused),
		cmocka_unit_test(the_alphabets_differ_in_two_characters),
		cmocka_unit_test(hex_takes_both_cases_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
