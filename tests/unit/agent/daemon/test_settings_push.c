/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/daemon/settings.h"

static struct settings settings;
static struct err err;

#define PARSE(...)                                                                                 \
	parse((char *[]){ (char *)"rubato-agent", __VA_ARGS__ },                                   \
	      sizeof((char *[]){ (char *)"", __VA_ARGS__ }) / sizeof(char *))

static int parse(char *const *argv, size_t argc)
{
	err.text[0] = '\0';
	return settings_parse(&settings, (int)argc, argv, &err);
}

#define REFUSED(sentence, ...)                                                                     \
	do {                                                                                       \
		assert_true(PARSE(__VA_ARGS__) < 0);                                               \
		assert_string_equal(err.text, sentence);                                           \
		settings_release(&settings);                                                       \
	} while (0)

static char *word(const char *text)
{
	return (char *)text;
}

static void what_a_backend_is_told_becomes_its_target(void **state)
{
	struct push_target target;

	(void)state;
	assert_int_equal(
		PARSE(word("--sink-parca=grpcs://parca"), word("--sink-parca-header=X-A: 1"),
		      word("--sink-parca-header=X-B: 2"), word("--sink-parca-token-file=/t"),
		      word("--sink-parca-tenant-map=a=b,c=d")),
		0);
	target = settings_push_target(&settings.push[PUSH_BACKEND_PARCA], PUSH_BACKEND_PARCA);
	assert_int_equal(target.wire, PUSH_WIRE_PARCA_GRPC);
	assert_string_equal(target.tenant_header, "X-Scope-OrgID");
	assert_int_equal(target.header_nr, 2);
	assert_string_equal(target.header[1], "X-B: 2");
	assert_string_equal(target.token_file, "/t");
	assert_int_equal(settings.push[PUSH_BACKEND_PARCA].tenant_map.nr, 2);
	assert_int_equal(settings.push[PUSH_BACKEND_PARCA].max_age_ns, 12 * 3600 * NSEC_PER_SEC);
	assert_int_equal(settings.push[PUSH_BACKEND_PYROSCOPE].max_age_ns, 50 * 60 * NSEC_PER_SEC);
	assert_null(settings.push[PUSH_BACKEND_PYROSCOPE].url);
	settings_release(&settings);
}

static void an_item_of_the_file_may_hold_commas(void **state)
{
	char path[] = "/tmp/rubato-settings-XXXXXX";
	int fd = mkstemp(path);
	static const char text[] = "sink-pyroscope: http://p:4040\n"
				   "sink-pyroscope-header: [\"X-A: 1, 2\", \"X-B: 3\"]\n";

	(void)state;
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	close(fd);
	assert_int_equal(PARSE(word("--config"), path), 0);
	assert_int_equal(settings.push[PUSH_BACKEND_PYROSCOPE].header.nr, 2);
	assert_string_equal(settings.push[PUSH_BACKEND_PYROSCOPE].header.item[0], "X-A: 1, 2");
	settings_release(&settings);
	unlink(path);
}

static void what_does_not_fit_together_is_refused(void **state)
{
	(void)state;
	REFUSED("--sink-pyroscope-tenant needs --sink-pyroscope URL",
		word("--sink-pyroscope-tenant=a"));
	REFUSED("--sink-spool needs --sink-pyroscope URL or --sink-parca URL",
		word("--sink-spool=/s"));
	REFUSED("--sink-parca-user and --sink-parca-password-file need each other",
		word("--sink-parca=http://p"), word("--sink-parca-user=u"));
	REFUSED("--sink-parca-user and --sink-parca-token-file: only one of them can be sent",
		word("--sink-parca=http://p"), word("--sink-parca-user=u"),
		word("--sink-parca-token-file=t"));
	REFUSED("--sink-parca-tls-cert and --sink-parca-tls-key need each other",
		word("--sink-parca=https://p"), word("--sink-parca-tls-cert=c"));
	REFUSED("--sink-parca-tls-*: http://p is without TLS; is it https?",
		word("--sink-parca=http://p"), word("--sink-parca-tls-ca=c"));
	REFUSED("--sink-pyroscope: \"p:4040\" is not a URL as "
		"http://pyroscope.monitoring.svc:4040: "
		"HOST[:PORT][/PATH] behind http:// or https://, and no user in it",
		word("--sink-pyroscope=p:4040"));
	REFUSED("--sink-parca-header: \"X\" is not NAME: VALUE", word("--sink-parca=http://p"),
		word("--sink-parca-header=X"));
}

static void files_are_checked(void **state)
{
	(void)state;
	assert_int_equal(PARSE(word("--sink-parca=http://p"),
			       word("--sink-parca-token-file=/nonexistent/t")),
			 0);
	assert_true(settings_check_files(&settings, &err) < 0);
	assert_string_equal(err.text, "--sink-parca: /nonexistent/t: No such file or directory");
	settings_release(&settings);
	assert_int_equal(PARSE(word("--sink-parca=http://p")), 0);
	assert_int_equal(settings_check_files(&settings, &err), 0);
	settings_release(&settings);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_backend_is_told_becomes_its_target),
		cmocka_unit_test(an_item_of_the_file_may_hold_commas),
		cmocka_unit_test(what_does_not_fit_together_is_refused),
		cmocka_unit_test(files_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
