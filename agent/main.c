/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/daemon/agent.h"
#include "agent/daemon/settings.h"
#include "agent/probe.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/observe/http.h"
#include "lib/observe/metrics.h"

#include <stdio.h>
#include <sys/resource.h>

struct daemon {
	uv_loop_t loop;
	struct loop_lag lag;
	struct loop_stop stop;
	struct metrics *metrics;
	struct http *http;
	struct agent *agent;
};

static void on_stop(void *ctx, const char *signal_name)
{
	struct daemon *daemon = ctx;

	log_info("stopping", LOG_STR("signal", signal_name));
	agent_stop(daemon->agent);
	http_free(daemon->http);
	daemon->http = NULL;
	loop_lag_close(&daemon->lag);
	loop_stop_close(&daemon->stop);
}

static int run(struct daemon *daemon, const struct settings *settings, struct err *err)
{
	const char *listen = settings->http_listen;
	int r = agent_new(&daemon->loop, settings, daemon->metrics, &daemon->agent, err);

	if (r == 0) {
		const struct http_options options = { .listen = listen,
						      .metrics = daemon->metrics,
						      .ready = agent_ready,
						      .ctx = daemon->agent };

		r = http_new(&daemon->loop, &options, &daemon->http, err);
		if (r < 0)
			agent_stop(daemon->agent);
	}
	if (r < 0)
		return r;
	loop_lag_start(&daemon->lag, &daemon->loop, daemon->metrics, "rubato_agent");
	loop_stop_start(&daemon->stop, &daemon->loop, on_stop, daemon);
	return 0;
}

/* Events of each CPU, maps, files of tenants: as many as we may. */
static void allow_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
			log_warn("RLIMIT_NOFILE could not be raised",
				 LOG_UINT("limit", limit.rlim_cur));
	}
}

static int serve(const struct settings *settings)
{
	struct daemon daemon = { .metrics = metrics_new() };
	struct err err = ERR_INIT;
	int r;

	log_setup(settings->log_level, settings->log_format);
	allow_files();
	uv_loop_init(&daemon.loop);
	metrics_add_process(daemon.metrics, "rubato_agent", VERSION);
	r = run(&daemon, settings, &err);
	if (r < 0)
		log_error("can not start", LOG_ERR(&err));
	uv_run(&daemon.loop, UV_RUN_DEFAULT);
	agent_free(daemon.agent);
	metrics_free(daemon.metrics);
	uv_loop_close(&daemon.loop);
	if (r == 0)
		log_info("stopped");
	return r < 0;
}

static int check(const struct settings *settings)
{
	struct err err = ERR_INIT;
	int r = settings_check_files(settings, &err);

	if (r < 0)
		fprintf(stderr, "rubato-agent: %s\n", err.text);
	else
		puts("rubato-agent: the settings are good");
	return r;
}

int main(int argc, char **argv)
{
	struct settings settings;
	struct err err = ERR_INIT;
	int r = settings_parse(&settings, argc, argv, &err);

	if (r < 0)
		fprintf(stderr, "rubato-agent: %s\nTry rubato-agent --help.\n", err.text);
	else if (r == 0 && settings.probe)
		r = probe_print(settings.cgroup_root, stdout) ? 0 : -1;
	else if (r == 0 && settings.check)
		r = check(&settings);
	else if (r == 0)
		r = serve(&settings) ? -1 : 0;
	settings_release(&settings);
	return r < 0;
}
