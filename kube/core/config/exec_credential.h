/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KUBE_CORE_CONFIG_EXEC_CREDENTIAL_H
#define KUBE_CORE_CONFIG_EXEC_CREDENTIAL_H

/* What is said to a credential plugin (client.authentication.k8s.io) and what it answers.  Pure. */

#include "kube/core/config/kubeconfig.h"
#include "lib/core/base.h"
#include "lib/core/err.h"

#define EXEC_CREDENTIAL_BYTES (256UL * 1024)

struct exec_credential {
	char *token;	   /* NULL = none */
	char *cert, *key;  /* PEM, both or none; they belong together */
	int64_t expires_s; /* wall clock; INT64_MAX = not said */
};

void exec_credential_release(struct exec_credential *credential);

/* $KUBERNETES_EXEC_INFO; the caller's to free().  `ca` is the PEM of the server's authorities, NULL = those of
 * the system. */
char *exec_credential_info(const struct kube_config *config, const char *ca);

/* The plugin's environment: `own` (ends with NULL) without what the kubeconfig sets, then that, then
 * $KUBERNETES_EXEC_INFO.  Ends with NULL. */
char **exec_credential_env(const struct kube_config *config, const char *ca, char *const *own);
void exec_credential_env_free(char **env);

/* -EINVAL when it is not an ExecCredential of that version with a token or a certificate, or when it has
 * expired at `now_s` (wall clock). */
must_check int exec_credential_parse(const char *text, size_t len, const char *api_version,
				     int64_t now_s, struct exec_credential *ret_credential,
				     struct err *err);

#endif
