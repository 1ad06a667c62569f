/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/core/config/kubeconfig.h"

#include <errno.h>
#include <string.h>

#include "kube/core/config/kubeconfig_priv.h"

static void envs_free(struct kube_env *env, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		free(env[i].name);
		free(env[i].value);
	}
	free(env);
}

static void texts_free(char **text, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		free(text[i]);
	free(text);
}

void kube_config_release(struct kube_config *config)
{
	char *const text[] = {
		config->context,
		config->server,
		config->ns,
		config->ca_data,
		config->ca_file,
		config->proxy_url,
		config->cert_data,
		config->cert_file,
		config->key_data,
		config->key_file,
		config->token,
		config->token_file,
		config->username,
		config->password,
		config->as_user,
		config->as_uid,
		config->exec.command,
		config->exec.api_version,
		config->exec.install_hint,
		config->exec.cluster_config,
		config->tls_server_name,
	};

	for (size_t i = 0; i < ARRAY_SIZE(text); i++)
		free(text[i]);
	texts_free(config->as_group, config->as_group_nr);
	texts_free(config->exec.arg, config->exec.arg_nr);
	envs_free(config->as_extra, config->as_extra_nr);
	envs_free(config->exec.env, config->exec.env_nr);
	*config = (struct kube_config){ 0 };
}

/* --- the server --- */

static int check_server(struct kube_config *config, struct err *err)
{
	const char *server = config->server;
	size_t len = server ? strlen(server) : 0;

	if (!server)
		return err_set(err, -EINVAL, "server: is missing");
	if (strncmp(server, "https://", 8) != 0 && strncmp(server, "http://", 7) != 0)
		return err_set(err, -EINVAL, "server: \"%s\" does not begin with https://", server);
	if (strpbrk(server, " ?#@"))
		return err_set(err, -EINVAL, "server: \"%s\" is not the address of a server",
			       server);
	while (len > 8 && config->server[len - 1] == '/')
		config->server[--len] = '\0';
	return 0;
}

static int check_proxy(const char *url, struct err *err)
{
	static const char *const scheme[] = { "http://", "https://", "socks5://" };

	for (size_t i = 0; url && i < ARRAY_SIZE(scheme); i++)
		if (strncmp(url, scheme[i], strlen(scheme[i])) == 0 && url[strlen(scheme[i])])
			return 0;
	return url ? err_set(err, -EINVAL,
			     "proxy-url: is not http://HOST, https://HOST or socks5://HOST")
		   : 0;
}

/* What the cluster says to credential plugins. */
static void read_extension(const json_t *cluster, struct kube_config *config)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(cluster, "extensions"), i, item)
	{
		const char *name = json_string_value(json_object_get(item, "name"));

		if (name && strcmp(name, "client.authentication.k8s.io/exec") == 0 &&
		    !config->exec.cluster_config)
			config->exec.cluster_config = json_dumps(json_object_get(item, "extension"),
								 JSON_COMPACT | JSON_ENCODE_ANY);
	}
}

static int read_cluster(const struct kubeconfig_source *source, const json_t *cluster,
			struct kube_config *config, struct err *err)
{
	int r = kubeconfig_text(cluster, "server", KUBECONFIG_TEXT_MAX, &config->server, err);

	if (r == 0)
		r = check_server(config, err);
	if (r == 0)
		r = kubeconfig_text(cluster, "tls-server-name", KUBECONFIG_TEXT_MAX,
				    &config->tls_server_name, err);
	if (r == 0)
		r = kubeconfig_text(cluster, "proxy-url", KUBECONFIG_TEXT_MAX, &config->proxy_url,
				    err);
	if (r == 0)
		r = check_proxy(config->proxy_url, err);
	if (r == 0)
		r = kubeconfig_bool(cluster, "insecure-skip-tls-verify", &config->insecure, err);
	if (r == 0)
		r = kubeconfig_bool(cluster, "disable-compression", &config->disable_compression,
				    err);
	if (r == 0)
		r = kubeconfig_data(cluster, "certificate-authority-data", &config->ca_data, err);
	if (r == 0)
		r = kubeconfig_path(source, cluster, "certificate-authority", &config->ca_file,
				    err);
	if (r == 0 && config->insecure && (config->ca_data || config->ca_file))
		return err_set(err, -EINVAL,
			       "insecure-skip-tls-verify and a certificate-authority do not go "
			       "together; take one of them out");
	read_extension(cluster, config);
	return r;
}

/* --- finding --- */

