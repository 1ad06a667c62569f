/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/kubeconfig_load.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "lib/core/limits.h"
#include "lib/fs.h"

#define FILES_MAX 32

/* Not realpath(): what a file names is looked for beside the link that was given, as kubectl does. */
static char *absolute(const char *path)
{
	char here[PATH_MAX];

	if (path[0] == '/' || !getcwd(here, sizeof(here)))
		return xstrdup(path);
	return xasprintf("%s/%s", here, path);
}

static int read_files(const char *list, const char *context, struct kube_config *ret_config,
		      struct err *err)
{
	struct kubeconfig_file file[FILES_MAX] = { 0 };
	cleanup(freep) char *copy = xstrdup(list);
	char *rest = copy, *path;
	size_t nr = 0;
	int r = 0;

	while (r == 0 && (path = strsep(&rest, ":"))) {
		char *text = NULL;
		size_t len = 0;

		if (!path[0])
			continue;
		if (nr == FILES_MAX)
			r = err_set(err, -E2BIG, "%s: more than %d files", list, FILES_MAX);
		else
			r = fs_read_file(path, (size_t)LIMIT_MANIFEST_BYTES, &text, &len, err);
		/* kubectl leaves out files of a list that are not there. */
		if (r == -ENOENT && strchr(list, ':'))
			r = 0;
		else if (r == 0)
			file[nr++] = (struct kubeconfig_file){ absolute(path), text, len };
	}
	if (r == 0 && !nr)
		r = err_set(err, -ENOENT, "%s: none of these files is there", list);
	if (r == 0)
		r = kubeconfig_parse(file, nr, context, ret_config, err);
	for (size_t i = 0; i < nr; i++) {
		free((char *)file[i].path);
		free((char *)file[i].text);
	}
	return r;
}

int kubeconfig_load(const char *path, const char *context, struct kube_config *ret_config,
		    struct err *err)
{
	const char *host = getenv("KUBERNETES_SERVICE_HOST");
	const char *home = getenv("HOME");
	cleanup(freep) char *usual = xasprintf("%s/.kube/config", home ? home : "/root");
	int r;

	if (!path)
		path = getenv("KUBECONFIG");
	if (path && path[0])
		return read_files(path, context, ret_config, err);
	if (host && host[0])
		return kubeconfig_in_cluster(host, getenv("KUBERNETES_SERVICE_PORT"),
					     KUBE_ACCOUNT_DIR, ret_config, err);
	r = read_files(usual, context, ret_config, err);
	if (r == -ENOENT && access(usual, F_OK) < 0)
		return err_set(
			err, r,
			"there is no kubeconfig: this is no pod, and neither --kubeconfig nor "
			"$KUBECONFIG nor %s is there",
			usual);
	return r;
}

char *kubeconfig_namespace(const struct kube_config *config)
{
	cleanup(freep) char *text = NULL;
	size_t len = 0;

	if (config->token_file && strcmp(config->token_file, KUBE_ACCOUNT_DIR "/token") == 0 &&
	    fs_read_file(KUBE_ACCOUNT_DIR "/namespace", LIMIT_NAME_BYTES, &text, &len, NULL) == 0 &&
	    strcspn(text, "\n") > 0)
		return xstrndup(text, strcspn(text, "\n"));
	return xstrdup(config->ns ? config->ns : "default");
}
