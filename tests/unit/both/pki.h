/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_CONTROL_PKI_H
#define TESTS_UNIT_CONTROL_PKI_H

/* Certificates for tests: a CA in a temporary directory, and leaves that it signs. */

#include <assert.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/core/base.h"

struct pki {
	char dir[64];
	EVP_PKEY *key;
	X509 *ca;
	long serial;
};

static inline char *pki_path(const struct pki *pki, const char *name)
{
	return xasprintf("%s/%s", pki->dir, name);
}

static inline void pki_write(const struct pki *pki, const char *name, const X509 *cert,
			     const EVP_PKEY *key)
{
	char *path = pki_path(pki, name);
	FILE *file = fopen(path, "we");

	assert(file);
	if (cert)
		PEM_write_X509(file, cert);
	else
		PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
	fclose(file);
	free(path);
}

static inline X509 *pki_cert(struct pki *pki, const char *cn, const char *san, EVP_PKEY *key)
{
	X509 *cert = X509_new();
	X509_EXTENSION *extension;

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), ++pki->serial);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
				   (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(pki->ca ? pki->ca : cert));
	extension = san ? X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san)
			: X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints,
					      pki->ca ? "CA:FALSE" : "critical,CA:TRUE");
	X509_add_ext(cert, extension, -1);
	X509_EXTENSION_free(extension);
	X509_sign(cert, pki->key, EVP_sha256());
	return cert;
}

/* Files NAME.crt and NAME.key; `san` like "DNS:localhost", or NULL. */
static inline void pki_leaf(struct pki *pki, const char *name, const char *cn, const char *san)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = pki_cert(pki, cn, san, key);
	char *crt_name = xasprintf("%s.crt", name), *key_name = xasprintf("%s.key", name);

	pki_write(pki, crt_name, cert, NULL);
	pki_write(pki, key_name, NULL, key);
	X509_free(cert);
	EVP_PKEY_free(key);
	free(crt_name);
	free(key_name);
}

/* A new CA: file ca.crt in a new directory. */
static inline void pki_init(struct pki *pki)
{
	*pki = (struct pki){ .dir = "/tmp/rubato-pki-XXXXXX" };
	assert(mkdtemp(pki->dir));
	pki->key = EVP_EC_gen("P-256");
	pki->ca = pki_cert(pki, "test CA", NULL, pki->key);
	pki_write(pki, "ca.crt", pki->ca, NULL);
}

static inline void pki_release(struct pki *pki)
{
	char *command = xasprintf("rm -rf '%s'", pki->dir);

	if (system(command) != 0)
		fprintf(stderr, "%s is left behind\n", pki->dir);
	free(command);
	X509_free(pki->ca);
	EVP_PKEY_free(pki->key);
}

#endif
