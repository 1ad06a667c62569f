/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/daemon/settings.h"

#include "agent/core/push/push_labels.h"
#include "bpf/sampler.h"
#include "lib/core/limits.h"
#include "lib/core/text/address.h"
#include "lib/fs.h"
#include "lib/log.h"
#include "lib/options.h"

#include <errno.h>
#include <string.h>

#define SLOTS_MIN 2
#define FILE_BYTES ((size_t)1024 * 1024)

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
	"  Profiles to Pyroscope, that wait on the disk while it is away:\n"                       \
	"    rubato-agent --sink-pyroscope http://pyroscope:4040 --sink-spool /var/lib/rubato\n"   \
	"  Read a profile:\n"                                                                      \
	"    go tool pprof -http=: /tmp/profiles/NAMESPACE/POD/CONTAINER/*.pb.gz\n"

#define OWN_NR 18
#define PUSH_NR 5
#define TABLE_NR (OWN_NR + PUSH_BACKEND_NR * SETTINGS_PUSH_OPTIONS + PUSH_NR)
#define PUSH_AT 13 /* where the options of the backends stand, behind those of the file sink */

static void fill_own(struct settings *s, struct option_def def[OWN_NR])
{
	const struct option_def table[OWN_NR] = {
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
		{ "check", OPTION_BOOL, &s->check,
		  .help = "check these settings and the files that they name, and end" },
	};

	memcpy(def, table, sizeof(table));
}

static void fill_push(struct settings *s, struct option_def def[PUSH_NR])
{
	const struct option_def table[PUSH_NR] = {
		{ "sink-label", OPTION_LIST, &s->push_label, .arg = "NAME=VALUE",
		  .group = "Profiles to any backend", .check = push_label_check,
		  .help = "a label more on every profile that is pushed, as cluster=prod" },
		{ "sink-label-values", OPTION_U32, &s->push_label_values, .fallback = "256",
		  .min = 1, .max = 65536, .arg = "NR",
		  .help = "values of one pod label of one namespace; one more is \"_other\"" },
		{ "sink-queue", OPTION_U32, &s->push_queue_mb, .fallback = "8", .min = 1,
		  .max = 1024, .arg = "MB",
		  .help = "memory for profiles that wait, of each backend" },
		{ "sink-spool", OPTION_TEXT, &s->push_spool, .arg = "DIR",
		  .help = "where those go that find no room in memory, or are left at the end" },
		{ "sink-spool-max", OPTION_U32, &s->push_spool_mb, .fallback = "64", .min = 1,
		  .max = 1024, .arg = "MB",
		  .help = "of the disk for them, of each backend; the oldest are dropped" },
	};

	memcpy(def, table, sizeof(table));
}

/* In the order of --help. */
static void fill_table(struct settings *s, struct option_def def[TABLE_NR])
{
	struct option_def own[OWN_NR];
	struct option_def *at = def + PUSH_AT;

	fill_own(s, own);
	memcpy(def, own, PUSH_AT * sizeof(*def));
	for (int i = 0; i < PUSH_BACKEND_NR; i++, at += SETTINGS_PUSH_OPTIONS)
		settings_push_table(&s->push[i], (enum push_backend)i, at);
	fill_push(s, at);
	at += PUSH_NR;
	memcpy(at, own + PUSH_AT, (OWN_NR - PUSH_AT) * sizeof(*def));
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

static bool pushes(const struct settings *s)
{
	return s->push[PUSH_BACKEND_PYROSCOPE].url || s->push[PUSH_BACKEND_PARCA].url;
}

static int check_push(const struct settings *s, struct err *err)
{
	for (int i = 0; i < PUSH_BACKEND_NR; i++) {
		int r = settings_push_check(&s->push[i], (enum push_backend)i, err);

		if (r < 0)
			return r;
	}
	if (s->push_label.nr > PUSH_LABELS_ADDED)
		return err_set(err, -EINVAL, "--sink-label: at most %d are added",
			       PUSH_LABELS_ADDED);
	if (s->push_spool && !pushes(s))
		return err_set(err, -EINVAL,
			       "--sink-spool needs --sink-pyroscope URL or --sink-parca URL");
	return 0;
}

static int check(const struct settings *s, struct err *err)
{
	int r = check_push(s, err);

	if (r < 0 || !s->controller || s->probe)
		return r;
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

static int check_file(const char *option, const char *path, struct err *err)
{
	cleanup(freep) char *text = NULL;
	size_t len;
	int r = path ? fs_read_file(path, FILE_BYTES, &text, &len, err) : 0;

	return r < 0 ? err_wrap(err, r, "--%s", option) : r;
}

int settings_check_files(const struct settings *s, struct err *err)
{
	int r = check_file("tls-cert", s->tls_cert, err);

	if (r == 0)
		r = check_file("tls-key", s->tls_key, err);
	if (r == 0)
		r = check_file("tls-ca", s->tls_ca, err);
	if (r == 0)
		r = check_file("token-file", s->token_file, err);
	for (int i = 0; r == 0 && i < PUSH_BACKEND_NR; i++) {
		struct push_target target = settings_push_target(&s->push[i], (enum push_backend)i);

		if (s->push[i].url)
			r = push_target_check(&target, err);
		if (r < 0)
			r = err_wrap(err, r, "--sink-%s", settings_push_name((enum push_backend)i));
	}
	return r;
}

void settings_release(struct settings *settings)
{
	struct option_def def[TABLE_NR];
	struct options options = options_of(def);

	fill_table(settings, def);
	options_release(&options);
}
