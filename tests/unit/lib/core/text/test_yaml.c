/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "lib/core/text/yaml.h"
#include "lib/core/limits.h"

static struct yaml_stream parse(const char *text)
{
	struct yaml_stream stream = { 0 };
	struct err err = ERR_INIT;

	if (yaml_parse(text, strlen(text), &stream, &err) < 0)
		fail_msg("%s", err.text);
	return stream;
}

/* `text` is one document whose JSON is `expected`. */
static void check(const char *text, const char *expected)
{
	cleanup(yaml_release) struct yaml_stream stream = parse(text);
	char *json;

	assert_int_equal(stream.doc_nr, 1);
	json = json_dumps(stream.doc[0].root, JSON_COMPACT | JSON_ENCODE_ANY);
	assert_string_equal(json, expected);
	free(json);
}

static void check_refused(const char *text, int code, const char *sentence)
{
	struct yaml_stream stream;
	struct err err = ERR_INIT;

	assert_int_equal(yaml_parse(text, strlen(text), &stream, &err), code);
	assert_string_equal(err.text, sentence);
}

static void a_byte_order_mark_is_none_of_the_text(void **state)
{
	(void)state;
	check("\xef\xbb\xbf"
	      "a: 1\nb: 2",
	      "{\"a\":1,\"b\":2}");
	check("\xef\xbb\xbf{\"a\": 1}", "{\"a\":1}");
	check_refused("\xff\xfe"
		      "a",
		      -EINVAL, "is UTF-16; save it as UTF-8");
	check_refused("\xfe\xff"
		      "a",
		      -EINVAL, "is UTF-16; save it as UTF-8");
}

static void plain_scalars_mean_what_they_mean_to_kubectl(void **state)
{
	(void)state;
	check("a: true", "{\"a\":true}");
	check("[yes, On, FALSE, no, off]", "[true,true,false,false,false]");
	check("{a: ~, b: null, c: }", "{\"a\":null,\"b\":null,\"c\":null}");
	check("[12, -7, +3, 0x1F, 0o17, 017, 0b11, 1_000]", "[12,-7,3,31,15,15,3,1000]");
	check("[1.5, .5, 1e3, -2.]", "[1.5,0.5,1000.0,-2.0]");
	check("[9223372036854775807, -9223372036854775808]",
	      "[9223372036854775807,-9223372036854775808]");
	check("[15m, 1.2.3, 0x, 2001-01-01, '12', \"yes\", y, -, 08]",
	      "[\"15m\",\"1.2.3\",\"0x\",\"2001-01-01\",\"12\",\"yes\",\"y\",\"-\",8.0]");
	check("!!str 12", "\"12\"");
	check("a: |\n  12\n", "{\"a\":\"12\\n\"}");
	check("8080: x", "{\"8080\":\"x\"}");
}

static void json_is_yaml(void **state)
{
	(void)state;
	check("{\"a\": [1, {\"b\": \"\\u00e4\\n\"}], \"c\": null}",
	      "{\"a\":[1,{\"b\":\"\xc3\xa4\\n\"}],\"c\":null}");
}

static void a_stream_has_several_documents(void **state)
{
	cleanup(yaml_release) struct yaml_stream stream =
		parse("# note\n---\na: 1\n---\n---\nb: 2\n");
	cleanup(yaml_release) struct yaml_stream empty = parse("# only a comment\n");

	(void)state;
	assert_int_equal(stream.doc_nr, 3);
	assert_int_equal(stream.doc[0].line, 2);
	assert_true(json_is_null(stream.doc[1].root));
	assert_int_equal(json_integer_value(json_object_get(stream.doc[2].root, "b")), 2);
	assert_int_equal(empty.doc_nr, 0);
}

