/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/core/config/pem.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

static void bio_freep(BIO **bio)
{
	BIO_free(*bio);
}

static void x509_freep(X509 **cert)
{
	X509_free(*cert);
}

static void pkey_freep(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}

static BIO *text_bio(const char *text)
{
	BIO *bio = BIO_new_mem_buf(text, -1);

	if (!bio)
		abort();
	return bio;
}

static X509 *first_cert(const char *text)
{
	cleanup(bio_freep) BIO *bio = text_bio(text);
	X509 *cert = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);

	ERR_clear_error();
	return cert;
}

/* Without it OpenSSL would ask on the terminal. */
static int no_password(char *buf, int size, int writing, void *asked)
{
	(void)buf;
	(void)size;
	(void)writing;
	*(bool *)asked = true;
	return -1;
}

int pem_check_authorities(const char *text, struct err *err)
{
	cleanup(x509_freep) X509 *cert = first_cert(text);

	return cert ? 0 : err_set(err, -EINVAL, "there is no certificate (PEM) in it");
}

int pem_check_pair(const char *cert_text, const char *key_text, struct err *err)
{
	bool asked = false;
	cleanup(bio_freep) BIO *bio = text_bio(key_text);
	cleanup(x509_freep) X509 *cert = first_cert(cert_text);
	cleanup(pkey_freep) EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_password, &asked);
	int match = cert && key ? X509_check_private_key(cert, key) : 0;

	ERR_clear_error();
	if (!cert)
		return err_set(err, -EINVAL,
			       "there is no certificate (PEM) in the client's certificate");
	if (asked)
		return err_set(err, -EINVAL,
			       "the client's key has a password; openssl pkey takes it off");
	if (!key)
		return err_set(err, -EINVAL, "there is no private key (PEM) in the client's key");
	return match ? 0
		     : err_set(err, -EINVAL,
			       "the client's key is not that of the client's certificate");
}
