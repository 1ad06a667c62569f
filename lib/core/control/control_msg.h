/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_CORE_CONTROL_CONTROL_MSG_H
#define LIB_CORE_CONTROL_CONTROL_MSG_H

/* The JSON bodies that travel inside the envelope (lib/core/control/opamp.h); docs/protocol.md shows each.
 *
 *	session	 controller -> agent  first on each connection: epoch, dead-man time, spread, the node's name
 *	plan	 controller -> agent  a whole plan (as remote_config, not as a custom message)
 *	delta	 controller -> agent  what turns the plan `base` into the plan `hash`
 *	ttl	 controller -> agent  the boosts are still wanted
 *	applied	 agent -> controller  what came of a plan
 *
 * Everything read is bounded and validated; unknown members are ignored.
 */

#include "lib/core/base.h"
#include "lib/core/err.h"
#include "lib/core/limits.h"
#include "lib/core/plan/plan.h"

#include <jansson.h>

#define CONTROL_SESSION "session"
#define CONTROL_DELTA "delta"
#define CONTROL_TTL "ttl"
#define CONTROL_APPLIED "applied"
#define CONTROL_ERROR_BYTES 512

/* Which controller's word is newer: t first, then n.  All zero = none yet. */
struct control_epoch {
	int64_t t; /* when its state was first made, unix seconds */
	int64_t n; /* counts the times that a controller took over */
};

/* < 0, 0, > 0 like strcmp(). */
int control_epoch_cmp(const struct control_epoch *a, const struct control_epoch *b);
/* A new reference; {"t":1,"n":2}. */
json_t *control_epoch_to_json(const struct control_epoch *epoch);
/* Read member `epoch` of `json`. */
must_check int control_epoch_from_json(const json_t *json, struct control_epoch *ret,
				       struct err *err);
/* As the content of a file: {"epoch":{"t":1,"n":2}} and a newline; the caller frees. */
char *control_epoch_pack(const struct control_epoch *epoch);
/* -EPROTO with a sentence. */
must_check int control_epoch_unpack(const char *text, size_t len, struct control_epoch *ret,
				    struct err *err);

struct control_session {
	struct control_epoch epoch;
	uint32_t ttl_ms;    /* the dead-man time in use */
	uint32_t spread_ms; /* reconnect after a random part of this */
	char node[LIMIT_NAME_BYTES + 1];
};

/* What stands before the content of plan, delta and ttl.  ttl has only the epoch. */
struct control_head {
	struct control_epoch epoch;
	int64_t gen;		  /* > 0; grows within an epoch */
	char base[PLAN_HASH_HEX]; /* delta only */
	char hash[PLAN_HASH_HEX];
};

enum control_result {
	CONTROL_OK,
	CONTROL_PARTIAL, /* in force, but clamped by the agent's own ceiling */
	CONTROL_FAILED,	 /* the previous plan stays in force */
};

/* Why an agent could not take a plan; each is counted apart. */
enum control_reason {
	CONTROL_REASON_NONE,
	CONTROL_REASON_BASE,	/* the delta's base is not what it has: it wants the full plan */
	CONTROL_REASON_HASH,	/* the outcome's hash is not the one announced */
	CONTROL_REASON_INVALID, /* not a valid plan */
	CONTROL_REASON_APPLY,	/* the kernel did not agree */
	CONTROL_REASON_STALE,	/* it has seen a newer epoch */
	CONTROL_REASON_NR,
};
const char *control_reason_name(enum control_reason reason);

/* What of the plan in force the node has no room for: those are not sampled, or not by their class. */
#define CONTROL_MISSING_NAMESPACES 16
struct control_missing {
	uint64_t cgroups; /* 0 = nothing is missing */
	char ns[CONTROL_MISSING_NAMESPACES][LIMIT_NAME_BYTES + 1];
	size_t ns_nr;
	bool more; /* of other namespaces too; which is not said */
};

/* Whether containers of this namespace may be missing.  `missing` may be NULL: nothing is. */
bool control_missing_has(const struct control_missing *missing, const char *ns);
bool control_missing_equal(const struct control_missing *a, const struct control_missing *b);

struct control_applied {
	struct control_epoch epoch;
	int64_t gen;		  /* of the plan that is answered; 0 = a report, not an answer */
	char hash[PLAN_HASH_HEX]; /* of the plan that is answered */
	char have[PLAN_HASH_HEX]; /* of the plan in force; "" = none */
	enum control_result result;
	enum control_reason reason;
	char error[CONTROL_ERROR_BYTES];
	uint32_t max_rate_hz; /* the agent's own ceiling */
	struct control_missing missing;
};

/* To a body: NUL-terminated, owned by the caller.  `now_ns` is the clock of the plan's deadlines. */
char *control_session_pack(const struct control_session *session);
char *control_applied_pack(const struct control_applied *applied);
char *control_plan_pack(const struct control_head *head, const struct plan *plan, int64_t now_ns,
			uint32_t ttl_ms);
/* head->base names `from`. */
char *control_delta_pack(const struct control_head *head, const struct plan *from,
			 const struct plan *to, int64_t now_ns, uint32_t ttl_ms);
char *control_ttl_pack(const struct control_epoch *epoch, const struct plan *plan, int64_t now_ns,
		       uint32_t ttl_ms);

/* From a body: 0, or -EPROTO with err naming the member; *ret is written on success only. */
must_check int control_session_unpack(const char *body, size_t len, struct control_session *ret,
				      struct err *err);
must_check int control_applied_unpack(const char *body, size_t len, struct control_applied *ret,
				      struct err *err);
/* A plan, delta or ttl: its head and the JSON (a new reference) for plan_from_json() and friends.
 * Members that the kind of body lacks are 0 or "". */
must_check int control_head_unpack(const char *body, size_t len, struct control_head *ret_head,
				   json_t **ret_json, struct err *err);

#endif