static void what_is_wrong_is_named_with_its_line(void **state)
{
	(void)state;
	check_refused("a: 1\nb: 2\na: 3\n", -EINVAL, "line 3: the key \"a\" is there twice");
	check_refused("a: &x 1\nb: *x\n", -EINVAL, "line 2: aliases are not accepted");
	check_refused("a:\n  <<: {b: 1}\n", -EINVAL, "line 2: merge keys are not accepted");
	check_refused("true: 1\n", -EINVAL,
		      "line 1: a key must be a string; write \"true\" in quotes");
	check_refused("{[a]: 1}", -EINVAL, "line 1: a key must be a string, not a list or mapping");
	check_refused("a: !!binary aGk=\n", -EINVAL, "line 1: tags are not accepted, except !!str");
	check_refused("\na: .inf\n", -EINVAL, "line 2: .inf is not a number that JSON has");
	check_refused("a: \"x\\0y\"\n", -EINVAL, "line 1: a string has a NUL character");
	check_refused("a: 1\nb: \xff\n", -EINVAL,
		      "line 2: not valid YAML: invalid leading UTF-8 octet");
	check_refused("a: [1, 2\nb: 3\n", -EINVAL,
		      "line 2: not valid YAML: did not find expected ',' or ']'");
}

static void limits_are_refused(void **state)
{
	char text[200];
	cleanup(freep) char *many = xcalloc(1, 2 * LIMIT_MANIFEST_NODES + 10);
	cleanup(freep) char *large = xcalloc(1, LIMIT_MANIFEST_BYTES + 2);
	struct yaml_stream stream;
	struct err err = ERR_INIT;

	(void)state;
	memset(text, '[', sizeof(text));
	assert_int_equal(yaml_parse(text, sizeof(text), &stream, &err), -E2BIG);
	assert_string_equal(err.text, "line 1: nested deeper than 32 levels");
	many[0] = '[';
	for (size_t i = 0; i <= LIMIT_MANIFEST_NODES; i++)
		memcpy(many + 1 + 2 * i, "1,", 2);
	assert_int_equal(yaml_parse(many, strlen(many), &stream, &err), -E2BIG);
	assert_string_equal(err.text, "line 1: more than 200000 values in one file");
	memset(large, ' ', LIMIT_MANIFEST_BYTES + 1);
	assert_int_equal(yaml_parse(large, LIMIT_MANIFEST_BYTES + 1, &stream, &err), -E2BIG);
	assert_string_equal(err.text, "larger than 1048576 bytes");
}

static void each_field_has_its_line(void **state)
{
	cleanup(yaml_release) struct yaml_stream stream =
		parse("a: 1\n---\nmetadata:\n  labels:\n    app.kubernetes.io/name: x\n    app: y\n"
		      "spec:\n  rules:\n  - name: one\n  - name: two\n    hz:\n      5\n");
	const struct yaml_doc *doc = &stream.doc[1];

	(void)state;
	assert_int_equal(yaml_doc_line(doc, ""), 3);
	assert_int_equal(yaml_doc_line(doc, "metadata.labels.app.kubernetes.io/name"), 5);
	assert_int_equal(yaml_doc_line(doc, "metadata.labels.app"), 6);
	assert_int_equal(yaml_doc_line(doc, "spec.rules[1].name"), 10);
	assert_int_equal(yaml_doc_line(doc, "spec.rules[1].hz"), 11);
	assert_int_equal(yaml_doc_line(doc, "spec.rules[7].name"), 8);
	assert_int_equal(yaml_doc_line(doc, "spec.sampleRateHz"), 7);
	assert_int_equal(yaml_doc_line(doc, "nothing"), 3);
	assert_int_equal(yaml_doc_line(&stream.doc[0], "a.b.c"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_byte_order_mark_is_none_of_the_text),
		cmocka_unit_test(plain_scalars_mean_what_they_mean_to_kubectl),
		cmocka_unit_test(json_is_yaml),
		cmocka_unit_test(a_stream_has_several_documents),
		cmocka_unit_test(what_is_wrong_is_named_with_its_line),
		cmocka_unit_test(limits_are_refused),
		cmocka_unit_test(each_field_has_its_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
