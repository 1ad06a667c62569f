/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/settings.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "controller/core/object/selector.h"
#include "lib/core/limits.h"
#include "lib/core/text/address.h"
#include "lib/log.h"

static const char example[] =
	"Examples:\n"
	"  Try it on one machine: certificates, two daemons, one boost\n"
	"    examples/make-certs.sh certs controller local\n"
	"    rubato-controller --source manifests --listen 127.0.0.1:4320 \\\n"
	"        --tls-cert certs/controller.crt --tls-key certs/controller.key --tls-ca "
	"certs/ca.crt\n"
	"    rubato-agent --controller 127.0.0.1:4320 ...\n"
	"    cp examples/boost.yaml manifests/      # 100 Hz, for 15 seconds\n"
	"    cat manifests/.status/profilingpolicy.payments.boost.json\n"
	"\n"
	"  Check a repository of manifests in CI: what each policy would do; exit status 1 if any "
	"is wrong\n"
	"    rubato-controller --source manifests --check\n"
	"\n"
	"  Take the options from a file; flags win\n"
	"    rubato-controller --config /etc/rubato/controller.yaml --log-level debug\n";

static const char *const identity_names[] = { "auto", "token", "certificate", NULL };

static struct settings s;

static int check_label(const char *text, struct err *err)
{
	if (label_key_valid(text))
		return 0;
	return err_set(err, -EINVAL,
		       "\"%.100s\" is not a label's key, such as app or app.kubernetes.io/name",
		       text);
}

static const struct option_def def[] = {
	{ .name = "source",
	  .type = OPTION_TEXT,
	  .value = &s.source,
	  .arg = "DIR",
	  .group = "Manifests",
	  .help = "The directory of manifests: policies, Namespaces, Nodes and Pods in "
		  "*.yaml, *.yml and *.json. It is followed: a change is in force at "
		  "once." },
	{ .name = "kubeconfig",
	  .type = OPTION_TEXT,
	  .value = &s.kubeconfig,
	  .arg = "FILE",
	  .help = "Without --source, objects come from the Kubernetes API and statuses go there: "
		  "by "
		  "this kubeconfig, else by $KUBECONFIG, else as the pod that this runs in, else "
		  "by ~/.kube/config." },
	{ .name = "context",
	  .type = OPTION_TEXT,
	  .value = &s.context,
	  .arg = "NAME",
	  .help = "The context of the kubeconfig. Default: its current one" },
	{ .name = "watch-timeout",
	  .type = OPTION_DURATION,
	  .value = &s.watch_timeout_ns,
	  .fallback = "5m",
	  .min = 5 * NSEC_PER_SEC,
	  .max = 3600 * NSEC_PER_SEC,
	  .help = "A watch of the Kubernetes API is begun anew after this time, or up to twice "
		  "as much. So long may a server that says nothing go unnoticed." },
	{ .name = "status",
	  .type = OPTION_TEXT,
	  .value = &s.status,
	  .arg = "DIR",
	  .help = "Where the status of each policy is written, one file each; also what "
		  "boosts survive a restart by. Default: SOURCE/.status" },
	{ .name = "check",
	  .type = OPTION_BOOL,
	  .value = &s.check,
	  .help = "Read the manifests once, print what each policy would do, and exit with "
		  "1 if a file is wrong." },
	{ .name = "pod-labels",
	  .type = OPTION_LIST,
	  .value = &s.pod_labels,
	  .check = check_label,
	  .arg = "KEY",
	  .help = "Labels of pods that are passed on to profiles." },
	{ .name = "listen",
	  .type = OPTION_TEXT,
	  .value = &s.listen,
	  .check = address_check_listen,
	  .arg = "HOST:PORT",
	  .fallback = ":4320",
	  .group = "Agents",
	  .help = "Where agents connect; always TLS with client certificates." },
	{ .name = "tls-cert",
	  .type = OPTION_TEXT,
	  .value = &s.tls_cert,
	  .arg = "FILE",
	  .help = "Our certificate, PEM. Agents check the name in it." },
	{ .name = "tls-key",
	  .type = OPTION_TEXT,
	  .value = &s.tls_key,
	  .arg = "FILE",
	  .help = "Its private key, PEM." },
	{ .name = "tls-ca",
	  .type = OPTION_TEXT,
	  .value = &s.tls_ca,
	  .arg = "FILE",
	  .help = "Certificates of the authorities that sign agents' certificates, PEM." },
	{ .name = "agent-identity",
	  .type = OPTION_WORD,
	  .value = &s.agent_identity,
	  .words = identity_names,
	  .fallback = "auto",
	  .help = "What says which node an agent is of: the token of its pod, reviewed by the "
		  "Kubernetes API, or the name in its certificate. auto: token, with --source "
		  "certificate" },
	{ .name = "agent-audience",
	  .type = OPTION_TEXT,
	  .value = &s.agent_audience,
	  .arg = "NAME",
	  .fallback = "rubato-controller",
	  .help = "The audience that agents' tokens are made for." },
	{ .name = "agent-service-account",
	  .type = OPTION_TEXT,
	  .value = &s.agent_account,
	  .arg = "NAMESPACE:NAME",
	  .help = "The ServiceAccount of the agents. Default: rubato-agent in the controller's "
		  "own namespace" },
	{ .name = "boost-ttl",
	  .type = OPTION_DURATION,
	  .value = &s.boost_ttl_ns,
	  .fallback = "90s",
	  .min = 3 * NSEC_PER_SEC,
	  .max = 3600 * NSEC_PER_SEC,
	  .help = "An agent that hears nothing from us for this long ends its boosts "
		  "itself." },
	{ .name = "http-listen",
	  .type = OPTION_TEXT,
	  .value = &s.http_listen,
	  .check = address_check_listen,
	  .arg = "HOST:PORT",
	  .fallback = "127.0.0.1:8080",
	  .group = "Watching it",
	  .help = "Where /metrics, /healthz and /readyz are served, without TLS." },
	{ .name = "debug-store",
	  .type = OPTION_BOOL,
	  .value = &s.debug_store,
	  .help = "Serve /debug/store too: what the controller keeps of each object, one line "
		  "of JSON each. Whoever reaches --http-listen can read it." },
	{ .name = "log-level",
	  .type = OPTION_WORD,
	  .value = &s.log_level,
	  .words = log_level_names,
	  .fallback = "info",
	  .help = "The least important lines that are written" },
	{ .name = "log-format",
	  .type = OPTION_WORD,
	  .value = &s.log_format,
	  .words = log_format_names,
	  .fallback = "auto",
	  .help = "auto: text on a terminal, else JSON lines" },
};

