/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/daemon/settings_push.h"

#include <errno.h>
#include <string.h>

#include "agent/core/push/push_tenant.h"
#include "agent/core/push/push_url.h"

#define AGE_MIN_NS (60 * NSEC_PER_SEC)
#define AGE_MAX_NS (7LL * 24 * 3600 * NSEC_PER_SEC)

const char *settings_push_name(enum push_backend backend)
{
	return backend == PUSH_BACKEND_PYROSCOPE ? "pyroscope" : "parca";
}

#define COMMON(P, NAME, AGE)                                                                        \
	{ "sink-" P "-tenant",                                                                      \
	  OPTION_TEXT,                                                                              \
	  &s->tenant,                                                                               \
	  .arg = "TEXT",                                                                            \
	  .check = push_tenant_template_check,                                                      \
	  .help = "whose profiles they are to " NAME                                                \
		  "; {namespace} stands for the profile's namespace" },                             \
		{ "sink-" P "-tenant-map",                                                          \
		  OPTION_LIST,                                                                      \
		  &s->tenant_map,                                                                   \
		  .arg = "NAMESPACE=TENANT",                                                        \
		  .check = push_tenant_pair_check,                                                  \
		  .help = "the tenants of some namespaces, whatever --sink-" P "-tenant says" },    \
		{ "sink-" P "-tenant-header",	    OPTION_TEXT,   &s->tenant_header,               \
		  .fallback = "X-Scope-OrgID",	    .arg = "NAME", .check = push_header_name_check, \
		  .help = "the header that says it" },                                              \
		{ "sink-" P "-user", OPTION_TEXT, &s->user, .arg = "NAME",                          \
		  .help = "of basic authentication" },                                              \
		{ "sink-" P "-password-file", OPTION_TEXT, &s->password_file, .arg = "FILE",        \
		  .help = "its password; read for each request, as all files of credentials" },     \
		{ "sink-" P "-token-file", OPTION_TEXT, &s->token_file, .arg = "FILE",              \
		  .help = "a bearer token" },                                                       \
		{ "sink-" P "-tls-ca", OPTION_TEXT, &s->tls_ca, .arg = "FILE",                      \
		  .help = "the authorities that may vouch for " NAME ", if not the system's" },     \
		{ "sink-" P "-tls-cert", OPTION_TEXT, &s->tls_cert, .arg = "FILE",                  \
		  .help = "our client certificate" },                                               \
		{ "sink-" P "-tls-key", OPTION_TEXT, &s->tls_key, .arg = "FILE",                    \
		  .help = "its private key" },                                                      \
		{ "sink-" P "-header",                                                              \
		  OPTION_LIST,                                                                      \
		  &s->header,                                                                       \
		  .arg = "\"NAME: VALUE\"",                                                         \
		  .check = push_header_check,                                                       \
		  .help = "a header more" },                                                        \
	{                                                                                           \
		"sink-" P "-max-age", OPTION_DURATION, &s->max_age_ns,                              \
			.min = AGE_MIN_NS, .max = AGE_MAX_NS, .fallback = (AGE),                    \
			.help = "older profiles are dropped unsent"                                 \
	}

static void fill_pyroscope(struct settings_push *s, struct option_def *def)
{
	const struct option_def table[SETTINGS_PUSH_OPTIONS] = {
		{ "sink-pyroscope", OPTION_TEXT, &s->url, .arg = "URL",
		  .check = push_url_check_pyroscope, .group = "Profiles to Pyroscope",
		  .help = "push them to Pyroscope, Grafana Cloud or whatever speaks push.v1" },
		COMMON("pyroscope", "Pyroscope", "50m"),
	};

	memcpy(def, table, sizeof(table));
}

static void fill_parca(struct settings_push *s, struct option_def *def)
{
	const struct option_def table[SETTINGS_PUSH_OPTIONS] = {
		{ "sink-parca", OPTION_TEXT, &s->url, .arg = "URL", .check = push_url_check_parca,
		  .group = "Profiles to Parca",
		  .help = "push them to Parca: http, https by its REST API, grpc, grpcs by gRPC" },
		COMMON("parca", "Parca", "12h"),
	};

	memcpy(def, table, sizeof(table));
}

void settings_push_table(struct settings_push *push, enum push_backend backend,
			 struct option_def def[SETTINGS_PUSH_OPTIONS])
{
	if (backend == PUSH_BACKEND_PYROSCOPE)
		fill_pyroscope(push, def);
	else
		fill_parca(push, def);
}

/* --- what belongs together --- */

/* An option that says nothing without a URL, if one is there. */
static const char *needs_url(const struct settings_push *push)
{
	const struct {
		bool there;
		const char *name;
	} option[] = {
		{ push->tenant, "tenant" },
		{ push->tenant_map.nr > 0, "tenant-map" },
		{ push->user, "user" },
		{ push->password_file, "password-file" },
		{ push->token_file, "token-file" },
		{ push->tls_ca, "tls-ca" },
		{ push->tls_cert, "tls-cert" },
		{ push->tls_key, "tls-key" },
		{ push->header.nr > 0, "header" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(option); i++)
		if (option[i].there)
			return option[i].name;
	return NULL;
}

int settings_push_check(const struct settings_push *push, enum push_backend backend,
			struct err *err)
{
	const char *name = settings_push_name(backend), *option = needs_url(push);

	if (!push->url)
		return option ? err_set(err, -EINVAL, "--sink-%s-%s needs --sink-%s URL", name,
					option, name)
			      : 0;
	if (push->user && push->token_file)
		return err_set(err, -EINVAL,
			       "--sink-%s-user and --sink-%s-token-file: only one of them can be "
			       "sent",
			       name, name);
	if (!push->user != !push->password_file)
		return err_set(err, -EINVAL,
			       "--sink-%s-user and --sink-%s-password-file need each other", name,
			       name);
	if (!push->tls_cert != !push->tls_key)
		return err_set(err, -EINVAL,
			       "--sink-%s-tls-cert and --sink-%s-tls-key need each "
			       "other",
			       name, name);
	if ((push->tls_ca || push->tls_cert) && !push_url_is_tls(push->url))
		return err_set(err, -EINVAL, "--sink-%s-tls-*: %s is without TLS; is it https?",
			       name, push->url);
	return 0;
}

struct push_target settings_push_target(const struct settings_push *push, enum push_backend backend)
{
	return (struct push_target){
		.url = push->url,
		.wire = backend == PUSH_BACKEND_PYROSCOPE || !push->url ? PUSH_WIRE_PYROSCOPE
									: push_url_wire(push->url),
		.user = push->user,
		.password_file = push->password_file,
		.token_file = push->token_file,
		.tls_ca = push->tls_ca,
		.tls_cert = push->tls_cert,
		.tls_key = push->tls_key,
		.tenant_header = push->tenant_header,
		.header = (const char *const *)push->header.item,
		.header_nr = push->header.nr,
		.user_agent = "rubato-agent/" VERSION,
	};
}
