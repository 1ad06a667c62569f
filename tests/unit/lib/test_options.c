/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/options.h"
#include "lib/fs.h"
#include "lib/log.h"

static struct settings {
	char *listen, *node;
	uint32_t rate_hz;
	int64_t window_ns;
	bool once;
	int log_level;
	struct option_list sinks;
} s;

static int check_sink(const char *text, struct err *err)
{
	return strchr(text, ' ') ? err_set(err, -EINVAL, "\"%s\" has a space", text) : 0;
}

static const struct option_def table[] = {
	{ "listen", OPTION_TEXT, &s.listen, .arg = "HOST:PORT", .fallback = ":9090",
	  .group = "Serving", .help = "where /metrics is served" },
	{ "node", OPTION_TEXT, &s.node, .check = check_sink, .help = "our name" },
	{ "rate-hz", OPTION_U32, &s.rate_hz, .fallback = "19", .max = 200, .help = "rate" },
	{ "window", OPTION_DURATION, &s.window_ns, .fallback = "15s", .min = NSEC_PER_SEC,
	  .max = 300 * NSEC_PER_SEC, .help = "length of one profile" },
	{ "once", OPTION_BOOL, &s.once, .help = "stop after one window" },
	{ "log-level", OPTION_WORD, &s.log_level, .words = log_level_names, .fallback = "info",
	  .group = "Logs", .help = "the least level that is logged" },
	{ "sink", OPTION_LIST, &s.sinks, .fallback = "file", .check = check_sink,
	  .help = "where profiles go" },
};

static const struct options options = {
	.program = "rubato-test",
	.summary = "a test",
	.version = "1",
	.example = "Example\n  rubato-test --once\n",
	.def = table,
	.def_nr = ARRAY_SIZE(table),
};

/* Up to four arguments, NULL-terminated. */
static int parse(struct err *err, const char *a, const char *b, const char *c, const char *d)
{
	char *argv[6] = { (char *)"rubato-test", (char *)a, (char *)b, (char *)c, (char *)d, NULL };
	int argc = 1;

	while (argv[argc])
		argc++;
	return options_parse(&options, argc, argv, err);
}

static void check_refused(const char *a, const char *b, const char *sentence)
{
	struct err err = ERR_INIT;

	assert_int_equal(parse(&err, a, b, NULL, NULL), -EINVAL);
	assert_string_equal(err.text, sentence);
	options_release(&options);
}

static void what_an_option_checks_is_refused_by_its_name(void **state)
{
	(void)state;
	check_refused("--node=a b", NULL, "--node: \"a b\" has a space");
	check_refused("--sink", "file,a b", "--sink: \"a b\" has a space");
}

static void without_flags_the_fallbacks_hold(void **state)
{
	(void)state;
	assert_int_equal(parse(NULL, NULL, NULL, NULL, NULL), 0);
	assert_string_equal(s.listen, ":9090");
	assert_null(s.node);
	assert_int_equal(s.rate_hz, 19);
	assert_true(s.window_ns == 15 * NSEC_PER_SEC);
	assert_false(s.once);
	assert_int_equal(s.log_level, LOG_LEVEL_INFO);
	assert_int_equal(s.sinks.nr, 1);
	options_release(&options);
	assert_null(s.listen);
}

static void flags_are_read_in_both_forms(void **state)
{
	(void)state;
	assert_int_equal(parse(NULL, "--window=1m", "--once", "--log-level", "debug"), 0);
	assert_true(s.window_ns == 60 * NSEC_PER_SEC);
	assert_true(s.once);
	assert_int_equal(s.log_level, LOG_LEVEL_DEBUG);
	options_release(&options);
	assert_int_equal(parse(NULL, "--sink=a,b", "--sink", "c", "--once=false"), 0);
	assert_int_equal(s.sinks.nr, 3);
	assert_string_equal(s.sinks.item[2], "c");
	assert_false(s.once);
	options_release(&options);
}

