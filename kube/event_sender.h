/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KUBE_EVENT_SENDER_H
#define KUBE_EVENT_SENDER_H

/* Sends Events (kube/core/event_recorder.h) to the Kubernetes API, one at a time, behind everything else: they go through
 * the token bucket of http.h.  Nothing waits for them, and they may be lost. */

#include "kube/core/event_recorder.h"
#include "lib/core/base.h"

struct event_sender;
struct kube_http;
struct metric;
struct uv_loop_s;

struct event_sender_options {
	struct kube_http *http; /* must outlive event_sender_close() */
	/* Who reports, "example.com/program"; must outlive it.  The instance is the host's name. */
	const char *controller;
	/* Between two requests, so that few are made however many there are; 0 = none. */
	int64_t pause_ns;
	/* Counts events that the API did not get; NULL = not counted. */
	struct metric *dropped;
};

struct event_sender *event_sender_new(struct uv_loop_s *loop,
				      const struct event_sender_options *options);
/* To be called before kube_http_close(); what was not sent is lost.  The memory goes when the loop has run its close
 * callbacks.  NULL is nothing. */
void event_sender_close(struct event_sender *sender);

/* This happened to `regarding` (copied): `text` is a sentence.  `reason` must outlive the sender.  Sent a millisecond
 * later at the earliest, so that a status that is written in the same turn goes first. */
void event_sender_tell(struct event_sender *sender, const struct event_reason *reason,
		       const struct event_object *regarding, const char *text);

#endif
