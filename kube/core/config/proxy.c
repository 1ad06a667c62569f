/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/core/config/proxy.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#define HOST_MAX 256

/* The server. */
struct target {
	char host[HOST_MAX]; /* without brackets */
	char port[8];
	unsigned char ip[16]; /* IPv4 as ::ffff:a.b.c.d */
	bool is_ip;
};

/* --- addresses --- */

static bool to_ip(const char *text, unsigned char ret_ip[16])
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (inet_pton(AF_INET6, text, ret_ip) == 1)
		return true;
	memcpy(ret_ip, mapped, sizeof(mapped));
	return inet_pton(AF_INET, text, ret_ip + sizeof(mapped)) == 1;
}

static bool same_bits(const unsigned char *a, const unsigned char *b, unsigned int bits)
{
	unsigned char mask = (unsigned char)(0xff00U >> bits % 8);

	return memcmp(a, b, bits / 8) == 0 &&
	       (bits % 8 == 0 || !((a[bits / 8] ^ b[bits / 8]) & mask));
}

/* "10.0.0.0/8" */
static bool in_network(const struct target *target, const char *network)
{
	char text[HOST_MAX];
	unsigned char ip[16];
	size_t len = strcspn(network, "/");
	unsigned long bits;
	char *end;

	if (!target->is_ip || !network[len] || len >= sizeof(text))
		return false;
	memcpy(text, network, len);
	text[len] = '\0';
	bits = strtoul(network + len + 1, &end, 10);
	/* strtoul() would take a sign, too. */
	if (!to_ip(text, ip) || !isdigit((unsigned char)network[len + 1]) || *end || bits > 128)
		return false;
	bits += strchr(text, ':') ? 0 : 96;
	return bits <= 128 && same_bits(target->ip, ip, (unsigned int)bits);
}

static bool is_own_machine(const struct target *target)
{
	static const unsigned char loopback6[16] = { [15] = 1 };
	static const unsigned char loopback4[13] = { [10] = 0xff, [11] = 0xff, [12] = 127 };

	if (!target->is_ip)
		return strcasecmp(target->host, "localhost") == 0;
	return memcmp(target->ip, loopback6, sizeof(loopback6)) == 0 ||
	       memcmp(target->ip, loopback4, sizeof(loopback4)) == 0;
}

/* --- the server's URL --- */

static bool read_target(const char *server, struct target *ret)
{
	bool tls = strncasecmp(server, "https:", 6) == 0;
	const char *host = strstr(server, "://");
	size_t len;

	if (!host)
		return false;
	host += 3;
	len = host[0] == '[' ? strcspn(++host, "]/") : strcspn(host, ":/");
	if (!len || len >= sizeof(ret->host))
		return false;
	memcpy(ret->host, host, len);
	ret->host[len] = '\0';
	host += len + (host[len] == ']');
	memcpy(ret->port, tls ? "443" : "80", tls ? 4 : 3);
	if (host[0] == ':' && strcspn(host + 1, "/") < sizeof(ret->port)) {
		len = strcspn(host + 1, "/");
		memcpy(ret->port, host + 1, len);
		ret->port[len] = '\0';
	}
	ret->is_ip = to_ip(ret->host, ret->ip);
	return true;
}

/* --- $NO_PROXY --- */

/* "example.com" is it and what is below it, ".example.com" only what is below. */
static bool in_domain(const struct target *target, const char *domain)
{
	size_t len, host_len = strlen(target->host);
	const char *end;

	domain += strspn(domain, "*");
	len = strlen(domain);
	if (!len || host_len < len || target->is_ip)
		return false;
	end = target->host + host_len - len;
	if (strcasecmp(end, domain) != 0)
		return false;
	return domain[0] == '.' ? end > target->host : end == target->host || end[-1] == '.';
}

/* Cuts ":PORT" and brackets off; false when the port is another one. */
static bool cut_port(const struct target *target, char **entry)
{
	char *text = *entry, *colon = strrchr(text, ':');

	if (text[0] == '[') {
		char *close = strchr(text, ']');

		if (!close)
			return false;
		*close = '\0';
		*entry = text + 1;
		colon = close[1] == ':' ? close + 1 : NULL;
	} else if (colon && strchr(text, ':') != colon) {
		return true; /* an IPv6 address */
	}
	if (!colon)
		return true;
	*colon = '\0';
	return strcmp(colon + 1, target->port) == 0;
}

static bool excepts(const struct target *target, char *entry)
{
	unsigned char ip[16];

	entry += strspn(entry, " \t");
	entry[strcspn(entry, " \t")] = '\0';
	if (strcmp(entry, "*") == 0)
		return true;
	if (strchr(entry, '/'))
		return in_network(target, entry);
	if (!cut_port(target, &entry))
		return false;
	if (to_ip(entry, ip))
		return target->is_ip && memcmp(ip, target->ip, sizeof(ip)) == 0;
	return in_domain(target, entry);
}

static bool is_excepted(const struct target *target, const char *list)
{
	cleanup(freep) char *copy = xstrdup(list ? list : "");
	char *rest = copy, *entry;

	while ((entry = strsep(&rest, ",")))
		if (excepts(target, entry))
			return true;
	return false;
}

/* --- the proxy --- */

/* Names are resolved by the proxy. */
static char *for_curl(const char *url)
{
	static const char socks[] = "socks5://";

	if (strncasecmp(url, socks, sizeof(socks) - 1) == 0)
		return xasprintf("socks5h://%s", url + sizeof(socks) - 1);
	return strstr(url, "://") ? xstrdup(url) : xasprintf("http://%s", url);
}

char *kube_proxy_find(const struct kube_config *config, const struct kube_proxy_env *env)
{
	bool tls = strncasecmp(config->server, "https:", 6) == 0;
	const char *url = tls ? env->https : env->http;
	struct target target;

	if (config->proxy_url)
		return for_curl(config->proxy_url);
	if (!url || !url[0] || !read_target(config->server, &target) || is_own_machine(&target) ||
	    is_excepted(&target, env->no))
		return NULL;
	return for_curl(url);
}

char *kube_proxy_shown(const char *url)
{
	const char *host = strstr(url, "://");
	const char *at;

	host = host ? host + 3 : url;
	at = strrchr(host, '@');
	return at ? xasprintf("%.*s%s", (int)(host - url), url, at + 1) : xstrdup(url);
}
