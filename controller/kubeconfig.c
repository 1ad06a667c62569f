/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/kubeconfig.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

#include "lib/json.h"
#include "lib/limits.h"
#include "lib/yaml.h"

#define TEXT_MAX 4096
#define DATA_MAX (256 * 1024)
#define LIST_MAX 1000

/* One file, and where it is. */
struct source {
	const char *path;
	size_t dir_len; /* of `path`, with the slash */
	struct yaml_stream yaml;
	const json_t *root;
};

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

/* --- members --- */

/* An optional string; absent, null and "" leave *ret alone. */
static int get_text(const json_t *obj, const char *key, size_t max, char **ret, struct err *err)
{
	const char *text = NULL;
	const json_t *value = json_object_get(obj, key);
	int r;

	if (json_is_string(value) && !json_string_length(value))
		return 0;
	r = json_get_opt_name(obj, key, max, &text, err);
	if (r == 0 && text)
		*ret = xstrdup(text);
	return r;
}

static int get_bool(const json_t *obj, const char *key, bool *ret, struct err *err)
{
	const json_t *value = json_object_get(obj, key);

	if (!value || json_is_null(value))
		return 0;
	if (!json_is_boolean(value))
		return err_set(err, -EINVAL, "%s: is neither true nor false", key);
	*ret = json_is_true(value);
	return 0;
}

/* The name of a file, relative to the file it stands in. */
static int get_path(const struct source *source, const json_t *obj, const char *key, char **ret,
		    struct err *err)
{
	cleanup(freep) char *path = NULL;
	int r = get_text(obj, key, TEXT_MAX, &path, err);

	if (r < 0 || !path)
		return r;
	*ret = path[0] == '/' ? xstrdup(path)
			      : xasprintf("%.*s%s", (int)source->dir_len, source->path, path);
	return 0;
}

/* PEM in base64, possibly over several lines. */
static int get_data(const json_t *obj, const char *key, char **ret, struct err *err)
{
	const json_t *value = json_object_get(obj, key);
	const char *text = json_string_value(value);
	size_t len = 0, pad = 0;
	cleanup(freep) char *plain = NULL;
	cleanup(freep) char *out = NULL;
	int nr;

	if (!value || json_is_null(value) || (text && !text[0]))
		return 0;
	if (!text || strlen(text) > DATA_MAX)
		return err_set(err, -EINVAL, "%s: is not base64", key);
	plain = xmalloc(strlen(text) + 1);
	for (; *text; text++)
		if (!strchr(" \n\r\t", *text))
			plain[len++] = *text;
	while (pad < 2 && pad < len && plain[len - 1 - pad] == '=')
		pad++;
	out = xmalloc(len + 1);
	nr = len % 4 ? -1 : EVP_DecodeBlock((unsigned char *)out, (unsigned char *)plain, (int)len);
	if (nr < (int)pad || memchr(out, '\0', (size_t)nr - pad))
		return err_set(err, -EINVAL, "%s: is not base64 of a PEM file", key);
	out[(size_t)nr - pad] = '\0';
	*ret = TAKE_PTR(out);
	return 0;
}

static int get_texts(const json_t *obj, const char *key, char ***ret, size_t *ret_nr,
		     struct err *err)
{
	const json_t *list = NULL, *item;
	size_t i;
	int r = json_get_array(obj, key, LIST_MAX, &list, err);

	if (r < 0)
		return r;
	json_array_foreach(list, i, item)
	{
		if (!json_is_string(item) || json_string_length(item) > TEXT_MAX)
			return err_set(err, -EINVAL, "%s[%zu]: is not a string", key, i);
		GROW(*ret, *ret_nr);
		(*ret)[(*ret_nr)++] = xstrdup(json_string_value(item));
	}
	return 0;
}

