/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/http.h"
#include "kube/kubeconfig_load.h"
#include "kube/reflector/reflector.h"

#include <stdio.h>
#include <uv.h>

static void on_put(void *ctx, json_t *pod)
{
	const json_t *metadata = json_object_get(pod, "metadata");

	fprintf(ctx, "%s/%s\n", json_string_value(json_object_get(metadata, "namespace")),
		json_string_value(json_object_get(metadata, "name")));
}

static void on_remove(void *ctx, const char *ns, const char *name)
{
	fprintf(ctx, "%s/%s is gone\n", ns, name);
}

int main(void)
{
	static const struct reflector_resource pods = {
		.path = "/api/v1/pods", .api_version = "v1", .kind = "Pod", .keep = watch_keep_names
	};
	static const struct reflector_events events = { .put = on_put, .remove = on_remove };
	struct kube_config config = { 0 };
	struct kube_http_options http = { .config = &config, .user_agent = "follow-pods/1" };
	struct reflector_options options = { .resource = &pods, .events = &events, .ctx = stdout };
	struct err err = ERR_INIT;

	if (kubeconfig_load(NULL, NULL, &config, &err) < 0 ||
	    kube_http_new(uv_default_loop(), &http, &options.http, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	reflector_new(uv_default_loop(), &options);
	return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
