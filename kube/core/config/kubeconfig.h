/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KUBE_CORE_CONFIG_KUBECONFIG_H
#define KUBE_CORE_CONFIG_KUBECONFIG_H

/* Where the Kubernetes API is and who we are there, from kubeconfig files as kubectl reads them.  Pure: names
 * of files that it speaks of are made absolute, not opened.
 *
 * Of several files (the list in $KUBECONFIG) the first that names a cluster, user, context or
 * current-context wins.  Fields that we do not know are left alone, as kubectl does; those that say how to
 * log in and that we cannot do (auth-provider, an exec plugin that must ask a person) are errors.
 */

#include "lib/core/base.h"
#include "lib/core/err.h"

struct kube_env {
	char *name, *value;
};

struct kube_exec {
	char *command; /* absolute, or looked up in PATH; NULL = no plugin */
	char **arg;
	size_t arg_nr;
	struct kube_env *env;
	size_t env_nr;
	char *api_version;
	char *install_hint; /* NULL = none */
	bool provide_cluster_info;
	char *cluster_config; /* what the cluster says to plugins, JSON; NULL = nothing */
};

struct kube_config {
	char *context; /* its name, "in-cluster" without a file */
	char *server;  /* "https://HOST[:PORT][/PREFIX]", no slash at the end */
	char *ns;      /* of the context; NULL = none */
	/* The server.  Each may be NULL; data wins over file. */
	char *ca_data, *ca_file; /* PEM */
	char *tls_server_name;
	char *proxy_url; /* http, https or socks5 */
	bool insecure, disable_compression;
	/* Us. */
	char *cert_data, *cert_file, *key_data, *key_file; /* PEM */
	char *token, *token_file;			   /* the file wins */
	char *username, *password;
	char *as_user, *as_uid;
	char **as_group;
	size_t as_group_nr;
	struct kube_env *as_extra;
	size_t as_extra_nr;
	struct kube_exec exec;
};

struct kubeconfig_file {
	const char *path; /* absolute: relative names in it are relative to its directory */
	const char *text;
	size_t len;
};

void kube_config_release(struct kube_config *config);

/* Read the files and choose `context` (NULL: current-context).  Returns 0, or -EINVAL (-ENOENT when
 * the context is not there) with a sentence; *ret_config is written on success only and is the
 * caller's to release. */
must_check int kubeconfig_parse(const struct kubeconfig_file *file, size_t file_nr,
				const char *context, struct kube_config *ret_config,
				struct err *err);

#define KUBE_ACCOUNT_DIR "/var/run/secrets/kubernetes.io/serviceaccount"

/* In a pod: the values of $KUBERNETES_SERVICE_HOST and _PORT and the directory of the token.  The
 * namespace is left NULL.  -ENOENT when host or port is NULL or empty. */
must_check int kubeconfig_in_cluster(const char *host, const char *port, const char *account_dir,
				     struct kube_config *ret_config, struct err *err);

#endif
