/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "controller/core/object/manifest.h"
#include "lib/core/limits.h"

#define HEAD "apiVersion: profiling.rubato.dev/v1alpha1\nkind: ProfilingPolicy\n"
#define GOOD HEAD "metadata: {name: a, namespace: n}\nspec: {sampleRateHz: 10}\n"

static void refused(const char *text, size_t len, const char *part)
{
	struct manifest manifest = { 0 };
	struct err err = ERR_INIT;

	assert_true(manifest_parse(text, len, &manifest, &err) < 0);
	if (!strstr(err.text, part))
		fail_msg("\"%s\" does not say \"%s\"", err.text, part);
}

static void a_refusal_names_line_object_and_field(void **state)
{
	static const struct {
		const char *text, *part;
	} table[] = {
		{ HEAD "metadata: {name: a, namespace: n}\nspec:\n  sampleRateHz: 201\n",
		  "line 5: ProfilingPolicy n/a: spec.sampleRateHz: 201" },
		{ "# a comment\n---\n" GOOD "---\n" HEAD
		  "metadata: {name: b, namespace: n}\nspec:\n  duration: 1x\n  sampleRateHz: 1\n",
		  "line 12: ProfilingPolicy n/b: spec.duration:" },
		{ HEAD "metadata: {name: a, namespace: n}\nspec: {sampleRate: 10}\n",
		  "did you mean sampleRateHz?" },
		{ HEAD "metadata: {name: A_B, namespace: n}\nspec: {}\n", "metadata.name:" },
		{ "kind: List\napiVersion: v1\nitems:\n- {apiVersion: v1, kind: Node, metadata: "
		  "{name: x}}\n- kind: Pod\n",
		  "line 5: apiVersion: is missing" },
		{ GOOD "---\n" GOOD, "line 6: ProfilingPolicy n/a is already defined on line 1" },
		{ "just text\n", "line 1: an object must be a map" },
		{ "a: [\n", "line 2:" },
		{ "a: 1\nb: 2\na: 3\n", "line 3:" },
		{ "a: &x [1]\nb: *x\n", "line 2:" },
		{ "a: \"\xff\xfe\"\n", "UTF-8" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		refused(table[i].text, strlen(table[i].text), table[i].part);
}

static void two_megabytes_are_refused_before_they_are_looked_at(void **state)
{
	size_t len = 2 * LIMIT_MANIFEST_BYTES;
	cleanup(freep) char *text = xmalloc(len);

	(void)state;
	memset(text, ' ', len);
	refused(text, len, "1048576");
}

static void deep_nesting_is_refused(void **state)
{
	char text[200001];

	(void)state;
	memset(text, '[', 200000);
	text[200000] = '\0';
	refused(text, 200000, "line 1:");
}

static void aliases_do_not_explode(void **state)
{
	static const char text[] = "a: &a [x, x, x, x, x, x, x, x, x]\n"
				   "b: &b [*a, *a, *a, *a, *a, *a, *a, *a]\n"
				   "c: &c [*b, *b, *b, *b, *b, *b, *b, *b]\n"
				   "d: [*c, *c, *c, *c, *c, *c, *c, *c]\n";

	(void)state;
	refused(text, strlen(text), "line 2:");
}

static void the_spec_hash_is_of_what_it_says_not_how(void **state)
{
	static const char *const same[] = {
		HEAD "metadata: {name: a, namespace: n}\nspec: {sampleRateHz: 10, duration: 15s}\n",
		HEAD "metadata:\n  name: a\n  namespace: n\nspec:\n  duration: \"15s\"\n  "
		     "sampleRateHz: 0xa # ten\n",
	};
	static const char other[] =
		HEAD "metadata: {name: a, namespace: n}\nspec: {sampleRateHz: 11, duration: 15s}\n";
	struct manifest a = { 0 }, b = { 0 }, c = { 0 };

	(void)state;
	assert_int_equal(manifest_parse(same[0], strlen(same[0]), &a, NULL), 0);
	assert_int_equal(manifest_parse(same[1], strlen(same[1]), &b, NULL), 0);
	assert_int_equal(manifest_parse(other, strlen(other), &c, NULL), 0);
	assert_string_equal(a.doc[0].spec_hash, b.doc[0].spec_hash);
	assert_string_not_equal(a.doc[0].spec_hash, c.doc[0].spec_hash);
	assert_string_equal(a.doc[0].key, "ProfilingPolicy n/a");
	manifest_release(&a);
	manifest_release(&b);
	manifest_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refusal_names_line_object_and_field),
		cmocka_unit_test(two_megabytes_are_refused_before_they_are_looked_at),
		cmocka_unit_test(deep_nesting_is_refused),
		cmocka_unit_test(aliases_do_not_explode),
		cmocka_unit_test(the_spec_hash_is_of_what_it_says_not_how),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
