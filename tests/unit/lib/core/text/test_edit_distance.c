/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "lib/core/text/edit_distance.h"

static void check(const char *a, const char *b, size_t distance)
{
	assert_int_equal(edit_distance(a, strlen(a), b, strlen(b)), distance);
	assert_int_equal(edit_distance(b, strlen(b), a, strlen(a)), distance);
}

static void it_counts_the_least_edits(void **state)
{
	(void)state;
	check("", "", 0);
	check("", "abc", 3);
	check("listen", "listen", 0);
	check("listen", "litsen", 2);
	check("sampleRateHz", "samplerate", 2);
	check("kitten", "sitting", 3);
	check("saturday", "sunday", 3);
}

static void no_more_is_read_than_the_lengths_say(void **state)
{
	(void)state;
	assert_int_equal(edit_distance("listen=1", 6, "listen", 6), 0);
}

static void long_words_are_far_from_everything(void **state)
{
	char word[EDIT_WORD_BYTES + 1];

	(void)state;
	memset(word, 'a', sizeof(word));
	assert_int_equal(edit_distance(word, EDIT_WORD_BYTES, word, EDIT_WORD_BYTES), 0);
	assert_true(edit_distance(word, sizeof(word), word, sizeof(word)) == EDIT_FAR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_counts_the_least_edits),
		cmocka_unit_test(no_more_is_read_than_the_lengths_say),
		cmocka_unit_test(long_words_are_far_from_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
