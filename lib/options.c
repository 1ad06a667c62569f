/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/options_priv.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "lib/core/text/edit_distance.h"

/* What the command line says, before anything is set: the file comes first. */
struct flag {
	const struct option_def *def;
	const char *text;
};

struct line {
	const struct options *options;
	char *const *arg; /* what is left of argv */
	int left;
	struct flag *flag;
	size_t flag_nr;
	const char *config; /* NULL = none */
};

static void line_release(struct line *line)
{
	free(line->flag);
}

const struct option_def *options_find(const struct options *options, const char *name, size_t len)
{
	for (size_t i = 0; i < options->def_nr; i++)
		if (strlen(options->def[i].name) == len &&
		    memcmp(options->def[i].name, name, len) == 0)
			return &options->def[i];
	return NULL;
}

const char *options_suggest(const struct options *options, const char *prefix, const char *name,
			    size_t len, char buf[128])
{
	static const char *const builtin[] = { "config", "help", "version", "completion" };
	const char *best = NULL;
	size_t least = len / 3 + 2;

	for (size_t i = 0; i < options->def_nr + ARRAY_SIZE(builtin); i++) {
		const char *known =
			i < options->def_nr ? options->def[i].name : builtin[i - options->def_nr];
		size_t far = edit_distance(name, len, known, strlen(known));

		if (far < least) {
			least = far;
			best = known;
		}
	}
	buf[0] = '\0';
	if (best)
		snprintf(buf, 128, "; did you mean %s%s?", prefix, best);
	return buf;
}

/* The value behind "=" or in the next argument. */
static int take_text(struct line *line, const char *name, size_t len, const char **ret_text,
		     struct err *err)
{
	if (name[len] == '=') {
		*ret_text = name + len + 1;
		return 0;
	}
	if (!line->left)
		return err_set(err, -EINVAL, "--%.*s: needs a value", (int)len, name);
	*ret_text = *line->arg++;
	line->left--;
	return 0;
}

static bool is_name(const char *name, size_t len, const char *wanted)
{
	return strlen(wanted) == len && memcmp(name, wanted, len) == 0;
}

static int complete(struct line *line, const char *name, size_t len, struct err *err)
{
	const char *shell = NULL;
	int r = take_text(line, name, len, &shell, err);

	if (r < 0)
		return r;
	if (strcmp(shell, "bash") != 0)
		return err_set(err, -EINVAL, "--completion: \"%.64s\" is not one of bash", shell);
	options_print_completion(line->options, stdout);
	return 1;
}

/* Returns 1 when the flag was answered, 0 when it was taken, -ENOENT when it is none of these. */
static int take_builtin(struct line *line, const char *name, size_t len, struct err *err)
{
	if (is_name(name, len, "help")) {
		options_print_help(line->options, stdout);
		return 1;
	}
	if (is_name(name, len, "version")) {
		printf("%s %s\n", line->options->program, line->options->version);
		return 1;
	}
	if (is_name(name, len, "completion"))
		return complete(line, name, len, err);
	if (is_name(name, len, "config"))
		return take_text(line, name, len, &line->config, err);
	return -ENOENT;
}

static int take_flag(struct line *line, const char *name, struct err *err)
{
	size_t len = strcspn(name, "=");
	const struct option_def *def = options_find(line->options, name, len);
	const char *text = "true";
	char suggestion[128];
	int r = 0;

	if (!def) {
		r = take_builtin(line, name, len, err);
		if (r != -ENOENT)
			return r;
		return err_set(err, -EINVAL, "--%.*s: unknown option%s; see --help",
			       (int)MIN(len, (size_t)64), name,
			       options_suggest(line->options, "--", name, len, suggestion));
	}
	if (def->type != OPTION_BOOL || name[len] == '=')
		r = take_text(line, name, len, &text, err);
	if (r < 0)
		return r;
	GROW(line->flag, line->flag_nr);
	line->flag[line->flag_nr++] = (struct flag){ def, text };
	return 0;
}

static int take_all(struct line *line, struct err *err)
{
	while (line->left) {
		const char *arg = *line->arg++;
		int r;

		line->left--;
		if (strcmp(arg, "-h") == 0)
			arg = "--help";
		if (strncmp(arg, "--", 2) != 0 || !arg[2])
			return err_set(err, -EINVAL, "unexpected argument \"%.64s\"; see --help",
				       arg);
		r = take_flag(line, arg + 2, err);
		if (r != 0)
			return r;
	}
	return 0;
}

/* A value of the right size, whatever the caller had there. */
static void set_zero(const struct option_def *def)
{
	static const size_t size[] = {
		[OPTION_TEXT] = sizeof(char *),	     [OPTION_U32] = sizeof(uint32_t),
		[OPTION_DURATION] = sizeof(int64_t), [OPTION_BOOL] = sizeof(bool),
		[OPTION_WORD] = sizeof(int),	     [OPTION_LIST] = sizeof(struct option_list),
	};

	memset(def->value, 0, size[def->type]);
}

static void set_fallbacks(const struct options *options)
{
	for (size_t i = 0; i < options->def_nr; i++) {
		const struct option_def *def = &options->def[i];
		int r = 0;

		set_zero(def);
		if (def->fallback)
			r = option_set(def, def->fallback, NULL);
		assert(r == 0);
		(void)r;
	}
}

static int set_flags(const struct line *line, const bool *given, struct err *err)
{
	const struct options *options = line->options;

	for (size_t i = 0; i < options->def_nr; i++)
		if (given[i])
			option_clear(&options->def[i]);
	for (size_t i = 0; i < line->flag_nr; i++) {
		int r = option_set(line->flag[i].def, line->flag[i].text, err);

		if (r < 0)
			return err_wrap(err, r, "--%s", line->flag[i].def->name);
	}
	return 0;
}

int options_parse(const struct options *options, int argc, char *const *argv, struct err *err)
{
	cleanup(line_release) struct line line = {
		.options = options,
		.arg = argv + 1,
		.left = argc > 1 ? argc - 1 : 0,
	};
	cleanup(freep) bool *given = xcalloc(options->def_nr, sizeof(*given));
	int r;

	set_fallbacks(options);
	r = take_all(&line, err);
	if (r != 0)
		return r;
	for (size_t i = 0; i < line.flag_nr; i++)
		given[line.flag[i].def - options->def] = true;
	if (line.config)
		r = options_read_file(options, line.config, given, err);
	return r < 0 ? r : set_flags(&line, given, err);
}

void options_release(const struct options *options)
{
	for (size_t i = 0; i < options->def_nr; i++)
		option_clear(&options->def[i]);
}
