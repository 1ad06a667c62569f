/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "kube/core/config/kubeconfig_priv.h"
#include "lib/core/limits.h"

static void add_env(struct kube_env **env, size_t *nr, const char *name, const char *value)
{
	GROW(*env, *nr);
	(*env)[(*nr)++] = (struct kube_env){ .name = xstrdup(name), .value = xstrdup(value) };
}

static int read_exec_env(const json_t *exec, struct kube_exec *ret, struct err *err)
{
	const json_t *list = NULL, *item;
	size_t i;
	int r = json_get_array(exec, "env", KUBECONFIG_LIST_MAX, &list, err);

	if (r < 0)
		return r;
	json_array_foreach(list, i, item)
	{
		const char *name = NULL, *value = NULL;

		r = json_get_name(item, "name", KUBECONFIG_TEXT_MAX, &name, err);
		if (r == 0)
			r = json_get_text(item, "value", KUBECONFIG_DATA_MAX, &value, err);
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

static int read_exec(const struct kubeconfig_source *source, const json_t *exec,
		     struct kube_exec *ret, struct err *err)
{
	int r = kubeconfig_text(exec, "command", KUBECONFIG_TEXT_MAX, &ret->command, err);

	if (r == 0 && ret->command && strchr(ret->command, '/') && ret->command[0] != '/') {
		free(TAKE_PTR(ret->command));
		r = kubeconfig_path(source, exec, "command", &ret->command, err);
	}
	if (r == 0)
		r = kubeconfig_text(exec, "apiVersion", KUBECONFIG_TEXT_MAX, &ret->api_version,
				    err);
	if (r == 0)
		r = kubeconfig_bool(exec, "provideClusterInfo", &ret->provide_cluster_info, err);
	if (r == 0)
		r = kubeconfig_texts(exec, "args", &ret->arg, &ret->arg_nr, err);
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
	int r = kubeconfig_text(user, "as", KUBECONFIG_TEXT_MAX, &config->as_user, err);

	if (r == 0)
		r = kubeconfig_text(user, "as-uid", KUBECONFIG_TEXT_MAX, &config->as_uid, err);
	if (r == 0)
		r = kubeconfig_texts(user, "as-groups", &config->as_group, &config->as_group_nr,
				     err);
	if (r < 0)
		return r;
	json_object_foreach(extra, key, list) json_array_foreach(list, i, item)
	{
		if (!json_is_string(item) || config->as_extra_nr >= KUBECONFIG_LIST_MAX)
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

int kubeconfig_user(const struct kubeconfig_source *source, const json_t *user,
		    struct kube_config *config, struct err *err)
{
	const json_t *exec = json_object_get(user, "exec");
	int r = kubeconfig_data(user, "client-certificate-data", &config->cert_data, err);

	if (r == 0)
		r = kubeconfig_data(user, "client-key-data", &config->key_data, err);
	if (r == 0)
		r = kubeconfig_path(source, user, "client-certificate", &config->cert_file, err);
	if (r == 0)
		r = kubeconfig_path(source, user, "client-key", &config->key_file, err);
	if (r == 0)
		r = kubeconfig_text(user, "token", LIMIT_KUBE_TOKEN_BYTES, &config->token, err);
	if (r == 0)
		r = kubeconfig_path(source, user, "tokenFile", &config->token_file, err);
	if (r == 0)
		r = kubeconfig_text(user, "username", KUBECONFIG_TEXT_MAX, &config->username, err);
	if (r == 0)
		r = kubeconfig_text(user, "password", KUBECONFIG_TEXT_MAX, &config->password, err);
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
