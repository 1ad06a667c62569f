/* SPDX-License-Identifier: Apache-2.0 */

/* simagents HOST:PORT NAME CERTS NODE...: one agent for each node, all on one loop, by the agent's own end of the control
 * channel and real TLS; only the kernel is not there: every plan is applied at once.  NAME is in the controller's
 * certificate; CERTS/NODE.crt, CERTS/NODE.key and CERTS/ca.crt are theirs.
 *
 * Prints a line {"node", "boosts": ["NS/NAME@..."], "wall_ns"} for each plan, when it has been applied. */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <uv.h>

#include "agent/control/control_client.h"
#include "lib/log.h"

struct agent {
	const char *node;
	struct control_client *client;
};

static long long wall_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

static int apply(void *ctx, const struct plan *plan, struct control_client_result *result,
		 struct err *err)
{
	const struct agent *agent = ctx;

	(void)result;
	(void)err;
	printf("{\"node\": \"%s\", \"boosts\": [", agent->node);
	for (size_t i = 0; i < plan->boost_nr; i++)
		printf("%s\"%s\"", i ? ", " : "", plan->boost[i].id);
	printf("], \"wall_ns\": %lld}\n", wall_ns());
	return 0;
}

static void start(uv_loop_t *loop, char **argv, struct agent *agent)
{
	static const struct control_client_events events = { .apply = apply };
	cleanup(freep) char *cert = xasprintf("%s/%s.crt", argv[3], agent->node);
	cleanup(freep) char *key = xasprintf("%s/%s.key", argv[3], agent->node);
	cleanup(freep) char *ca = xasprintf("%s/ca.crt", argv[3]);
	const struct control_client_options options = {
		.controller = argv[1],
		.server_name = argv[2],
		.cert_file = cert,
		.key_file = key,
		.ca_file = ca,
		.max_rate_hz = 200,
	};
	struct err err = ERR_INIT;

	if (control_client_new(loop, &options, &events, agent, &agent->client, &err) < 0) {
		fprintf(stderr, "%s: %s\n", agent->node, err.text);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	uv_loop_t loop;
	struct agent *agent;

	if (argc < 5) {
		fprintf(stderr, "usage: simagents HOST:PORT NAME CERTS NODE...\n");
		return 2;
	}
	log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	setvbuf(stdout, NULL, _IOLBF, 0);
	uv_loop_init(&loop);
	agent = xcalloc((size_t)(argc - 4), sizeof(*agent));
	for (int i = 4; i < argc; i++) {
		agent[i - 4].node = argv[i];
		start(&loop, argv, &agent[i - 4]);
	}
	/* SIGTERM ends it as it stands: the controller sees connections that break off. */
	return uv_run(&loop, UV_RUN_DEFAULT);
}
