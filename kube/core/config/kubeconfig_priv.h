/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KUBE_CORE_CONFIG_KUBECONFIG_PRIV_H
#define KUBE_CORE_CONFIG_KUBECONFIG_PRIV_H

/* Members of a kubeconfig; between kubeconfig.c and kubeconfig_user.c.  Each reads an optional member and leaves
 * its result alone when there is none.  Errors begin with the member's name. */

#include "kube/core/config/kubeconfig.h"
#include "lib/core/text/json.h"
#include "lib/core/text/yaml.h"

#define KUBECONFIG_TEXT_MAX 4096
#define KUBECONFIG_DATA_MAX (256UL * 1024)
#define KUBECONFIG_LIST_MAX 1000

/* One file, and where it is. */
struct kubeconfig_source {
	const char *path;
	size_t dir_len; /* of `path`, with the slash */
	struct yaml_stream yaml;
	const json_t *root;
};

/* A string; "" is none. */
must_check int kubeconfig_text(const json_t *obj, const char *key, size_t max, char **ret,
			       struct err *err);
must_check int kubeconfig_bool(const json_t *obj, const char *key, bool *ret, struct err *err);
/* The name of a file, relative to the file it stands in. */
must_check int kubeconfig_path(const struct kubeconfig_source *source, const json_t *obj,
			       const char *key, char **ret, struct err *err);
/* PEM in base64, possibly over several lines. */
must_check int kubeconfig_data(const json_t *obj, const char *key, char **ret, struct err *err);
must_check int kubeconfig_texts(const json_t *obj, const char *key, char ***ret, size_t *ret_nr,
				struct err *err);

/* The member `user` of an element of `users`. */
must_check int kubeconfig_user(const struct kubeconfig_source *source, const json_t *user,
			       struct kube_config *config, struct err *err);

#endif
