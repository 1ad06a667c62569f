/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_DAEMON_SETTINGS_H
#define AGENT_DAEMON_SETTINGS_H

/* What rubato-agent is told: its flags and, with the same names, its config file. */

#include "agent/daemon/settings_push.h"
#include "lib/core/base.h"
#include "lib/core/err.h"

struct settings {
	char *controller; /* HOST:PORT; NULL = none: everything at the built-in default */
	char *tls_server_name;
	char *tls_cert, *tls_key, *tls_ca;
	char *token_file; /* NULL = the certificate says who we are */
	char *state_dir;  /* NULL = keep nothing */
	char *sink_file;  /* directory; NULL = write no profiles */
	uint32_t sink_max_mb;
	struct settings_push push[PUSH_BACKEND_NR];
	struct option_list push_label; /* "NAME=VALUE" */
	uint32_t push_label_values;
	uint32_t push_queue_mb, push_spool_mb;
	char *push_spool; /* directory; NULL = none */
	int64_t window_ns;
	uint32_t max_sample_rate_hz;
	uint32_t max_containers;
	char *cgroup_root; /* NULL = find it */
	char *http_listen;
	int log_level, log_format; /* enum log_level, enum log_format */
	bool probe, check;
};

/* As options_parse(): 0 to go on, 1 when --help or the like was answered, or negative with a sentence. */
must_check int settings_parse(struct settings *settings, int argc, char *const *argv,
			      struct err *err);
/* Can the files that they name be read?  -errno with a sentence that names the option.  For --check. */
must_check int settings_check_files(const struct settings *settings, struct err *err);

void settings_release(struct settings *settings);

#endif
