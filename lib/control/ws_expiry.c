/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/control/ws_expiry.h"

#include <time.h>

#include "lib/core/base.h"
#include "lib/observe/metrics.h"

void ws_expiry_init(struct ws_expiry *expiry, struct metrics *metrics, const char *prefix)
{
	static const char help[] =
		"When the certificate ends: own = ours or one of its chain, ca = "
		"the last authority that we trust.";
	cleanup(freep) char *name = NULL;

	*expiry = (struct ws_expiry){ 0 };
	if (!metrics)
		return;
	name = xasprintf("%s_certificate_expiry_timestamp_seconds", prefix);
	expiry->own = metrics_gauge(metrics, name, help, METRIC_LABELS("certificate", "own"));
	expiry->ca = metrics_gauge(metrics, name, help, METRIC_LABELS("certificate", "ca"));
}

/* Seconds since the epoch, or 0. */
static int64_t end_of(const X509 *cert)
{
	const ASN1_TIME *at = cert ? X509_get0_notAfter(cert) : NULL;
	struct tm tm;

	return at && ASN1_TIME_to_tm(at, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static int64_t own_end(SSL_CTX *ctx)
{
	int64_t first = end_of(SSL_CTX_get0_certificate(ctx));
	STACK_OF(X509) *chain = NULL;

	SSL_CTX_get0_chain_certs(ctx, &chain);
	for (int i = 0; i < sk_X509_num(chain); i++)
		first = MIN(first, end_of(sk_X509_value(chain, i)));
	return first;
}

static int64_t ca_end(const SSL_CTX *ctx)
{
	const X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	STACK_OF(X509_OBJECT) *objects = store ? X509_STORE_get0_objects(store) : NULL;
	int64_t last = 0;

	for (int i = 0; i < sk_X509_OBJECT_num(objects); i++)
		last = MAX(last, end_of(X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i))));
	return last;
}

static void set(struct metric *metric, int64_t end)
{
	if (metric && end > 0)
		metric_set(metric, (double)end);
}

void ws_expiry_set(const struct ws_expiry *expiry, SSL_CTX *ctx)
{
	if (!ctx)
		return;
	set(expiry->own, own_end(ctx));
	set(expiry->ca, ca_end(ctx));
}
