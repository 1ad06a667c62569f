/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_SETTINGS_H
#define CONTROLLER_SETTINGS_H

/* What a person sets: flags and the configuration file of rubato-controller. */

#include "lib/core/base.h"
#include "lib/core/err.h"
#include "lib/options.h"

enum settings_identity { IDENTITY_AUTO, IDENTITY_TOKEN, IDENTITY_CERTIFICATE };

struct settings {
	char *source, *status;
	char *kubeconfig, *context;
	int64_t watch_timeout_ns;
	char *agent_audience, *agent_account;
	int agent_identity;
	bool check;
	char *listen, *tls_cert, *tls_key, *tls_ca;
	int64_t boost_ttl_ns;
	struct option_list pod_labels;
	char *http_listen;
	bool debug_store;
	int log_level, log_format;
};

/* Read the command line and the file it names, and check that they go together.  Returns 0 with *ret_settings
 * (valid until settings_release()), 1 when help or the version was asked for and is printed, or -EINVAL. */
must_check int settings_parse(int argc, char **argv, const struct settings **ret_settings,
			      struct err *err);
void settings_release(void);

#endif
