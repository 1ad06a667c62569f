/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/source/kube_source.h"

#include <curl/curl.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "controller/status/kube_notes.h"
#include "controller/status/kube_status.h"
#include "kube/core/config/proxy.h"
#include "kube/http.h"
#include "kube/reflector/reflector.h"
#include "lib/core/limits.h"
#include "lib/fs.h"
#include "lib/log.h"
#include "lib/observe/metrics.h"

#define FILES_MAX 32

static const struct kube_watch_resource resource[] = {
	{ OBJECT_CLUSTER_POLICY, "/apis/" PROFILING_API_VERSION "/clusterprofilingpolicies",
	  PROFILING_API_VERSION },
	{ OBJECT_POLICY, "/apis/" PROFILING_API_VERSION "/profilingpolicies",
	  PROFILING_API_VERSION },
	{ OBJECT_NAMESPACE, "/api/v1/namespaces", "v1" },
	{ OBJECT_NODE, "/api/v1/nodes", "v1" },
	{ OBJECT_POD, "/api/v1/pods", "v1" },
};

struct kube_source {
	uv_loop_t *loop;
	struct metrics *metrics;
	struct kube_http *http;
	struct kube_status *status;
	struct kube_notes *notes;
	struct source_sink sink;
	struct kube_watch *watch[ARRAY_SIZE(resource)];
	int64_t watch_timeout_s;
	bool complete; /* all have been in sync */
	void (*known)(void *ctx);
	void *known_ctx;
};

/* --- where the API is --- */

/* Not realpath(): what a file names is looked for beside the link that was given, as kubectl does. */
static char *absolute(const char *path)
{
	char here[PATH_MAX];

	if (path[0] == '/' || !getcwd(here, sizeof(here)))
		return xstrdup(path);
	return xasprintf("%s/%s", here, path);
}

static int read_files(const char *list, const char *context, struct kube_config *ret_config,
		      struct err *err)
{
	struct kubeconfig_file file[FILES_MAX] = { 0 };
	cleanup(freep) char *copy = xstrdup(list);
	char *rest = copy, *path;
	size_t nr = 0;
	int r = 0;

	while (r == 0 && (path = strsep(&rest, ":"))) {
		char *text = NULL;
		size_t len = 0;

		if (!path[0])
			continue;
		if (nr == FILES_MAX)
			r = err_set(err, -E2BIG, "%s: more than %d files", list, FILES_MAX);
		else
			r = fs_read_file(path, (size_t)LIMIT_MANIFEST_BYTES, &text, &len, err);
		/* kubectl leaves out files of a list that are not there. */
		if (r == -ENOENT && strchr(list, ':'))
			r = 0;
		else if (r == 0)
			file[nr++] = (struct kubeconfig_file){ absolute(path), text, len };
	}
	if (r == 0 && !nr)
		r = err_set(err, -ENOENT, "%s: none of these files is there", list);
	if (r == 0)
		r = kubeconfig_parse(file, nr, context, ret_config, err);
	for (size_t i = 0; i < nr; i++) {
		free((char *)file[i].path);
		free((char *)file[i].text);
	}
	return r;
}

int kube_source_find(const char *path, const char *context, struct kube_config *ret_config,
		     struct err *err)
{
	const char *host = getenv("KUBERNETES_SERVICE_HOST");
	const char *home = getenv("HOME");
	cleanup(freep) char *usual = xasprintf("%s/.kube/config", home ? home : "/root");
	int r;

	if (!path)
		path = getenv("KUBECONFIG");
	if (path && path[0])
		return read_files(path, context, ret_config, err);
	if (host && host[0])
		return kubeconfig_in_cluster(host, getenv("KUBERNETES_SERVICE_PORT"),
					     KUBE_ACCOUNT_DIR, ret_config, err);
	r = read_files(usual, context, ret_config, err);
	if (r == -ENOENT && access(usual, F_OK) < 0)
		return err_set(
			err, r,
			"there is no kubeconfig: this is no pod, and neither --kubeconfig nor "
			"$KUBECONFIG nor %s is there",
			usual);
	return r;
}

/* --- what comes --- */

static void on_apply(void *ctx, struct object *object, const json_t *status)
{
	struct kube_source *source = ctx;
	struct manifest_doc doc = { .object = object, .has_created = true };

	if (object->kind == OBJECT_POLICY || object->kind == OBJECT_CLUSTER_POLICY)
		kube_status_learn(source->status, object, status);
	source->sink.apply(source->sink.ctx, &doc);
}

