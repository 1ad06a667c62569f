/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "lib/core/hash.h"

static const uint64_t key[2] = { 0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL };

static uint64_t keyed(size_t nr, const char *const *text)
{
	struct hash_keyed hash;

	hash_keyed_init(&hash, key);
	for (size_t i = 0; i < nr; i++)
		hash_keyed_add(&hash, text[i], strlen(text[i]));
	return hash_keyed_end(&hash);
}

/* By a program of its own, whose rounds give the vector of SipHash's paper. */
static void keyed_is_siphash_1_3(void **state)
{
	(void)state;
	assert_true(keyed(0, NULL) == 0xb488fcf41c8cc5deULL);
	assert_true(keyed(1, (const char *[]){ "" }) == 0xabac0158050fc4dcULL);
	assert_true(keyed(1, (const char *[]){ "12345678" }) == 0xae0e3d5654eaf393ULL);
	assert_true(keyed(2, (const char *[]){ "default", "web-0" }) == 0x5eecee4106cef1bdULL);
}

static void where_a_part_ends_counts(void **state)
{
	(void)state;
	assert_true(keyed(2, (const char *[]){ "ab", "c" }) !=
		    keyed(2, (const char *[]){ "a", "bc" }));
	assert_true(keyed(1, (const char *[]){ "a" }) != keyed(2, (const char *[]){ "a", "" }));
}

static void another_key_is_another_hash(void **state)
{
	struct hash_keyed hash;

	(void)state;
	hash_keyed_init(&hash, (const uint64_t[]){ key[0] ^ 1, key[1] });
	hash_keyed_add(&hash, "12345678", 8);
	assert_true(hash_keyed_end(&hash) != 0xae0e3d5654eaf393ULL);
}

/* Tables take the low bits, some the high ones: of 4,096 near values each quarter of the bits has few twins. */
static void check_spread(uint64_t (*of)(uint64_t value))
{
	for (int shift = 0; shift < 64; shift += 16) {
		uint8_t seen[65536] = { 0 };
		size_t twins = 0;

		for (uint64_t i = 0; i < 4096; i++)
			twins += seen[of(i) >> shift & 0xffff]++ != 0;
		assert_in_range(twins, 40, 250); /* chance gives 126 */
	}
}

static uint64_t of_text(uint64_t value)
{
	char text[] = "pod-0000";

	for (size_t i = sizeof(text) - 2; i > 3; i--, value /= 10)
		text[i] = (char)('0' + value % 10);
	return hash_bytes(text, sizeof(text) - 1);
}

static void near_values_are_far_apart(void **state)
{
	(void)state;
	check_spread(hash_u64);
	check_spread(of_text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keyed_is_siphash_1_3),
		cmocka_unit_test(where_a_part_ends_counts),
		cmocka_unit_test(another_key_is_another_hash),
		cmocka_unit_test(near_values_are_far_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
