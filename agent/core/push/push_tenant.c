/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/push/push_tenant.h"

#include <errno.h>
#include <string.h>

#define PLACE "{namespace}"

/* As Grafana's backends have it; "." and ".." would be paths. */
static bool is_tenant(const char *text)
{
	size_t len = strlen(text);

	return len > 0 && len <= PUSH_TENANT_BYTES && strcmp(text, ".") != 0 &&
	       strcmp(text, "..") != 0 &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			    "!-_.*'()") == len;
}

/* Every place filled; false when it does not fit. */
static bool fill(const char *template, const char *ns, char ret_tenant[PUSH_TENANT_BYTES + 1])
{
	size_t len = 0;

	while (*template) {
		bool place = strncmp(template, PLACE, sizeof(PLACE) - 1) == 0;
		const char *piece = place ? ns : template;
		size_t piece_len = place ? strlen(ns) : 1;

		if (len + piece_len > PUSH_TENANT_BYTES)
			return false;
		memcpy(ret_tenant + len, piece, piece_len);
		len += piece_len;
		template += place ? sizeof(PLACE) - 1 : 1;
	}
	ret_tenant[len] = '\0';
	return true;
}

static const char *in_map(const struct push_tenants *tenants, const char *ns)
{
	size_t len = strlen(ns);

	for (size_t i = 0; i < tenants->pair_nr; i++)
		if (strncmp(tenants->pair[i], ns, len) == 0 && tenants->pair[i][len] == '=')
			return tenants->pair[i] + len + 1;
	return NULL;
}

void push_tenant_of(const struct push_tenants *tenants, const char *ns,
		    char ret_tenant[PUSH_TENANT_BYTES + 1])
{
	const char *template = in_map(tenants, ns);

	if (!template)
		template = tenants->template;
	if (!template || !fill(template, ns, ret_tenant) || !is_tenant(ret_tenant))
		ret_tenant[0] = '\0';
}

int push_tenant_template_check(const char *text, struct err *err)
{
	char tenant[PUSH_TENANT_BYTES + 1];

	if (!fill(text, "x", tenant) || !is_tenant(tenant))
		return err_set(err, -EINVAL,
			       "\"%.64s\" is not a tenant: 1 to %d of A-Z a-z 0-9 !-_.*'(), with "
			       "{namespace} for the namespace",
			       text, PUSH_TENANT_BYTES);
	return 0;
}

int push_tenant_pair_check(const char *text, struct err *err)
{
	const char *equal = strchr(text, '=');

	if (!equal || equal == text || !is_tenant(equal + 1))
		return err_set(err, -EINVAL,
			       "\"%.64s\" is not NAMESPACE=TENANT, as payments=team-a", text);
	return 0;
}
