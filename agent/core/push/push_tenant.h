/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CORE_PUSH_PUSH_TENANT_H
#define AGENT_CORE_PUSH_PUSH_TENANT_H

/* Which tenant of a backend the profiles of a namespace belong to: what a map says, else a template in which
 * "{namespace}" stands for its name, else none.  Pure. */

#include "lib/core/base.h"
#include "lib/core/err.h"

#define PUSH_TENANT_BYTES 150 /* Pyroscope's and Mimir's own bound */

struct push_tenants {
	const char *template;	 /* NULL = none */
	const char *const *pair; /* "NAMESPACE=TENANT", checked by push_tenant_pair_check() */
	size_t pair_nr;
};

/* Is it a name that backends take, "{namespace}" put in?  -EINVAL with a sentence. */
must_check int push_tenant_template_check(const char *text, struct err *err);
must_check int push_tenant_pair_check(const char *text, struct err *err);

/* The tenant of `ns`; "" = none.  One that would be too long, or holds what no tenant may, is "" too. */
void push_tenant_of(const struct push_tenants *tenants, const char *ns,
		    char ret_tenant[PUSH_TENANT_BYTES + 1]);

#endif
