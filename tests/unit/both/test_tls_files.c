/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/err.h>

#include "tests/unit/both/channel.h"

/* Certificate files that cannot be used: an error at the start that names the file, and nothing left behind. */

static void write_bytes(const char *name, const void *bytes, size_t len)
{
	char *path = pki_path(&rig.pki, name);
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	fclose(file);
	free(path);
}

static X509 *read_cert(const char *name)
{
	char *path = pki_path(&rig.pki, name);
	FILE *file = fopen(path, "re");
	X509 *cert = PEM_read_X509(file, NULL, NULL, NULL);

	fclose(file);
	free(path);
	return cert;
}

static EVP_PKEY *read_key(const char *name)
{
	char *path = pki_path(&rig.pki, name);
	FILE *file = fopen(path, "re");
	EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);

	fclose(file);
	free(path);
	return key;
}

static void empty_certificate(const char *crt, const char *key)
{
	(void)key;
	write_bytes(crt, "", 0);
}

static void empty_key(const char *crt, const char *key)
{
	(void)crt;
	write_bytes(key, "", 0);
}

static void der_certificate(const char *crt, const char *key)
{
	X509 *cert = read_cert(crt);
	unsigned char *der = NULL;
	int len = i2d_X509(cert, &der);

	(void)key;
	write_bytes(crt, der, (size_t)len);
	OPENSSL_free(der);
	X509_free(cert);
}

static void der_key(const char *crt, const char *key)
{
	EVP_PKEY *pkey = read_key(key);
	unsigned char *der = NULL;
	int len = i2d_PrivateKey(pkey, &der);

	(void)crt;
	write_bytes(key, der, (size_t)len);
	OPENSSL_free(der);
	EVP_PKEY_free(pkey);
}

static void foreign_key(const char *crt, const char *key)
{
	EVP_PKEY *pkey = EVP_EC_gen("P-256");

	(void)crt;
	pki_write(&rig.pki, key, NULL, pkey);
	EVP_PKEY_free(pkey);
}

static void encrypted_key(const char *crt, const char *key)
{
	EVP_PKEY *pkey = read_key(key);
	char *path = pki_path(&rig.pki, key);
	FILE *file = fopen(path, "we");

	(void)crt;
	assert_int_equal(
		PEM_write_PKCS8PrivateKey(file, pkey, EVP_aes_256_cbc(), "secret", 6, NULL, NULL),
		1);
	fclose(file);
	free(path);
	EVP_PKEY_free(pkey);
}

static void key_as_certificate(const char *crt, const char *key)
{
	EVP_PKEY *pkey = read_key(key);

	pki_write(&rig.pki, crt, NULL, pkey);
	EVP_PKEY_free(pkey);
}

static void half_a_certificate(const char *crt, const char *key)
{
	(void)key;
	write_bytes(crt, "-----BEGIN CERTIFICATE-----\nMIIB", 32);
}

static void make_fifo(const char *name)
{
	char *path = pki_path(&rig.pki, name);

	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	free(path);
}

/* Whoever opened it would wait for ever. */
static void fifo_as_key(const char *crt, const char *key)
{
	(void)crt;
	make_fifo(key);
}

static void fifo_as_certificate(const char *crt, const char *key)
{
	(void)key;
	make_fifo(crt);
}

static void forget(const char *name)
{
	char *path = pki_path(&rig.pki, name);

	unlink(path);
	free(path);
}

static const struct {
	void (*spoil)(const char *crt, const char *key);
	const char *file, *why;
} cases[] = {
	{ empty_certificate, ".crt", "it is empty" },
	{ empty_key, ".key", "it is empty" },
	{ der_certificate, ".crt", "it holds none in PEM" },
	{ der_key, ".key", "it holds none in PEM" },
	{ foreign_key, ".key", "it is not the key of the certificate" },
	{ encrypted_key, ".key", "it is encrypted" },
	{ key_as_certificate, ".crt", "it holds none in PEM" },
	{ half_a_certificate, ".crt", "" },
	{ fifo_as_key, ".key", "not a regular file" },
	{ fifo_as_certificate, ".crt", "not a regular file" },
};

static void check_sentence(const struct err *err, const char *name, size_t i)
{
	char *file = xasprintf("%s/%s%s", rig.pki.dir, name, cases[i].file);

	if (!strstr(err->text, file) || !strstr(err->text, cases[i].why))
		fail_msg("case %zu: \"%s\" does not say %s: %s", i, err->text, file, cases[i].why);
	free(file);
}

static void an_agent_with_unusable_files_says_which_and_why(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		forget("agent.crt");
		forget("agent.key");
		pki_leaf(&rig.pki, "agent", NODE, NULL);
		cases[i].spoil("agent.crt", "agent.key");
		assert_int_equal(rig_start_client(&rig, 1), -EINVAL);
		check_sentence(&rig.err, "agent", i);
		rig_wait(&rig, 100); /* whatever was begun goes by now */
	}
}

static void a_controller_with_unusable_files_says_which_and_why(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		forget("controller.crt");
		forget("controller.key");
		pki_leaf(&rig.pki, "controller", "controller.test", NULL);
		cases[i].spoil("controller.crt", "controller.key");
		assert_int_equal(rig_start_hub_at(&rig, 0), -EINVAL);
		check_sentence(&rig.err, "controller", i);
		rig_wait(&rig, 100);
	}
}

static void a_ca_file_that_is_none_is_named(void **state)
{
	(void)state;
	write_bytes("ca.crt", "hello\n", 6);
	assert_int_equal(rig_start_client(&rig, 1), -EINVAL);
	assert_non_null(strstr(rig.err.text, "CA file"));
	assert_int_equal(rig_start_hub_at(&rig, 0), -EINVAL);
	assert_non_null(strstr(rig.err.text, "CA file"));
	rig_wait(&rig, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_agent_with_unusable_files_says_which_and_why),
		TEST(a_controller_with_unusable_files_says_which_and_why),
		TEST(a_ca_file_that_is_none_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
