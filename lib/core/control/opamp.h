/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_CORE_CONTROL_OPAMP_H
#define LIB_CORE_CONTROL_OPAMP_H

/* The envelope of the control channel: OpAMP messages (proto/opamp.proto) to and from bytes.
 *
 * A WebSocket message is one header byte 0 and one protobuf message.  Only what we use is kept;
 * unknown fields are skipped.  Texts are checked (UTF-8, no control characters, bounded), bodies
 * are opaque here (lib/core/control/control_msg.h reads them).  A hash that is not 32 bytes long is no hash of
 * ours and reads as "" (OpAMP says that hashes are opaque, so another server may have left one).
 * Pure.
 */

#include "lib/core/base.h"
#include "lib/core/err.h"
#include "lib/core/limits.h"
#include "lib/core/plan/plan.h"

#define OPAMP_PATH "/v1/opamp"
#define OPAMP_UID_BYTES 16
#define OPAMP_CAPABILITY "dev.rubato.control/v1" /* of our custom messages */
#define OPAMP_PLAN_FILE "plan.json"		 /* the remote_config entry that is a plan */
#define OPAMP_TYPE_BYTES 32
#define OPAMP_TEXT_BYTES 512

/* Capability bits of the spec that we use. */
#define OPAMP_AGENT_REPORTS_STATUS 0x1ULL
#define OPAMP_AGENT_ACCEPTS_CONFIG 0x2ULL
#define OPAMP_AGENT_REPORTS_CONFIG 0x1000ULL
#define OPAMP_SERVER_ACCEPTS_STATUS 0x1ULL
#define OPAMP_SERVER_OFFERS_CONFIG 0x2ULL
#define OPAMP_SERVER_REPORT_FULL_STATE 0x1ULL /* flag */

enum opamp_status { /* RemoteConfigStatuses */
		    OPAMP_UNSET,
		    OPAMP_APPLIED,
		    OPAMP_APPLYING,
		    OPAMP_FAILED,
};

/* A custom message of our capability. */
struct opamp_custom {
	char type[OPAMP_TYPE_BYTES]; /* "" = there is none */
	char *body;		     /* owned, NUL-terminated for convenience */
	size_t body_len;
};

struct opamp_from_agent {
	uint8_t uid[OPAMP_UID_BYTES]; /* one run of one agent process */
	uint64_t seq;		      /* one more with every message */
	uint64_t capabilities;
	char host[LIMIT_NAME_BYTES +
		  1];  /* what it says its host is; never believed; "" = not said */
	bool knows_us; /* it named OPAMP_CAPABILITY */
	bool has_description;
	bool has_status;
	enum opamp_status status;
	char hash[PLAN_HASH_HEX]; /* of the last plan it was given; "" = none */
	char error[OPAMP_TEXT_BYTES];
	bool leaving; /* agent_disconnect */
	struct opamp_custom custom;
};

struct opamp_to_agent {
	uint8_t uid[OPAMP_UID_BYTES];
	uint64_t capabilities, flags;
	bool knows_us;
	char hash[PLAN_HASH_HEX]; /* of the plan below */
	char *plan;		  /* owned; a full plan; NULL = none */
	size_t plan_len;
	char error[OPAMP_TEXT_BYTES]; /* "" = none */
	struct opamp_custom custom;
};

void opamp_from_agent_release(struct opamp_from_agent *msg);
void opamp_to_agent_release(struct opamp_to_agent *msg);

/* The message as bytes behind `room` bytes left free (libwebsockets wants some); the caller frees.
 * *ret_len does not count the room. */
uint8_t *opamp_from_agent_pack(const struct opamp_from_agent *msg, size_t room, size_t *ret_len);
uint8_t *opamp_to_agent_pack(const struct opamp_to_agent *msg, size_t room, size_t *ret_len);

/* Bytes from the peer.  Returns 0, or -EPROTO with err; *ret is written on success only. */
must_check int opamp_from_agent_unpack(const uint8_t *bytes, size_t len,
				       struct opamp_from_agent *ret, struct err *err);
must_check int opamp_to_agent_unpack(const uint8_t *bytes, size_t len, struct opamp_to_agent *ret,
				     struct err *err);

#endif
