/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KUBE_CORE_WATCH_WATCH_FSM_H
#define KUBE_CORE_WATCH_WATCH_FSM_H

/* How one resource of the Kubernetes API is followed: what to ask next, what to do with what came.  Pure.
 *
 * One request is under way at a time.  First a sync: a watch that begins with all objects (a streaming
 * list), or, when that fails in any way, a paged LIST.  Then watches, one after the other, from the version
 * where the last one ended.  An object goes to the store when it comes; a sync counts which came, and at
 * its end those that did not are removed (`commit`), so that a sync which breaks off removes nothing.
 *
 * Where it is from: client-go's reflector and its issues; KEP-3157 (streaming lists: any error of one falls back to a
 * list), KEP-365 (pages; one that has expired is followed by the whole list), KEP-5504 (versions of one resource are
 * ordered).  A version is kept only of what comes in order, that is, not of the objects a stream begins with.
 *
 * The caller keeps what a step says: first `cancel`, then the store, then credentials, then one request
 * or one wait.  Anything that still comes of a request that has been cancelled is not told.
 */

#include "lib/core/base.h"

#define WATCH_VERSION_MAX 64
#define WATCH_CONTINUE_MAX 4096
#define WATCH_QUERY_MAX (3 * WATCH_CONTINUE_MAX + 512)

enum watch_request {
	WATCH_ASK_NOTHING,
	WATCH_ASK_STREAM, /* a watch that sends all objects first */
	WATCH_ASK_LIST,	  /* a list, or a page of it */
	WATCH_ASK_WATCH,
	WATCH_ASK_VERSION, /* one object of a list, for the list's version */
};

enum watch_event_type {
	WATCH_START,	/* also: the wait is over */
	WATCH_DEADLINE, /* the time of the request is over */
	/* of a stream */
	WATCH_PUT, /* ADDED or MODIFIED */
	WATCH_ADDED,
	WATCH_DELETED,
	WATCH_BOOKMARK,
	WATCH_STRANGE, /* an event that we do not understand */
	WATCH_ERROR,   /* type ERROR; its Status is in `status` */
	/* of a list */
	WATCH_ITEM,
	WATCH_PAGE, /* the list's end: version and token */
	/* the end of a request */
	WATCH_ENDED,	    /* it was answered with 200 and ended well */
	WATCH_REFUSED_HTTP, /* it was answered with another code than 200, or 200 that is no list */
	WATCH_FAILED,	    /* it was not answered, or broke off; why is in `failure` */
};

enum watch_failure {
	WATCH_FAIL_OTHER,
	WATCH_FAIL_CONNECT, /* nobody listens there */
	WATCH_FAIL_TLS,	    /* the server's certificate is not good */
};

struct watch_status {
	int code;		/* HTTP, or of the Status object */
	bool expired;		/* reason Expired or Gone */
	bool too_large;		/* cause ResourceVersionTooLarge */
	bool internal;		/* reason InternalError */
	int64_t retry_after_ns; /* 0 = not said */
};

struct watch_event {
	enum watch_event_type type;
	const char *resource_version; /* of the object or list; NULL = none */
	const char *continue_token;   /* of a page: where it goes on; NULL or "" = nowhere */
	bool initial_end;	      /* of a bookmark */
	enum watch_failure failure;
	struct watch_status status;
};

struct watch_do {
	bool cancel;	  /* end the request */
	bool begin;	  /* a sync begins: none has come yet */
	bool put, remove; /* the object of the event */
	bool commit;	  /* the sync is over: remove what did not come */
	bool drop_token;
	enum watch_request ask;
	int64_t deadline_ns; /* of `ask`, from now; to be set before it is sent */
	int64_t wait_ns;     /* > 0: wait, then WATCH_START */
	const char *why;     /* what went wrong, a constant; NULL = nothing */
};

struct watch_state {
	enum watch_request now;			  /* under way */
	enum watch_request next;		  /* after the wait */
	char resource_version[WATCH_VERSION_MAX]; /* "" = none yet */
	bool version_void;			 /* it cannot be had any more: ask for the newest */
	bool synced;				 /* there was a commit */
	bool list_only;				 /* the server has no streaming lists */
	bool listing;				 /* a page of this list has come */
	bool whole;				 /* ask without pages, after a page was refused */
	char from[WATCH_VERSION_MAX];		 /* the version this list was asked with */
	char continue_token[WATCH_CONTINUE_MAX]; /* of the next page; "" = none */
	int64_t began_ns, timeout_s;		 /* of the request */
	int64_t timeout_min_s; /* of a watch; up to twice that.  5 min unless set after watch_init() */
	uint64_t events;       /* of this watch, bookmarks too */
	bool ordered;	       /* versions of this stream may be kept */
	uint32_t failures;
	uint32_t unanswered; /* connections refused in a row, which are no failures of a server */
	uint32_t internal_errors;
	int64_t healthy_ns; /* since when; 0 = not */
	bool token_retried, ca_retried;
	bool forbidden, missing; /* for people: 403, 404 */
};

void watch_init(struct watch_state *state);

/* `now_ns`: CLOCK_BOOTTIME; `rnd`: 64 random bits. */
struct watch_do watch_step(struct watch_state *state, const struct watch_event *event,
			   int64_t now_ns, uint64_t rnd);

/* "watch=1&resourceVersion=..." of the request under way. */
void watch_query(const struct watch_state *state, char ret_query[WATCH_QUERY_MAX]);

/* <0, 0, >0 as versions of one resource are ordered; 0 too when they cannot be compared. */
int watch_version_compare(const char *a, const char *b);

#endif
