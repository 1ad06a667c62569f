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

/* What a certificate says; `from_s` and `to_s` count from now. */
struct pki_says {
	const char *cn, *san, *eku; /* NULL = it does not say */
	long from_s, to_s;
};

static inline void pki_extend(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	X509_add_ext(cert, extension, -1);
	X509_EXTENSION_free(extension);
}

static inline X509 *pki_cert(struct pki *pki, const struct pki_says *says, EVP_PKEY *key)
{
	X509 *cert = X509_new();

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), ++pki->serial);
	X509_gmtime_adj(X509_getm_notBefore(cert), says->from_s);
	X509_gmtime_adj(X509_getm_notAfter(cert), says->to_s);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), says->cn ? "CN" : "O", MBSTRING_ASC,
				   (const unsigned char *)(says->cn ? says->cn : "nobody"), -1, -1,
				   0);
	X509_set_issuer_name(cert, X509_get_subject_name(pki->ca ? pki->ca : cert));
	if (says->san)
		pki_extend(cert, NID_subject_alt_name, says->san);
	else
		pki_extend(cert, NID_basic_constraints, pki->ca ? "CA:FALSE" : "critical,CA:TRUE");
	if (says->eku)
		pki_extend(cert, NID_ext_key_usage, says->eku);
	X509_sign(cert, pki->key, EVP_sha256());
	return cert;
}

/* Files NAME.crt and NAME.key. */
static inline void pki_leaf_of(struct pki *pki, const char *name, const struct pki_says *says)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = pki_cert(pki, says, key);
	char *crt_name = xasprintf("%s.crt", name), *key_name = xasprintf("%s.key", name);

	pki_write(pki, crt_name, cert, NULL);
	pki_write(pki, key_name, NULL, key);
	X509_free(cert);
	EVP_PKEY_free(key);
	free(crt_name);
	free(key_name);
}

/* A good one; `san` like "DNS:localhost", or NULL. */
static inline void pki_leaf(struct pki *pki, const char *name, const char *cn, const char *san)
{
	pki_leaf_of(pki, name,
		    &(struct pki_says){ .cn = cn, .san = san, .from_s = -3600, .to_s = 3600 });
}

/* A new CA: file ca.crt in a new directory. */
static inline void pki_init(struct pki *pki)
{
	*pki = (struct pki){ .dir = "/tmp/rubato-pki-XXXXXX" };
	assert(mkdtemp(pki->dir));
	pki->key = EVP_EC_gen("P-256");
	pki->ca =
		pki_cert(pki, &(struct pki_says){ .cn = "test CA", .from_s = -7200, .to_s = 7200 },
			 pki->key);
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
