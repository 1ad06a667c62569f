/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#include "kube/core/config/pem.h"

#define PEM_TEXT 4096

struct pair {
	char cert[PEM_TEXT], key[PEM_TEXT], locked[PEM_TEXT];
};

static void take(BIO *bio, char text[PEM_TEXT])
{
	int len = BIO_read(bio, text, PEM_TEXT - 1);

	text[len > 0 ? len : 0] = '\0';
	BIO_free(bio);
}

static void make(struct pair *pair)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	BIO *bio = BIO_new(BIO_s_mem());

	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	PEM_write_bio_X509(bio, cert);
	take(bio, pair->cert);
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
	take(bio, pair->key);
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_PrivateKey(bio, key, EVP_aes_128_cbc(), (const unsigned char *)"pw", 2, NULL,
				 NULL);
	take(bio, pair->locked);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static void refused(const char *cert, const char *key, const char *why)
{
	struct err err = ERR_INIT;

	assert_true(pem_check_pair(cert, key, &err) < 0);
	if (!strstr(err.text, why))
		fail_msg("\"%s\" does not say \"%s\"", err.text, why);
}

static void a_key_and_its_certificate_are_taken(void **state)
{
	struct pair pair;

	(void)state;
	make(&pair);
	assert_int_equal(pem_check_pair(pair.cert, pair.key, NULL), 0);
}

static void what_does_not_belong_together_is_not(void **state)
{
	struct pair one, other;
	char half[PEM_TEXT];

	(void)state;
	make(&one);
	make(&other);
	strcpy(half, one.cert);
	half[strlen(half) / 2] = '\0';
	refused(one.cert, other.key, "is not that of");
	refused(half, one.key, "no certificate");
	refused(one.key, one.key, "no certificate");
	refused(one.cert, "", "no private key");
	refused(one.cert, one.cert, "no private key");
	refused(one.cert, one.locked, "has a password");
}

static void authorities_need_a_certificate(void **state)
{
	struct pair pair;
	struct err err = ERR_INIT;

	(void)state;
	make(&pair);
	assert_int_equal(pem_check_authorities(pair.cert, &err), 0);
	assert_true(pem_check_authorities(pair.key, &err) < 0);
	assert_true(pem_check_authorities("", &err) < 0);
	assert_true(pem_check_authorities("-----BEGIN CERTIFICATE-----\nxx\n", &err) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_and_its_certificate_are_taken),
		cmocka_unit_test(what_does_not_belong_together_is_not),
		cmocka_unit_test(authorities_need_a_certificate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
