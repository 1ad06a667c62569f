/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KUBE_CORE_CONFIG_PROXY_H
#define KUBE_CORE_CONFIG_PROXY_H

/* By which proxy the API server is reached, as kubectl decides it.  Pure.
 *
 * proxy-url of the kubeconfig wins and knows no exceptions.  Else it is $HTTPS_PROXY (of an http:// server
 * $HTTP_PROXY), or the same in small letters, unless the server is the machine itself or in $NO_PROXY: a list with
 * commas of "*", "example.com" (with all below), ".example.com" (only what is below), addresses, networks like
 * 10.0.0.0/8, each possibly with ":PORT".
 */

#include "kube/core/config/kubeconfig.h"
#include "lib/core/base.h"

/* Values of the environment; NULL = not set. */
struct kube_proxy_env {
	const char *https, *http, *no;
};

/* A URL for libcurl, the caller's to free(); NULL = none. */
char *kube_proxy_find(const struct kube_config *config, const struct kube_proxy_env *env);

/* The URL without name and password, for the log; the caller's to free(). */
char *kube_proxy_shown(const char *url);

#endif
