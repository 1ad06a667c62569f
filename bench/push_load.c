/* SPDX-License-Identifier: Apache-2.0 */
/* push_load pyroscope|parca URL PROFILES CONTAINERS [SPOOL]: the agent's own sink with profiles as a node makes them, as
 * fast as the backend takes them; with a backend that is away, as fast as they can be made.  Prints one line of JSON. */

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "agent/core/profile/pprof.h"
#include "agent/core/push/push_record.h"
#include "agent/core/push/push_url.h"
#include "agent/sink/sink_push.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/observe/metrics.h"

#define STACKS 150
#define DEPTH 18
#define FUNCTIONS 600
#define WAITING_MAX 400 /* profiles that wait when another one is made */
#define NAMESPACES 20
#define MB (1024.0 * 1024)

static struct load {
	uv_loop_t loop;
	struct sink_push *sink;
	struct metrics *metrics;
	struct push_labeler *labeler;
	uv_timer_t timer;
	const char *name;
	bool away;
	int profiles, containers, made;
	size_t bytes;
	uint8_t *pprof;
	size_t pprof_len;
	double resident_mb, most_mb;
	uint64_t random;
} l = { .random = 7 };

static uint32_t rnd(uint32_t below)
{
	l.random = l.random * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(l.random >> 33) % below;
}

static double resident_mb(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	long size, resident = 0;

	if (!file || fscanf(file, "%ld %ld", &size, &resident) != 2)
		abort();
	fclose(file);
	return (double)(resident * sysconf(_SC_PAGESIZE)) / MB;
}

static double cpu_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* One profile of a busy container: its stacks share their outer frames. */
static void make_pprof(void)
{
	struct profile_meta meta = { .rate_hz = 19,
				     .start_ns = now_wall_ns(),
				     .duration_ns = 10 * NSEC_PER_SEC,
				     .bare = true };
	struct profile *profile = profile_new();
	struct pprof_location *location;
	struct pprof_names names = { 0 };
	struct err err = ERR_INIT;

	for (int i = 0; i < STACKS; i++) {
		struct frame frame[DEPTH];

		for (uint32_t j = 0; j < DEPTH; j++)
			frame[j] = (struct frame){ .addr = j > DEPTH / 2 ? j : 100 + rnd(FUNCTIONS),
						   .file = FRAME_FILES };
		profile_add(profile, frame, DEPTH, 52631579ULL * (1 + rnd(3)), 1);
	}
	location = xcalloc(profile->frame_nr, sizeof(*location));
	for (size_t i = 0; i < profile->frame_nr; i++)
		location[i] = (struct pprof_location){
			.addr = profile->frame[i].addr,
			.name = xasprintf(
				"settlement::ledger::Function_%u::operator()(unsigned long)",
				(unsigned int)profile->frame[i].addr),
		};
	names.location = location;
	if (pprof_encode(profile, &names, &meta, &l.pprof, &l.pprof_len, &err) < 0)
		abort();
	for (size_t i = 0; i < profile->frame_nr; i++)
		free((char *)location[i].name);
	free(location);
	profile_free(profile);
}

static void add_one(void)
{
	int number = l.made++ % l.containers;
	cleanup(freep) char *ns = xasprintf("team-%d", number % NAMESPACES);
	cleanup(freep) char *pod = xasprintf("settlement-%d", number);
	struct profile_meta meta = { .ns = ns, .pod = pod, .container = "app", .node = "node-a" };
	cleanup(push_labels_release) struct push_labels labels = { .nr = 0 };
	cleanup(freep) uint8_t *record = NULL;
	size_t len;

	push_labels_make(l.labeler, &meta, now_boot_ns(), &labels);
	record = push_record_pack(ns, now_wall_ns(), &labels, l.pprof, l.pprof_len, &len);
	l.bytes += len;
	sink_push_add(l.sink, ns, now_wall_ns(), record, len);
}

