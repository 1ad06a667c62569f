/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_EXEC_CREDENTIAL_H
#define CONTROLLER_EXEC_CREDENTIAL_H

/* What is said to a credential plugin (client.authentication.k8s.io) and what it answers.  Pure. */

#include "controller/kubeconfig.h"
#include "lib/base.h"
#include "lib/err.h"

#define EXEC_CREDENTIAL_BYTES (256UL * 1024)

struct exec_credential {
	char *token;	   /* NULL = none */
	char *cert, *key;  /* PEM, both or none */
	int64_t expires_s; /* wall clock; INT64_MAX = not said */
};

void exec_credential_release(struct exec_credential *credential);

/* $KUBERNETES_EXEC_INFO; the caller's to free(). */
char *exec_credential_info(const struct kube_config *config);

/* -EINVAL when it is not an ExecCredential of that version with a token or a certificate. */
must_check int exec_credential_parse(const char *text, size_t len, const char *api_version,
				     struct exec_credential *ret_credential, struct err *err);

#endif
