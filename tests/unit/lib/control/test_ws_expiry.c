/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <time.h>

#include "lib/control/ws_expiry.h"
#include "lib/control/ws_tls.h"
#include "lib/observe/metrics.h"
#include "tests/unit/both/pki.h"

#define NAME "rubato_agent_certificate_expiry_timestamp_seconds"
#define HOUR 3600

static struct pki pki;
static struct metrics *metrics;
static struct ws_expiry expiry;
static time_t began;

static int setup(void **state)
{
	(void)state;
	pki_init(&pki); /* an authority of two hours */
	pki_leaf(&pki, "agent", "agent", NULL);
	metrics = metrics_new();
	ws_expiry_init(&expiry, metrics, "rubato_agent");
	began = time(NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	metrics_free(metrics);
	pki_release(&pki);
	return 0;
}

static void look(void)
{
	char *cert = pki_path(&pki, "agent.crt"), *key = pki_path(&pki, "agent.key");
	char *ca = pki_path(&pki, "ca.crt");
	const struct ws_tls_files files = { cert, key, ca };
	struct err err = ERR_INIT;
	SSL_CTX *ctx = NULL;

	assert_int_equal(ws_tls_client_new(&files, &ctx, &err), 0);
	ws_expiry_set(&expiry, ctx);
	SSL_CTX_free(ctx);
	free(cert);
	free(key);
	free(ca);
}

static double told(const char *certificate)
{
	return metric_get(
		metrics_gauge(metrics, NAME, "", METRIC_LABELS("certificate", certificate)));
}

static void expect(const char *certificate, long from_now_s)
{
	double is = told(certificate) - (double)began;

	if (is < (double)from_now_s - 10 || is > (double)from_now_s + 10)
		fail_msg("%s ends %g s from now, not %ld", certificate, is, from_now_s);
}

/* Behind what is in the file already. */
static void append(const char *name, const X509 *cert)
{
	char *path = pki_path(&pki, name);
	FILE *file = fopen(path, "ae");

	PEM_write_X509(file, cert);
	fclose(file);
	free(path);
}

static X509 *authority(long to_s)
{
	return pki_cert(
		&pki,
		&(struct pki_says){ .cn = "another", .san = "DNS:x", .from_s = -1, .to_s = to_s },
		pki.key);
}

static void both_ends_are_told(void **state)
{
	(void)state;
	look();
	expect("own", HOUR);
	expect("ca", 2 * HOUR);
}

static void an_end_that_is_past_is_told_too(void **state)
{
	(void)state;
	pki_leaf_of(&pki, "agent",
		    &(struct pki_says){ .cn = "agent", .from_s = -2 * HOUR, .to_s = -HOUR });
	look();
	expect("own", -HOUR);
}

static void of_several_authorities_the_last_end_counts(void **state)
{
	X509 *later = authority(50 * HOUR), *sooner = authority(60);

	(void)state;
	append("ca.crt", later);
	append("ca.crt", sooner);
	look();
	expect("ca", 50 * HOUR);
	X509_free(later);
	X509_free(sooner);
}

static void of_a_chain_the_first_end_counts(void **state)
{
	X509 *between = authority(60);

	(void)state;
	append("agent.crt", between);
	look();
	expect("own", 60);
	X509_free(between);
}

static void without_a_context_the_last_values_stay(void **state)
{
	(void)state;
	look();
	ws_expiry_set(&expiry, NULL);
	expect("own", HOUR);
}

static void nobody_need_watch(void **state)
{
	struct ws_expiry none;

	(void)state;
	ws_expiry_init(&none, NULL, NULL);
	expiry = none;
	look();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(both_ends_are_told),
		TEST(an_end_that_is_past_is_told_too),
		TEST(of_several_authorities_the_last_end_counts),
		TEST(of_a_chain_the_first_end_counts),
		TEST(without_a_context_the_last_values_stay),
		TEST(nobody_need_watch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
