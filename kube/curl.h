/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KUBE_CURL_H
#define KUBE_CURL_H

/* libcurl's multi interface on a libuv loop. */

#include "lib/core/base.h"

#include <curl/curl.h>

struct kube_curl;
struct uv_loop_s;

/* `turn` is called after libcurl has worked: any call of libcurl is allowed in it. */
struct kube_curl *kube_curl_new(struct uv_loop_s *loop, void (*turn)(void *ctx), void *ctx);

/* All handles must have been removed.  The memory goes when the loop has run its close callbacks. */
void kube_curl_close(struct kube_curl *curl);

CURLM *kube_curl_multi(struct kube_curl *curl);

#endif
