/* SPDX-License-Identifier: Apache-2.0 */

/* rubato-controller. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controller/check.h"
#include "controller/daemon.h"
#include "controller/settings.h"
#include "lib/log.h"

static int check(const struct settings *settings)
{
	struct err err = ERR_INIT;
	int r;

	/* What is refused is in the table. */
	log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_AUTO);
	r = check_source(settings->source, stdout, &err);
	if (r < 0)
		fprintf(stderr, "rubato-controller: %s\n", err.text);
	return r == 0 ? 0 : 1;
}

/* What is printed can fail to arrive (a full disk), and whoever asked must not take half of it for all. */
static int close_output(int r)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return r;
	fprintf(stderr, "rubato-controller: standard output: %s\n", strerror(errno));
	return 1;
}

int main(int argc, char **argv)
{
	const struct settings *settings = NULL;
	struct err err = ERR_INIT;
	int r = settings_parse(argc, argv, &settings, &err);

	if (r < 0)
		fprintf(stderr, "rubato-controller: %s\nTry rubato-controller --help.\n", err.text);
	if (r == 0) {
		log_setup((enum log_level)settings->log_level,
			  (enum log_format)settings->log_format);
		r = settings->check ? close_output(check(settings)) : daemon_run(settings);
	} else {
		r = r < 0 ? 2 : close_output(0);
	}
	settings_release();
	return r;
}