static double counter(const char *name)
{
	return metric_get(metrics_counter(l.metrics, name, "", METRIC_LABELS("sink", l.name)));
}

static double gauge(const char *name)
{
	return metric_get(metrics_gauge(l.metrics, name, "", METRIC_LABELS("sink", l.name)));
}

static double dropped(void)
{
	static const char *const reason[] = {
		"queue_full", "spool_full", "spool_failed", "too_old",
		"rejected",   "too_large",  "failing",	    "stopped"
	};
	double all = 0;

	for (size_t i = 0; i < ARRAY_SIZE(reason); i++)
		all += metric_get(
			metrics_counter(l.metrics, "rubato_agent_push_dropped_total", "",
					METRIC_LABELS("sink", l.name, "reason", reason[i])));
	return all;
}

static void on_timer(uv_timer_t *timer)
{
	sink_push_gauge(l.sink);
	for (int i = 0; i < 50 && l.made < l.profiles; i++) {
		if (!l.away && gauge("rubato_agent_push_queue_profiles") + i > WAITING_MAX)
			break;
		add_one();
	}
	l.most_mb = MAX(l.most_mb, resident_mb());
	if (l.made < l.profiles ||
	    (!l.away && counter("rubato_agent_push_profiles_total") + dropped() < l.profiles))
		return;
	uv_timer_stop(timer);
	uv_stop(&l.loop);
}

static void open_sink(const char *url, const char *spool)
{
	struct sink_push_options options = {
		.name = l.name,
		.target = { .url = url,
			    .wire = strcmp(l.name, "parca") ? PUSH_WIRE_PYROSCOPE
							    : push_url_wire(url),
			    .tenant_header = "X-Scope-OrgID",
			    .user_agent = "push_load" },
		.queue = { .memory_max = 8 << 20,
			   .spool_max = 64 << 20,
			   .max_age_ns = 3000 * NSEC_PER_SEC },
		.spool_dir = spool,
		.metrics = l.metrics,
	};
	struct err err = ERR_INIT;

	if (sink_push_new(&l.loop, &options, &l.sink, &err) < 0) {
		fprintf(stderr, "push_load: %s\n", err.text);
		exit(1);
	}
}

static void print(double seconds, double cpu)
{
	sink_push_gauge(l.sink);
	printf("{\"profiles\": %d, \"bytes\": %zu, \"seconds\": %.3f, \"cpu_seconds\": %.4f, "
	       "\"sent\": %.0f, \"dropped\": %.0f, \"before_mb\": %.1f, \"most_mb\": %.1f, "
	       "\"waiting\": %.0f, \"queue_bytes\": %.0f, \"spool_bytes\": %.0f}\n",
	       l.made, l.bytes, seconds, cpu, counter("rubato_agent_push_profiles_total"),
	       dropped(), l.resident_mb, l.most_mb, gauge("rubato_agent_push_queue_profiles"),
	       gauge("rubato_agent_push_queue_bytes"), gauge("rubato_agent_push_spool_bytes"));
}

int main(int argc, char **argv)
{
	int64_t began_ns;
	double cpu;

	if (argc < 5)
		return 2;
	log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	l.name = argv[1];
	l.profiles = atoi(argv[3]);
	l.containers = atoi(argv[4]);
	l.away = argc > 5;
	l.metrics = metrics_new();
	l.labeler = push_labeler_new(NULL, 0, 256);
	uv_loop_init(&l.loop);
	open_sink(argv[2], argc > 5 ? argv[5] : NULL);
	make_pprof();
	uv_timer_init(&l.loop, &l.timer);
	uv_timer_start(&l.timer, on_timer, 0, 1);
	l.resident_mb = resident_mb();
	began_ns = now_boot_ns();
	cpu = cpu_seconds();
	uv_run(&l.loop, UV_RUN_DEFAULT);
	print((double)(now_boot_ns() - began_ns) / 1e9, cpu_seconds() - cpu);
	return 0;
}
