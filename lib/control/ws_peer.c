/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/control/ws_peer.h"

#include <errno.h>
#include <openssl/x509v3.h>
#include <string.h>

/* The certificate's own bytes may hold a NUL; a name that does is none. */
static bool copy_name(const ASN1_STRING *string, char *room, size_t size)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	const char *text = (const char *)ASN1_STRING_get0_data(string);
	size_t len = (size_t)ASN1_STRING_length(string);

	if (len == 0 || len >= size || memchr(text, 0, len))
		return false;
	memcpy(room, text, len);
	room[len] = '\0';
	return strspn(room, allowed) == len;
}

static const ASN1_STRING *common_name(const X509 *cert)
{
	const X509_NAME *subject = X509_get_subject_name(cert);
	int i = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

	return i < 0 ? NULL : X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, i));
}

static bool first_dns_name(const X509 *cert, char *room, size_t size)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	bool found = false;

	for (int i = 0; !found && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_DNS)
			found = copy_name(name->d.dNSName, room, size);
	}
	GENERAL_NAMES_free(names);
	return found;
}

int ws_peer_name(struct lws *wsi, char *ret_name, size_t size, struct err *err)
{
	SSL *ssl = lws_get_ssl(wsi);
	X509 *cert = ssl ? SSL_get1_peer_certificate(ssl) : NULL;
	const ASN1_STRING *cn = cert ? common_name(cert) : NULL;
	bool found =
		cert && (cn ? copy_name(cn, ret_name, size) : first_dns_name(cert, ret_name, size));

	X509_free(cert);
	if (!found)
		return err_set(err, -EPROTO,
			       "the certificate names no node: its CN must be the node's name");
	return 0;
}
