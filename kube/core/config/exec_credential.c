/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/core/config/exec_credential.h"

#include <errno.h>
#include <string.h>

#include "kube/core/config/pem.h"
#include "lib/core/limits.h"
#include "lib/core/text/encode.h"
#include "lib/core/text/json.h"
#include "lib/core/text/rfc3339.h"

void exec_credential_release(struct exec_credential *credential)
{
	free(credential->token);
	free(credential->cert);
	free(credential->key);
	*credential = (struct exec_credential){ 0 };
}

static json_t *base64(const char *text)
{
	cleanup(freep) char *out = base64_encode(text, strlen(text));

	return json_string(out);
}

static json_t *cluster_info(const struct kube_config *config, const char *ca)
{
	json_t *cluster = json_must(json_pack("{ss}", "server", config->server));

	if (config->tls_server_name)
		json_object_set_new(cluster, "tls-server-name",
				    json_string(config->tls_server_name));
	if (config->insecure)
		json_object_set_new(cluster, "insecure-skip-tls-verify", json_true());
	if (config->proxy_url)
		json_object_set_new(cluster, "proxy-url", json_string(config->proxy_url));
	if (config->disable_compression)
		json_object_set_new(cluster, "disable-compression", json_true());
	if (ca)
		json_object_set_new(cluster, "certificate-authority-data", base64(ca));
	if (config->exec.cluster_config)
		json_object_set_new(cluster, "config",
				    json_loads(config->exec.cluster_config, JSON_DECODE_ANY, NULL));
	return cluster;
}

char *exec_credential_info(const struct kube_config *config, const char *ca)
{
	json_auto_t *info =
		json_must(json_pack("{sssss{sb}}", "apiVersion", config->exec.api_version, "kind",
				    "ExecCredential", "spec", "interactive", 0));
	char *text;

	if (config->exec.provide_cluster_info)
		json_object_set_new(json_object_get(info, "spec"), "cluster",
				    cluster_info(config, ca));
	text = json_dumps(info, JSON_COMPACT);
	if (!text)
		abort();
	return text;
}

/* Is it `NAME=...` of a name that the kubeconfig sets, or that we set? */
static bool is_set(const struct kube_exec *exec, const char *variable)
{
	static const char info[] = "KUBERNETES_EXEC_INFO=";
	size_t len = strcspn(variable, "=");

	for (size_t i = 0; i < exec->env_nr; i++)
		if (strncmp(exec->env[i].name, variable, len) == 0 && !exec->env[i].name[len])
			return true;
	return strncmp(variable, info, sizeof(info) - 1) == 0;
}

char **exec_credential_env(const struct kube_config *config, const char *ca, char *const *own)
{
	const struct kube_exec *exec = &config->exec;
	cleanup(freep) char *info = exec_credential_info(config, ca);
	size_t own_nr = 0, nr = 0;
	char **env;

	while (own[own_nr])
		own_nr++;
	env = xcalloc(own_nr + exec->env_nr + 2, sizeof(*env));
	for (size_t i = 0; i < own_nr; i++)
		if (!is_set(exec, own[i]))
			env[nr++] = xstrdup(own[i]);
	for (size_t i = 0; i < exec->env_nr; i++)
		env[nr++] = xasprintf("%s=%s", exec->env[i].name, exec->env[i].value);
	env[nr] = xasprintf("KUBERNETES_EXEC_INFO=%s", info);
	return env;
}

void exec_credential_env_free(char **env)
{
	for (char **e = env; *e; e++)
		free(*e);
	free(env);
}

static int read_status(const json_t *status, int64_t now_s, struct exec_credential *ret,
		       struct err *err)
{
	const char *cert = json_string_value(json_object_get(status, "clientCertificateData"));
	const char *key = json_string_value(json_object_get(status, "clientKeyData"));
	const char *token = NULL, *expires = NULL;
	int r = json_get_opt_name(status, "token", LIMIT_KUBE_TOKEN_BYTES, &token, err);

	if (r == 0)
		r = json_get_opt_name(status, "expirationTimestamp", RFC3339_MAX, &expires, err);
	if (r < 0)
		return r;
	ret->expires_s = INT64_MAX;
	if (expires && rfc3339_parse(expires, &ret->expires_s) < 0)
		return err_set(err, -EINVAL, "expirationTimestamp: is not a time");
	if (ret->expires_s <= now_s)
		return err_set(err, -EINVAL, "expirationTimestamp: %s is over already", expires);
	if (!cert != !key)
		return err_set(err, -EINVAL,
			       "clientCertificateData and clientKeyData come together");
	if (!token && !cert)
		return err_set(err, -EINVAL, "there is neither a token nor a certificate");
	if (cert)
		r = pem_check_pair(cert, key, err);
	if (r < 0)
		return r;
	ret->token = token ? xstrdup(token) : NULL;
	ret->cert = cert ? xstrdup(cert) : NULL;
	ret->key = key ? xstrdup(key) : NULL;
	return 0;
}

int exec_credential_parse(const char *text, size_t len, const char *api_version, int64_t now_s,
			  struct exec_credential *ret_credential, struct err *err)
{
	struct exec_credential credential = { 0 };
	json_auto_t *root = NULL;
	const char *kind, *version;
	int r = json_parse_bounded(text, len, LIMIT_JSON_DEPTH, &root, err);

	if (r < 0)
		return r;
	kind = json_string_value(json_object_get(root, "kind"));
	version = json_string_value(json_object_get(root, "apiVersion"));
	if (!kind || strcmp(kind, "ExecCredential") != 0 || !version ||
	    strcmp(version, api_version) != 0)
		return err_set(err, -EINVAL, "it is not an ExecCredential of %s", api_version);
	r = read_status(json_object_get(root, "status"), now_s, &credential, err);
	if (r < 0)
		return err_wrap(err, r, "status");
	*ret_credential = credential;
	return 0;
}