static const struct options options = {
	.program = "rubato-controller",
	.summary = "decides what every node of a fleet samples, from policies that people "
		   "apply",
	.version = VERSION,
	.example = example,
	.def = def,
	.def_nr = ARRAY_SIZE(def),
};

/* Once we run it may go and come again; one that is not there at the start is a typing error, or not mounted. */
static int check_dir(const char *path, struct err *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return err_set(err, -EINVAL, "--source: %s: %s; make the directory first", path,
			       strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return err_set(err, -EINVAL,
			       "--source: %s: not a directory; name the one the manifests are in",
			       path);
	return 0;
}

static int complete(const struct settings *settings, struct err *err)
{
	if (settings->check && !settings->source)
		return err_set(err, -EINVAL, "--check needs --source DIR");
	if (settings->source && (settings->kubeconfig || settings->context))
		return err_set(err, -EINVAL,
			       "--source takes the place of the Kubernetes API: give "
			       "either it or --kubeconfig and --context");
	if (settings->status && !settings->source)
		return err_set(err, -EINVAL, "--status is only for --source");
	if (settings->source && settings->agent_identity == IDENTITY_TOKEN)
		return err_set(err, -EINVAL,
			       "--agent-identity token needs the Kubernetes API, not --source");
	if (settings->source && check_dir(settings->source, err) < 0)
		return -EINVAL;
	if (settings->check)
		return 0;
	if (!settings->tls_cert || !settings->tls_key || !settings->tls_ca)
		return err_set(err, -EINVAL,
			       "--tls-cert, --tls-key and --tls-ca are needed; "
			       "examples/make-certs.sh makes such files");
	if (settings->pod_labels.nr > LIMIT_PLAN_LABELS)
		return err_set(err, -EINVAL, "--pod-labels: at most %d", LIMIT_PLAN_LABELS);
	return 0;
}

int settings_parse(int argc, char **argv, const struct settings **ret_settings, struct err *err)
{
	int r = options_parse(&options, argc, argv, err);

	if (r == 0)
		r = complete(&s, err);
	if (r == 0)
		*ret_settings = &s;
	return r;
}

void settings_release(void)
{
	options_release(&options);
}