/* The member `inner` of the first element called `name` in `list` of any file. */
static const json_t *find(const struct kubeconfig_source *source, size_t nr, const char *list,
			  const char *name, const char *inner,
			  const struct kubeconfig_source **ret_source)
{
	const json_t *item;
	size_t i;

	for (size_t s = 0; s < nr; s++) {
		json_array_foreach(json_object_get(source[s].root, list), i, item)
		{
			const char *is = json_string_value(json_object_get(item, "name"));

			if (is && strcmp(is, name) == 0) {
				*ret_source = &source[s];
				return json_object_get(item, inner);
			}
		}
	}
	return NULL;
}

static const char *current_context(const struct kubeconfig_source *source, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		const char *name =
			json_string_value(json_object_get(source[i].root, "current-context"));

		if (name && name[0])
			return name;
	}
	return NULL;
}

static int choose(const struct kubeconfig_source *source, size_t nr, const char *context,
		  struct kube_config *config, struct err *err)
{
	const struct kubeconfig_source *at = NULL;
	const json_t *chosen, *cluster, *user;
	const char *cluster_name, *user_name;
	int r;

	if (!context)
		context = current_context(source, nr);
	if (!context)
		return err_set(err, -EINVAL,
			       "no current-context; choose one with kubectl config use-context");
	chosen = find(source, nr, "contexts", context, "context", &at);
	if (!chosen)
		return err_set(err, -ENOENT, "there is no context \"%s\"", context);
	config->context = xstrdup(context);
	r = kubeconfig_text(chosen, "namespace", KUBECONFIG_TEXT_MAX, &config->ns, err);
	if (r < 0)
		return err_wrap(err, r, "%s: context \"%s\"", at->path, context);
	cluster_name = json_string_value(json_object_get(chosen, "cluster"));
	user_name = json_string_value(json_object_get(chosen, "user"));
	cluster = cluster_name ? find(source, nr, "clusters", cluster_name, "cluster", &at) : NULL;
	if (!cluster)
		return err_set(err, -EINVAL, "context \"%s\": its cluster \"%s\" is not there",
			       context, cluster_name ? cluster_name : "");
	r = read_cluster(at, cluster, config, err);
	if (r < 0)
		return err_wrap(err, r, "%s: cluster \"%s\"", at->path, cluster_name);
	if (!user_name || !user_name[0])
		return 0;
	user = find(source, nr, "users", user_name, "user", &at);
	if (!user)
		return err_set(err, -EINVAL, "context \"%s\": its user \"%s\" is not there",
			       context, user_name);
	r = kubeconfig_user(at, user, config, err);
	return r < 0 ? err_wrap(err, r, "%s: user \"%s\"", at->path, user_name) : 0;
}

static int load(const struct kubeconfig_file *file, struct kubeconfig_source *ret, struct err *err)
{
	const char *slash = strrchr(file->path, '/');
	int r = yaml_parse(file->text, file->len, &ret->yaml, err);

	if (r < 0)
		return err_wrap(err, r, "%s", file->path);
	ret->path = file->path;
	ret->dir_len = slash ? (size_t)(slash - file->path) + 1 : 0;
	ret->root = ret->yaml.doc_nr ? ret->yaml.doc[0].root : NULL;
	if (ret->yaml.doc_nr > 1 ||
	    (ret->root && !json_is_object(ret->root) && !json_is_null(ret->root)))
		return err_set(err, -EINVAL, "%s: is not a kubeconfig file", file->path);
	return 0;
}

int kubeconfig_parse(const struct kubeconfig_file *file, size_t file_nr, const char *context,
		     struct kube_config *ret_config, struct err *err)
{
	struct kubeconfig_source *source = xcalloc(file_nr + 1, sizeof(*source));
	struct kube_config config = { 0 };
	int r = 0;

	for (size_t i = 0; r == 0 && i < file_nr; i++)
		r = load(&file[i], &source[i], err);
	if (r == 0)
		r = choose(source, file_nr, context, &config, err);
	for (size_t i = 0; i < file_nr; i++)
		yaml_release(&source[i].yaml);
	free(source);
	if (r < 0) {
		kube_config_release(&config);
		return r;
	}
	*ret_config = config;
	return 0;
}

int kubeconfig_in_cluster(const char *host, const char *port, const char *account_dir,
			  struct kube_config *ret_config, struct err *err)
{
	struct kube_config config = { 0 };

	if (!host || !host[0] || !port || !port[0])
		return err_set(err, -ENOENT, "this is no pod: KUBERNETES_SERVICE_HOST is not set");
	config.context = xstrdup("in-cluster");
	config.server =
		xasprintf(strchr(host, ':') ? "https://[%s]:%s" : "https://%s:%s", host, port);
	config.ca_file = xasprintf("%s/ca.crt", account_dir);
	config.token_file = xasprintf("%s/token", account_dir);
	*ret_config = config;
	return 0;
}
