/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KUBE_KUBECONFIG_LOAD_H
#define KUBE_KUBECONFIG_LOAD_H

/* Finds the Kubernetes API as kubectl does: the files that are given, or those of $KUBECONFIG, or the pod that we are
 * in, or ~/.kube/config.  Reads files; called once, at the start. */

#include "kube/core/config/kubeconfig.h"
#include "lib/core/base.h"
#include "lib/core/err.h"

/* `path`: one file or several with colons between, of which some may be missing; NULL: look elsewhere.  `context`: one
 * of its contexts; NULL: the current one.  Returns 0, or a negative errno with a sentence for a person; *ret_config
 * is written on success only and is the caller's to kube_config_release(). */
must_check int kubeconfig_load(const char *path, const char *context,
			       struct kube_config *ret_config, struct err *err);

/* The namespace that is ours: that of the pod we are in, or of the context, or "default".  The caller frees. */
char *kubeconfig_namespace(const struct kube_config *config);

#endif
