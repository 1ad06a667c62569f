/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/daemon/settings.h"

#include "bpf/sampler.h"
#include "lib/core/limits.h"
#include "lib/core/text/address.h"
#include "lib/log.h"
#include "lib/options.h"

#include <errno.h>
#include <string.h>

#define SLOTS_MIN 2

#define EXAMPLE                                                                                    \
	"Capabilities\n"                                                                           \
	"  BPF, PERFMON            load the programs, read the clock events\n"                     \
	"  SYS_PTRACE, CHECKPOINT_RESTORE, DAC_READ_SEARCH\n"                                      \
	"                          mappings and files of the processes, for symbols\n"             \
	"  SYSLOG                  names of kernel functions\n"                                    \
	"  No others are needed; root has them all.  --probe says what this machine lacks.\n"      \
	"\n"                                                                                       \
	"Examples\n"                                                                               \
	"  What does this machine offer?\n"                                                        \
	"    rubato-agent --probe\n"                                                               \
	"  Everything at 19 Hz, without a controller:\n"                                           \
	"    rubato-agent --sink-file /tmp/profiles\n"                                             \
	"  A node of a fleet:\n"                                                                   \
	"    rubato-agent --controller rubato.example:4320 --tls-cert node.crt --tls-key "         \
	"node.key \\\n"                                                                            \
	"      --tls-ca ca.crt --state-dir /var/lib/rubato --sink-file /var/lib/rubato/profiles\n" \
	"  Read a profile:\n"                                                                      \
	"    go tool pprof -http=: /tmp/profiles/NAMESPACE/POD/CONTAINER/*.pb.gz\n"

#define TABLE_NR 17

static void fill_table(struct settings *s, struct option_def def[TABLE_NR])
{
	const struct option_def table[TABLE_NR] = {
		{ "controller", OPTION_TEXT, &s->controller, .arg = "HOST:PORT", .group = "Control",
		  .check = address_check_connect,
		  .help = "where plans come from; without it every container has the built-in "
			  "default" },
		{ "tls-cert", OPTION_TEXT, &s->tls_cert, .arg = "FILE",
		  .help = "our client certificate; its CN is the node's name" },
		{ "tls-key", OPTION_TEXT, &s->tls_key, .arg = "FILE", .help = "its private key" },
		{ "tls-ca", OPTION_TEXT, &s->tls_ca, .arg = "FILE",
		  .help = "the authorities that may vouch for the controller" },
		{ "tls-server-name", OPTION_TEXT, &s->tls_server_name, .arg = "NAME",
		  .help = "the name the controller's certificate must bear, if not HOST" },
		{ "token-file", OPTION_TEXT, &s->token_file, .arg = "FILE",
		  .help = "a ServiceAccount token that is sent along, for a controller in a "
			  "cluster; read at each connection" },
		{ "state-dir", OPTION_TEXT, &s->state_dir, .arg = "DIR",
		  .help = "keeps the last good plan, for a start without a controller" },
		{ "max-sample-rate", OPTION_U32, &s->max_sample_rate_hz, .fallback = "200",
		  .min = 0, .max = LIMIT_SAMPLE_RATE_HZ, .arg = "HZ", .group = "Sampling",
		  .help = "our own last word: no plan raises a rate above this" },
		{ "window", OPTION_DURATION, &s->window_ns, .fallback = "10s", .min = NSEC_PER_SEC,
		  .max = 600 * NSEC_PER_SEC, .help = "how long one profile is" },
		{ "max-containers", OPTION_U32, &s->max_containers, .fallback = "4095",
		  .min = SLOTS_MIN, .max = PROF_SLOTS_MAX - 1, .arg = "NR",
		  .help = "containers with a clock of their own, living and just dead" },
		{ "cgroup-root", OPTION_TEXT, &s->cgroup_root, .arg = "DIR",
		  .help = "the host's cgroup tree; found in mountinfo when not given" },
		{ "sink-file", OPTION_TEXT, &s->sink_file, .arg = "DIR", .group = "Profiles",
		  .help = "write DIR/NAMESPACE/POD/CONTAINER/TIME-ID-RATEhz.pb.gz" },
		{ "sink-file-max", OPTION_U32, &s->sink_max_mb, .fallback = "1024", .min = 1,
		  .max = 1 << 20, .arg = "MB",
		  .help = "when the files exceed this, the oldest are deleted" },
		{ "http-listen", OPTION_TEXT, &s->http_listen, .fallback = "127.0.0.1:8081",
		  .arg = "HOST:PORT", .group = "Operation", .check = address_check_listen,
		  .help = "serves /metrics, /healthz and /readyz" },
		{ "log-level", OPTION_WORD, &s->log_level, .words = log_level_names,
		  .fallback = "info", .help = "the least that is logged" },
		{ "log-format", OPTION_WORD, &s->log_format, .words = log_format_names,
		  .fallback = "auto", .help = "auto is text on a terminal, else JSON lines" },
		{ "probe", OPTION_BOOL, &s->probe,
		  .help = "print what this machine offers and what is missing, and end" },
	};

	memcpy(def, table, sizeof(table));
}

static struct options options_of(const struct option_def *def)
{
	return (struct options){
		.program = "rubato-agent",
		.summary = "samples the stacks of every container of this node at the rates of its "
			   "plan",
		.version = VERSION,
		.example = EXAMPLE,
		.def = def,
		.def_nr = TABLE_NR,
	};
}

static int check(const struct settings *s, struct err *err)
{
	if (!s->controller || s->probe)
		return 0;
	if (!s->tls_cert || !s->tls_key || !s->tls_ca)
		return err_set(err, -EINVAL,
			       "--controller needs --tls-cert, --tls-key and --tls-ca: the control "
			       "channel is always mutual TLS");
	return 0;
}

int settings_parse(struct settings *settings, int argc, char *const *argv, struct err *err)
{
	struct option_def def[TABLE_NR];
	struct options options = options_of(def);
	int r;

	memset(settings, 0, sizeof(*settings));
	fill_table(settings, def);
	r = options_parse(&options, argc, argv, err);
	return r == 0 ? check(settings, err) : r;
}

void settings_release(struct settings *settings)
{
	struct option_def def[TABLE_NR];
	struct options options = options_of(def);

	fill_table(settings, def);
	options_release(&options);
}
