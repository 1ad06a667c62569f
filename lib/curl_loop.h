/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_CURL_LOOP_H
#define LIB_CURL_LOOP_H

/* libcurl's multi interface on a libuv loop: one of these for whoever sends requests. */

#include "lib/core/base.h"

#include <curl/curl.h>

struct curl_loop;
struct uv_loop_s;

/* `turn` is called after libcurl has worked: any call of libcurl is allowed in it. */
struct curl_loop *curl_loop_new(struct uv_loop_s *loop, void (*turn)(void *ctx), void *ctx);

/* All handles must have been removed.  The memory goes when the loop has run its close callbacks. */
void curl_loop_close(struct curl_loop *curl);

CURLM *curl_loop_multi(struct curl_loop *curl);

#endif
