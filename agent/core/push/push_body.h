/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CORE_PUSH_PUSH_BODY_H
#define AGENT_CORE_PUSH_PUSH_BODY_H

/* A request's body.  Profiles are gzipped each: the body as a whole is not.  Pure. */

#include "agent/core/push/push_record.h"
#include "lib/core/base.h"

enum push_wire {
	PUSH_WIRE_PYROSCOPE,  /* push.v1.PusherService/Push, protobuf */
	PUSH_WIRE_PARCA,      /* /api/profiles/writeraw, JSON */
	PUSH_WIRE_PARCA_GRPC, /* ProfileStoreService/WriteRaw, protobuf in one gRPC frame */
};

/* The path behind a backend's URL, and the type of the body. */
const char *push_wire_path(enum push_wire wire);
const char *push_wire_type(enum push_wire wire);

/* The caller frees it.  Series i is record i. */
uint8_t *push_body(enum push_wire wire, const struct push_record *record, size_t nr,
		   size_t *ret_len);

#endif