static void on_refuse(void *ctx, struct object *outline, const json_t *status, const char *why)
{
	struct kube_source *source = ctx;

	kube_status_learn(source->status, outline, status);
	source->sink.refuse(source->sink.ctx, outline, why);
}

static void on_remove(void *ctx, enum object_kind kind, const char *ns, const char *name)
{
	struct kube_source *source = ctx;

	source->sink.remove(source->sink.ctx, kind, ns, name);
}

static bool on_sweep(void *ctx, enum object_kind kind, const struct key_set *keep,
		     struct sweep_at *at)
{
	struct kube_source *source = ctx;

	return source->sink.sweep(source->sink.ctx, kind, keep, at);
}

/* Nothing is compiled before everything is known: a plan without the pods would end their boosts. */
static void on_settled(void *ctx)
{
	struct kube_source *source = ctx;

	if (source->complete)
		source->sink.settled(source->sink.ctx);
}

static void on_synced(void *ctx, enum object_kind kind)
{
	struct kube_source *source = ctx;

	(void)kind;
	for (size_t i = 0; i < ARRAY_SIZE(resource); i++)
		if (!kube_watch_synced(source->watch[i]))
			return;
	if (!source->complete) {
		log_info("everything is read from the Kubernetes API");
		source->complete = true;
		source->known(source->known_ctx);
	}
	source->sink.complete(source->sink.ctx);
}

static const struct kube_watch_events events = {
	.apply = on_apply,
	.refuse = on_refuse,
	.remove = on_remove,
	.sweep = on_sweep,
	.settled = on_settled,
	.synced = on_synced,
};

static void on_stored(void *ctx, enum object_kind kind, const char *ns, const char *name)
{
	struct kube_source *source = ctx;

	if (source->complete)
		source->sink.stored(source->sink.ctx, kind, ns, name);
}

/* --- life --- */

int kube_source_new(struct uv_loop_s *loop, struct kube_config *config, int64_t watch_timeout_ns,
		    struct metrics *metrics, struct kube_source **ret_source, struct err *err)
{
	struct kube_source *source = xcalloc(1, sizeof(*source));
	int r;

	source->loop = loop;
	source->metrics = metrics;
	source->watch_timeout_s = watch_timeout_ns / NSEC_PER_SEC;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	r = kube_http_new(loop, config, metrics, &source->http, err);
	if (r < 0) {
		free(source);
		return r;
	}
	source->status = kube_status_new(loop, source->http, on_stored, source, metrics);
	source->notes = kube_notes_new(loop, source->http, metrics);
	*ret_source = source;
	return 0;
}

struct status_store kube_source_store(struct kube_source *source)
{
	return kube_status_store(source->status);
}

struct kube_http *kube_source_http(const struct kube_source *source)
{
	return source->http;
}

void kube_source_start(struct kube_source *source, const struct source_sink *sink,
		       void (*known)(void *ctx), void *ctx)
{
	const struct kube_config *config = kube_http_config(source->http);
	const char *proxy = kube_http_proxy(source->http);
	cleanup(freep) char *shown = proxy ? kube_proxy_shown(proxy) : NULL;

	log_info("Kubernetes API", LOG_STR("server", config->server),
		 LOG_STR("context", config->context), LOG_STR("proxy", shown));
	source->sink = *sink;
	source->known = known;
	source->known_ctx = ctx;
	for (size_t i = 0; i < ARRAY_SIZE(resource); i++) {
		source->watch[i] = kube_watch_new(source->loop, source->http, &resource[i], &events,
						  source, source->metrics);
		kube_watch_set_timeout(source->watch[i], source->watch_timeout_s);
	}
}

void kube_source_note(void *ctx, enum kube_event_what what, const struct object *object,
		      const char *text)
{
	struct kube_source *source = ctx;

	kube_notes_add(source->notes, what, object, text);
}

void kube_source_close(struct kube_source *source)
{
	if (!source)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(resource); i++)
		kube_watch_close(source->watch[i]);
	kube_status_close(source->status);
	kube_notes_close(source->notes);
	kube_http_close(source->http);
	free(source);
}

bool kube_source_ok(const struct kube_source *source, struct err *ret_why)
{
	for (size_t i = 0; i < ARRAY_SIZE(resource); i++) {
		if (!source->watch[i])
			return err_set(ret_why, 0, "not started") != 0;
		if (!kube_watch_ok(source->watch[i], ret_why))
			return false;
	}
	return kube_status_ok(source->status, ret_why);
}
