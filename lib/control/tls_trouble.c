/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/control/tls_trouble.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define NAME_BYTES 160
#define TIME_BYTES 32

/* What a certificate bears may be anything; it is cut, and OpenSSL escapes what is not printable. */
static void subject_of(const X509_NAME *name, char room[NAME_BYTES])
{
	BIO *bio = BIO_new(BIO_s_mem());
	int len = 0;

	if (bio && name && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) > 0)
		len = BIO_read(bio, room, NAME_BYTES - 1);
	room[MAX(len, 0)] = '\0';
	BIO_free(bio);
}

static void time_of(const ASN1_TIME *at, char room[TIME_BYTES])
{
	struct tm tm;

	if (!at || ASN1_TIME_to_tm(at, &tm) != 1 ||
	    strftime(room, TIME_BYTES, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		snprintf(room, TIME_BYTES, "an unreadable time");
}

/* The DNS names that it bears, or its CN if there are none. */
static void names_of(const X509 *cert, char room[NAME_BYTES])
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	size_t len = 0;

	room[0] = '\0';
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		const ASN1_STRING *dns = name->type == GEN_DNS ? name->d.dNSName : NULL;
		int space = (int)(NAME_BYTES - len);
		int n = dns ? snprintf(room + len, (size_t)space, "%s%.*s", len ? ", " : "",
				       ASN1_STRING_length(dns), ASN1_STRING_get0_data(dns))
			    : 0;

		if (n >= space)
			break;
		len += (size_t)n;
	}
	GENERAL_NAMES_free(names);
	if (!room[0])
		subject_of(X509_get_subject_name(cert), room);
}

static const char *clock_hint(int code)
{
	return code == X509_V_ERR_CERT_NOT_YET_VALID ? "is not valid before" : "expired at";
}

void tls_trouble_of_chain(X509_STORE_CTX *chain, const char *peer, const char *name,
			  const char *ca_file, struct err *ret_why)
{
	const X509 *cert = X509_STORE_CTX_get_current_cert(chain);
	int code = X509_STORE_CTX_get_error(chain);
	char subject[NAME_BYTES] = "", issuer[NAME_BYTES] = "", text[NAME_BYTES] = "";

	subject_of(cert ? X509_get_subject_name(cert) : NULL, subject);
	subject_of(cert ? X509_get_issuer_name(cert) : NULL, issuer);
	switch (code) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		time_of(code == X509_V_ERR_CERT_HAS_EXPIRED ? X509_get0_notAfter(cert)
							    : X509_get0_notBefore(cert),
			text);
		err_text(ret_why, "%s's certificate (%s) %s %s by our clock", peer, subject,
			 clock_hint(code), text);
		return;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
		err_text(ret_why,
			 "%s's certificate (%s) is signed by an authority (%s) that is not in %s",
			 peer, subject, issuer, ca_file);
		return;
	case X509_V_ERR_INVALID_PURPOSE:
		err_text(ret_why,
			 "%s's certificate (%s) is not for this side of TLS (its extendedKeyUsage)",
			 peer, subject);
		return;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		names_of(cert, text);
		err_text(ret_why, "%s's certificate is for %s, expected was %s", peer, text,
			 name ? name : "another");
		return;
	default:
		err_text(ret_why, "%s's certificate (%s): %s", peer, subject,
			 X509_verify_cert_error_string(code));
	}
}

static bool alert_read(int code, const char *peer, const char *file, struct err *ret_why)
{
	switch (code) {
	case SSL3_AD_CERTIFICATE_EXPIRED:
		if (tls_trouble_of_file(file, time(NULL), ret_why))
			err_prefix(ret_why, "%s refuses us", peer);
		else
			err_text(ret_why, "%s says that our certificate %s has expired", peer,
				 file);
		return true;
	case TLS1_AD_UNKNOWN_CA:
		err_text(ret_why, "%s does not know the authority that signed our certificate %s",
			 peer, file);
		return true;
	case SSL3_AD_BAD_CERTIFICATE:
	case SSL3_AD_UNSUPPORTED_CERTIFICATE:
	case SSL3_AD_CERTIFICATE_UNKNOWN:
	case SSL3_AD_CERTIFICATE_REVOKED:
	case TLS1_AD_DECRYPT_ERROR:
		err_text(ret_why, "%s does not accept our certificate %s: %s", peer, file,
			 SSL_alert_desc_string_long(code));
		return true;
	case TLS13_AD_CERTIFICATE_REQUIRED:
		err_text(ret_why, "%s wants a certificate of us", peer);
		return true;
	default:
		err_text(ret_why, "%s broke off the TLS handshake: %s", peer,
			 SSL_alert_desc_string_long(code));
		return true;
	}
}

static bool alert_written(int code, const char *peer, struct err *ret_why)
{
	switch (code) {
	case SSL3_AD_CERTIFICATE_EXPIRED: /* said by tls_trouble_of_chain() */
	case TLS1_AD_UNKNOWN_CA:
	case SSL3_AD_BAD_CERTIFICATE:
	case SSL3_AD_UNSUPPORTED_CERTIFICATE:
	case SSL3_AD_CERTIFICATE_UNKNOWN:
	case SSL3_AD_CERTIFICATE_REVOKED:
	case TLS1_AD_DECRYPT_ERROR: /* a signature in the chain is not right */
		return false;
	case TLS13_AD_CERTIFICATE_REQUIRED:
		err_text(ret_why, "%s showed no certificate", peer);
		return true;
	case TLS1_AD_DECODE_ERROR: /* OpenSSL's word for the end of the stream */
		err_text(ret_why, "the TLS handshake with %s was cut off", peer);
		return true;
	default:
		err_text(ret_why, "the TLS handshake with %s failed: %s", peer,
			 SSL_alert_desc_string_long(code));
		return true;
	}
}

bool tls_trouble_of_alert(int where, int ret, const char *peer, const char *own_cert_file,
			  struct err *ret_why)
{
	if (!(where & SSL_CB_ALERT) || ret >> 8 != SSL3_AL_FATAL)
		return false;
	return where & SSL_CB_READ ? alert_read(ret & 0xff, peer, own_cert_file, ret_why)
				   : alert_written(ret & 0xff, peer, ret_why);
}

bool tls_trouble_of_file(const char *cert_file, time_t now_s, struct err *ret_why)
{
	FILE *file = fopen(cert_file, "re");
	X509 *cert = file ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;
	char text[TIME_BYTES];
	bool bad = true;

	if (file)
		fclose(file);
	if (cert && X509_cmp_time(X509_get0_notAfter(cert), &now_s) < 0) {
		time_of(X509_get0_notAfter(cert), text);
		err_text(ret_why, "our certificate %s expired at %s", cert_file, text);
	} else if (cert && X509_cmp_time(X509_get0_notBefore(cert), &now_s) > 0) {
		time_of(X509_get0_notBefore(cert), text);
		err_text(ret_why, "our certificate %s is not valid before %s", cert_file, text);
	} else {
		bad = false;
	}
	X509_free(cert);
	return bad;
}
