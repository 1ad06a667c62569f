/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/push/push_url.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#define TOKEN "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~"

static const char *after(const char *text, const char *scheme)
{
	size_t len = strlen(scheme);

	return strncmp(text, scheme, len) == 0 ? text + len : NULL;
}

/* Printable ASCII without what would be a user, a query or a fragment. */
static bool is_rest(const char *rest)
{
	size_t host = strcspn(rest, "/");

	if (host == 0 || *rest == ':')
		return false;
	for (; *rest; rest++)
		if (*rest <= ' ' || *rest > '~' || strchr("@?#\"<>\\", *rest))
			return false;
	return true;
}

static int check(const char *text, bool grpc, const char *example, struct err *err)
{
	const char *rest = after(text, "http://");

	if (!rest)
		rest = after(text, "https://");
	if (!rest && grpc)
		rest = after(text, "grpc://");
	if (!rest && grpc)
		rest = after(text, "grpcs://");
	if (!rest || !is_rest(rest))
		return err_set(err, -EINVAL,
			       "\"%.64s\" is not a URL as %s: HOST[:PORT][/PATH] behind %s, and "
			       "no user in it",
			       text, example,
			       grpc ? "http, https, grpc or grpcs://" : "http:// or https://");
	return 0;
}

int push_url_check_pyroscope(const char *text, struct err *err)
{
	return check(text, false, "http://pyroscope.monitoring.svc:4040", err);
}

int push_url_check_parca(const char *text, struct err *err)
{
	return check(text, true, "http://parca.monitoring.svc:7070", err);
}

enum push_wire push_url_wire(const char *url)
{
	return after(url, "grpc") ? PUSH_WIRE_PARCA_GRPC : PUSH_WIRE_PARCA;
}

bool push_url_is_tls(const char *url)
{
	return after(url, "https://") || after(url, "grpcs://");
}

char *push_url_make(const char *url, enum push_wire wire)
{
	const char *rest = strstr(url, "://") + 3;
	size_t len = strlen(rest);

	while (len && rest[len - 1] == '/')
		len--;
	return xasprintf("%s://%.*s%s", push_url_is_tls(url) ? "https" : "http", (int)len, rest,
			 push_wire_path(wire));
}

int push_header_name_check(const char *text, struct err *err)
{
	static const char *const ours[] = { "Authorization",  "Connection",   "Content-Encoding",
					    "Content-Length", "Content-Type", "Expect",
					    "Host",	      "TE",	      "Transfer-Encoding" };

	if (!*text || text[strspn(text, TOKEN)])
		return err_set(err, -EINVAL, "\"%.64s\" is not the name of an HTTP header", text);
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		if (strcasecmp(text, ours[i]) == 0)
			return err_set(err, -EINVAL, "%s is set by the agent", ours[i]);
	return 0;
}

int push_header_check(const char *text, struct err *err)
{
	const char *colon = strchr(text, ':');
	cleanup(freep) char *name = colon ? xstrndup(text, (size_t)(colon - text)) : NULL;
	const char *value = colon ? colon + 1 + strspn(colon + 1, " ") : "";

	for (const char *at = value; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			return err_set(err, -EINVAL, "has control characters");
	if (!*value)
		return err_set(err, -EINVAL, "\"%.64s\" is not NAME: VALUE", text);
	return push_header_name_check(name, err);
}