static void add_env(struct kube_env **env, size_t *nr, const char *name, const char *value)
{
	GROW(*env, *nr);
	(*env)[(*nr)++] = (struct kube_env){ .name = xstrdup(name), .value = xstrdup(value) };
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

static int read_cluster(const struct source *source, const json_t *cluster,
			struct kube_config *config, struct err *err)
{
	int r = get_text(cluster, "server", TEXT_MAX, &config->server, err);

	if (r == 0)
		r = check_server(config, err);
	if (r == 0)
		r = get_text(cluster, "tls-server-name", TEXT_MAX, &config->tls_server_name, err);
	if (r == 0)
		r = get_text(cluster, "proxy-url", TEXT_MAX, &config->proxy_url, err);
	if (r == 0)
		r = get_bool(cluster, "insecure-skip-tls-verify", &config->insecure, err);
	if (r == 0)
		r = get_bool(cluster, "disable-compression", &config->disable_compression, err);
	if (r == 0)
		r = get_data(cluster, "certificate-authority-data", &config->ca_data, err);
	if (r == 0)
		r = get_path(source, cluster, "certificate-authority", &config->ca_file, err);
	if (r == 0 && config->insecure && (config->ca_data || config->ca_file))
		return err_set(err, -EINVAL,
			       "insecure-skip-tls-verify and a certificate-authority do not go "
			       "together");
	return r;
}

/* --- who we are --- */

static int read_exec_env(const json_t *exec, struct kube_exec *ret, struct err *err)
{
	const json_t *list = NULL, *item;
	size_t i;
	int r = json_get_array(exec, "env", LIST_MAX, &list, err);

	if (r < 0)
		return r;
	json_array_foreach(list, i, item)
	{
		const char *name = NULL, *value = NULL;

		r = json_get_name(item, "name", TEXT_MAX, &name, err);
		if (r == 0)
			r = json_get_text(item, "value", DATA_MAX, &value, err);
		if (r < 0)
			return err_wrap(err, r, "env[%zu]", i);
		if (strchr(name, '='))
			return err_set(err, -EINVAL, "env[%zu].name: \"=\" cannot be in it", i);
		add_env(&ret->env, &ret->env_nr, name, value);
	}
	return 0;
}

static int check_exec(const json_t *exec, const struct kube_exec *ret, struct err *err)
{
	const char *mode = json_string_value(json_object_get(exec, "interactiveMode"));

	if (!ret->command)
		return err_set(err, -EINVAL, "command: is missing");
	if (!ret->api_version ||
	    (strcmp(ret->api_version, "client.authentication.k8s.io/v1") != 0 &&
	     strcmp(ret->api_version, "client.authentication.k8s.io/v1beta1") != 0))
		return err_set(err, -EINVAL,
			       "apiVersion: is not client.authentication.k8s.io/v1 or v1beta1");
	if (mode && strcmp(mode, "Always") == 0)
		return err_set(err, -EINVAL, "interactiveMode: Always: a daemon has nobody to ask");
	if (mode && strcmp(mode, "Never") != 0 && strcmp(mode, "IfAvailable") != 0)
		return err_set(err, -EINVAL,
			       "interactiveMode: \"%s\" is not one of Never, IfAvailable, Always",
			       mode);
	if (!mode && strcmp(ret->api_version, "client.authentication.k8s.io/v1") == 0)
		return err_set(err, -EINVAL, "interactiveMode: is missing");
	return 0;
}

static int read_exec(const struct source *source, const json_t *exec, struct kube_exec *ret,
		     struct err *err)
{
	int r = get_text(exec, "command", TEXT_MAX, &ret->command, err);

	if (r == 0 && ret->command && strchr(ret->command, '/') && ret->command[0] != '/') {
		free(TAKE_PTR(ret->command));
		r = get_path(source, exec, "command", &ret->command, err);
	}
	if (r == 0)
		r = get_text(exec, "apiVersion", TEXT_MAX, &ret->api_version, err);
	if (r == 0)
		r = get_bool(exec, "provideClusterInfo", &ret->provide_cluster_info, err);
	if (r == 0)
		r = get_texts(exec, "args", &ret->arg, &ret->arg_nr, err);
	if (r == 0)
		r = read_exec_env(exec, ret, err);
	if (r == 0 && json_is_string(json_object_get(exec, "installHint")))
		ret->install_hint =
			xstrdup(json_string_value(json_object_get(exec, "installHint")));
	return r == 0 ? check_exec(exec, ret, err) : r;
}

static int read_impersonation(const json_t *user, struct kube_config *config, struct err *err)
{
	json_t *extra = json_object_get(user, "as-user-extra"), *list, *item;
	const char *key;
	size_t i;
	int r = get_text(user, "as", TEXT_MAX, &config->as_user, err);

	if (r == 0)
		r = get_text(user, "as-uid", TEXT_MAX, &config->as_uid, err);
	if (r == 0)
		r = get_texts(user, "as-groups", &config->as_group, &config->as_group_nr, err);
	if (r < 0)
		return r;
	json_object_foreach(extra, key, list) json_array_foreach(list, i, item)
	{
		if (!json_is_string(item) || config->as_extra_nr >= LIST_MAX)
			return err_set(err, -EINVAL, "as-user-extra: is not a map of lists");
		add_env(&config->as_extra, &config->as_extra_nr, key, json_string_value(item));
	}
	if (!config->as_user && (config->as_uid || config->as_group_nr || config->as_extra_nr))
		return err_set(err, -EINVAL, "as: is missing, while other as-... are there");
	return 0;
}

static int check_user(const json_t *user, const struct kube_config *config, struct err *err)
{
	bool cert = config->cert_data || config->cert_file;
	bool key = config->key_data || config->key_file;

	if (json_is_object(json_object_get(user, "auth-provider")))
		return err_set(err, -EINVAL,
			       "auth-provider: is no longer supported by Kubernetes clients; "
			       "use exec with the plugin of your provider");
	if (cert != key)
		return err_set(err, -EINVAL, "%s: is missing",
			       cert ? "client-key" : "client-certificate");
	if ((config->username || config->password) && (config->token || config->token_file))
		return err_set(err, -EINVAL, "username and token do not go together");
	return 0;
}

static int read_user(const struct source *source, const json_t *user, struct kube_config *config,
		     struct err *err)
{
	const json_t *exec = json_object_get(user, "exec");
	int r = get_data(user, "client-certificate-data", &config->cert_data, err);

	if (r == 0)
		r = get_data(user, "client-key-data", &config->key_data, err);
	if (r == 0)
		r = get_path(source, user, "client-certificate", &config->cert_file, err);
	if (r == 0)
		r = get_path(source, user, "client-key", &config->key_file, err);
	if (r == 0)
		r = get_text(user, "token", LIMIT_KUBE_TOKEN_BYTES, &config->token, err);
	if (r == 0)
		r = get_path(source, user, "tokenFile", &config->token_file, err);
	if (r == 0)
		r = get_text(user, "username", TEXT_MAX, &config->username, err);
	if (r == 0)
		r = get_text(user, "password", TEXT_MAX, &config->password, err);
	if (r == 0)
		r = read_impersonation(user, config, err);
	if (r == 0)
		r = check_user(user, config, err);
	if (r == 0 && json_is_object(exec)) {
		r = read_exec(source, exec, &config->exec, err);
		if (r < 0)
			err_wrap(err, r, "exec");
	}
	return r;
}

/* --- finding --- */

/* The member `inner` of the first element called `name` in `list` of any file. */
static const json_t *find(const struct source *source, size_t nr, const char *list,
			  const char *name, const char *inner, const struct source **ret_source)
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

static const char *current_context(const struct source *source, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		const char *name =
			json_string_value(json_object_get(source[i].root, "current-context"));

		if (name && name[0])
			return name;
	}
	return NULL;
}

static int choose(const struct source *source, size_t nr, const char *context,
		  struct kube_config *config, struct err *err)
{
	const struct source *at = NULL;
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
	r = get_text(chosen, "namespace", TEXT_MAX, &config->ns, err);
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
	r = read_user(at, user, config, err);
	return r < 0 ? err_wrap(err, r, "%s: user \"%s\"", at->path, user_name) : 0;
}

static int load(const struct kubeconfig_file *file, struct source *ret, struct err *err)
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
	struct source *source = xcalloc(file_nr + 1, sizeof(*source));
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
