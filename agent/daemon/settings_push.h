/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_DAEMON_SETTINGS_PUSH_H
#define AGENT_DAEMON_SETTINGS_PUSH_H

/* What rubato-agent is told of one backend that profiles are pushed to: --sink-NAME and --sink-NAME-*. */

#include "agent/sink/push_call.h"
#include "lib/core/base.h"
#include "lib/core/err.h"
#include "lib/option.h"

enum push_backend { PUSH_BACKEND_PYROSCOPE, PUSH_BACKEND_PARCA, PUSH_BACKEND_NR };

#define SETTINGS_PUSH_OPTIONS 12

struct settings_push {
	char *url; /* NULL = none */
	char *tenant, *tenant_header;
	struct option_list tenant_map;
	char *user, *password_file, *token_file;
	char *tls_ca, *tls_cert, *tls_key;
	struct option_list header;
	int64_t max_age_ns;
};

/* "pyroscope", "parca". */
const char *settings_push_name(enum push_backend backend);

/* The options that fill it. */
void settings_push_table(struct settings_push *push, enum push_backend backend,
			 struct option_def def[SETTINGS_PUSH_OPTIONS]);

/* What no option can say by itself.  -EINVAL with a sentence that names the options. */
must_check int settings_push_check(const struct settings_push *push, enum push_backend backend,
				   struct err *err);

/* As the sink takes it; the strings stay those of `push`. */
struct push_target settings_push_target(const struct settings_push *push,
					enum push_backend backend);

#endif
