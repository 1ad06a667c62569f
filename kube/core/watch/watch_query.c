/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "kube/core/watch/watch_fsm.h"

#define PAGE 500

int watch_version_compare(const char *a, const char *b)
{
	size_t a_len = strlen(a), b_len = strlen(b);

	if (!a_len || !b_len || strspn(a, "0123456789") != a_len ||
	    strspn(b, "0123456789") != b_len)
		return 0;
	if (a_len != b_len)
		return a_len < b_len ? -1 : 1;
	return strcmp(a, b);
}

/* Tokens and versions are opaque: whatever is not plain is escaped. */
static size_t escape(char *out, const char *text)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t nr = 0;

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    c == '-' || c == '_' || c == '.') {
			out[nr++] = (char)c;
			continue;
		}
		out[nr++] = '%';
		out[nr++] = hex[c >> 4];
		out[nr++] = hex[c & 15];
	}
	out[nr] = '\0';
	return nr;
}

static void list_query(const struct watch_state *state, char *out)
{
	bool paged = !state->whole && (!state->from[0] || strcmp(state->from, "0") == 0);

	if (state->continue_token[0]) {
		escape(out + sprintf(out, "limit=%d&continue=", PAGE), state->continue_token);
		return;
	}
	if (paged)
		out += sprintf(out, "limit=%d&", PAGE);
	escape(out + sprintf(out, "resourceVersion="), state->from);
}

static void stream_query(const struct watch_state *state, char *out)
{
	out += sprintf(out, "watch=1&allowWatchBookmarks=true&timeoutSeconds=%lld",
		       (long long)state->timeout_s);
	if (state->now == WATCH_ASK_STREAM)
		out += sprintf(out, "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan");
	if (state->resource_version[0] && !(state->now == WATCH_ASK_STREAM && state->version_void))
		escape(out + sprintf(out, "&resourceVersion="), state->resource_version);
}

void watch_query(const struct watch_state *state, char ret_query[WATCH_QUERY_MAX])
{
	ret_query[0] = '\0';
	if (state->now == WATCH_ASK_LIST)
		list_query(state, ret_query);
	else if (state->now == WATCH_ASK_VERSION)
		memcpy(ret_query, "limit=1", sizeof("limit=1"));
	else if (state->now != WATCH_ASK_NOTHING)
		stream_query(state, ret_query);
}