static void a_wrong_flag_names_the_remedy(void **state)
{
	(void)state;
	check_refused("--window", "5x", "--window: \"5x\" is not a duration such as 15s");
	check_refused("--window", "1h", "--window: 1h is not in 1s..5m0s");
	check_refused("--window", NULL, "--window: needs a value");
	check_refused("--windw=1s", NULL,
		      "--windw: unknown option; did you mean --window?; see --help");
	check_refused("--xyzzyplugh", NULL, "--xyzzyplugh: unknown option; see --help");
	check_refused("--rate-hz=201", NULL, "--rate-hz: 201 is not in 0..200");
	check_refused("--rate-hz=-1", NULL, "--rate-hz: \"-1\" is not a whole number");
	check_refused("--log-level=loud", NULL,
		      "--log-level: \"loud\" is not one of debug, info, warn, error");
	check_refused("--once=maybe", NULL, "--once: \"maybe\" is neither true nor false");
	check_refused("window", NULL, "unexpected argument \"window\"; see --help");
	check_refused("--sink=a,,b", NULL, "--sink: an element is empty");
}

static void with_file(const char *text, const char *flag, int code, const char *sentence)
{
	char path[] = "/tmp/rubato-test-XXXXXX";
	char expected[ERR_TEXT_MAX];
	struct err err = ERR_INIT;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(fs_write_file(path, text, strlen(text), 0600, FS_NO_SYNC, &err), 0);
	assert_int_equal(parse(&err, "--config", path, flag, NULL), code);
	unlink(path);
	if (!sentence)
		return;
	snprintf(expected, sizeof(expected), "%s%s", path, sentence);
	assert_string_equal(err.text, expected);
	options_release(&options);
}

static void flags_win_over_the_file(void **state)
{
	(void)state;
	with_file("window: 1m\nrate-hz: 49\nonce: true\nsink: [x, y]\nnode: 12\n", "--window=2m", 0,
		  NULL);
	assert_true(s.window_ns == 120 * NSEC_PER_SEC);
	assert_int_equal(s.rate_hz, 49);
	assert_true(s.once);
	assert_int_equal(s.sinks.nr, 2);
	assert_string_equal(s.sinks.item[0], "x");
	assert_string_equal(s.node, "12");
	options_release(&options);
}

static void a_wrong_file_names_the_line(void **state)
{
	(void)state;
	with_file("once: true\nwindow: 5x\n", NULL, -EINVAL,
		  ":2: window: \"5x\" is not a duration such as 15s");
	with_file("\nwindw: 5s\n", NULL, -EINVAL,
		  ":2: unknown key \"windw\"; did you mean window?");
	with_file("window:\n", NULL, -EINVAL,
		  ":1: window: has no value; leave the key out for the default");
	with_file("- a\n", NULL, -EINVAL, ": must be one mapping of option names to values");
	with_file("a: [\n", NULL, -EINVAL,
		  ": line 2: not valid YAML: did not find expected node content");
}

static char *printed(void (*print)(const struct options *, FILE *))
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	print(&options, out);
	fclose(out);
	return text;
}

static void help_teaches_every_option(void **state)
{
	cleanup(freep) char *text = printed(options_print_help);

	(void)state;
	assert_non_null(strstr(text, "\nServing\n  --listen HOST:PORT"));
	assert_non_null(strstr(text, "where /metrics is served (default :9090)\n"));
	assert_non_null(strstr(text, "logged: debug, info, warn, error"));
	assert_non_null(strstr(text, "\nExample\n  rubato-test --once\n"));
	assert_non_null(strstr(text, "--config FILE"));
}

static void bash_accepts_the_completion(void **state)
{
	cleanup(freep) char *text = printed(options_print_completion);

	(void)state;
	assert_non_null(
		strstr(text, "--log-level) COMPREPLY=($(compgen -W \"debug info warn error\""));
	assert_non_null(strstr(text, "complete -F _rubato_test rubato-test\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_an_option_checks_is_refused_by_its_name),
		cmocka_unit_test(without_flags_the_fallbacks_hold),
		cmocka_unit_test(flags_are_read_in_both_forms),
		cmocka_unit_test(a_wrong_flag_names_the_remedy),
		cmocka_unit_test(flags_win_over_the_file),
		cmocka_unit_test(a_wrong_file_names_the_line),
		cmocka_unit_test(help_teaches_every_option),
		cmocka_unit_test(bash_accepts_the_completion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
