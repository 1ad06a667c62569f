/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/options.h"

#include <string.h>

#define TEXT_COLUMN 34
#define LINE_COLUMNS 100

static const char *argument_of(const struct option_def *def)
{
	static const char *const by_type[] = {
		[OPTION_TEXT] = "TEXT", [OPTION_U32] = "N",	[OPTION_DURATION] = "DURATION",
		[OPTION_BOOL] = NULL,	[OPTION_WORD] = "WORD", [OPTION_LIST] = "LIST",
	};

	return def->arg ? def->arg : by_type[def->type];
}

/* Words, wrapped, beginning in column `at`; every line is indented to TEXT_COLUMN. */
static void print_wrapped(FILE *out, int at, const char *text)
{
	if (at >= TEXT_COLUMN) {
		fputc('\n', out);
		at = 0;
	}
	at += fprintf(out, "%*s", TEXT_COLUMN - at, "");
	while (*text) {
		int len = (int)strcspn(text, " ");

		if (at > TEXT_COLUMN && at + 1 + len > LINE_COLUMNS)
			at = fprintf(out, "\n%*s", TEXT_COLUMN, "") - 1;
		at += fprintf(out, "%s%.*s", at > TEXT_COLUMN ? " " : "", len, text);
		text += len;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

static char *words_of(const struct option_def *def)
{
	char *all = xstrdup("");

	for (size_t i = 0; def->words && def->words[i]; i++) {
		cleanup(freep) char *before = all;

		all = xasprintf("%s%s%s", before, i ? ", " : ": ", def->words[i]);
	}
	return all;
}

static void print_option(FILE *out, const struct option_def *def)
{
	const char *arg = argument_of(def);
	cleanup(freep) char *words = words_of(def);
	cleanup(freep) char *text =
		def->fallback ? xasprintf("%s%s (default %s)", def->help, words, def->fallback)
			      : xasprintf("%s%s", def->help, words);
	int at = fprintf(out, "  --%s%s%s", def->name, arg ? " " : "", arg ? arg : "");

	print_wrapped(out, at + 1, text);
}

void options_print_help(const struct options *options, FILE *out)
{
	static const struct option_def general[] = {
		{ .name = "config",
		  .arg = "FILE",
		  .help = "YAML file with the same names as these options (\"window: 15s\"); flags "
			  "win over it" },
		{ .name = "help", .type = OPTION_BOOL, .help = "print this text" },
		{ .name = "version", .type = OPTION_BOOL, .help = "print the version" },
		{ .name = "completion",
		  .arg = "SHELL",
		  .help = "print a completion script: source <(... --completion bash)" },
	};

	fprintf(out, "%s: %s\n\nUsage: %s [OPTION]...\n", options->program, options->summary,
		options->program);
	for (size_t i = 0; i < options->def_nr; i++) {
		if (options->def[i].group)
			fprintf(out, "\n%s\n", options->def[i].group);
		print_option(out, &options->def[i]);
	}
	fprintf(out, "\nGeneral\n");
	for (size_t i = 0; i < ARRAY_SIZE(general); i++)
		print_option(out, &general[i]);
	if (options->example)
		fprintf(out, "\n%s", options->example);
}

static void print_case(FILE *out, const struct option_def *def)
{
	const char *arg = argument_of(def);

	if (def->words) {
		fprintf(out, "\t--%s) COMPREPLY=($(compgen -W \"", def->name);
		for (size_t i = 0; def->words[i]; i++)
			fprintf(out, "%s%s", i ? " " : "", def->words[i]);
		fputs("\" -- \"$cur\")); return ;;\n", out);
	} else if (arg && (strcmp(arg, "FILE") == 0 || strcmp(arg, "DIR") == 0)) {
		fprintf(out, "\t--%s) COMPREPLY=($(compgen -%c -- \"$cur\")); return ;;\n",
			def->name, arg[0] == 'F' ? 'f' : 'd');
	} else if (arg) {
		fprintf(out, "\t--%s) return ;;\n", def->name);
	}
}

void options_print_completion(const struct options *options, FILE *out)
{
	cleanup(freep) char *function = xasprintf("_%s", options->program);

	for (char *c = function; *c; c++)
		if (*c == '-')
			*c = '_';
	fprintf(out,
		"%s() {\n\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n",
		function);
	fputs("\tCOMPREPLY=()\n\tcase $prev in\n", out);
	for (size_t i = 0; i < options->def_nr; i++)
		print_case(out, &options->def[i]);
	fputs("\t--config) COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n"
	      "\t--completion) COMPREPLY=($(compgen -W \"bash\" -- \"$cur\")); return ;;\n"
	      "\tesac\n\tCOMPREPLY=($(compgen -W \"",
	      out);
	for (size_t i = 0; i < options->def_nr; i++)
		fprintf(out, "--%s ", options->def[i].name);
	fprintf(out,
		"--config --help --version --completion\" -- \"$cur\"))\n}\ncomplete -F %s %s\n",
		function, options->program);
}
