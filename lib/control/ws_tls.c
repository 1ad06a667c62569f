/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/control/ws_tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/stat.h>

static int ssl_error(struct err *err, const char *what, const char *file)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return err_set(err, -EINVAL, "TLS: %s file %s: %s", what, file,
		       reason ? reason : "not usable");
}

/* Everything that the files bring to a context. */
static int load(SSL_CTX *ctx, const struct ws_tls_files *files, struct err *err)
{
	X509_STORE *store;

	if (SSL_CTX_use_certificate_chain_file(ctx, files->cert) != 1)
		return ssl_error(err, "certificate", files->cert);
	if (SSL_CTX_use_PrivateKey_file(ctx, files->key, SSL_FILETYPE_PEM) != 1)
		return ssl_error(err, "key", files->key);
	store = X509_STORE_new();
	if (!store || X509_STORE_load_file(store, files->ca) != 1) {
		X509_STORE_free(store);
		return ssl_error(err, "CA", files->ca);
	}
	SSL_CTX_set_cert_store(ctx, store);
	return 0;
}

int ws_tls_client_new(const struct ws_tls_files *files, SSL_CTX **ret_ctx, struct err *err)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	int r;

	if (!ctx)
		return err_set(err, -ENOMEM, "TLS: no context");
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	r = load(ctx, files, err);
	if (r < 0) {
		SSL_CTX_free(ctx);
		return r;
	}
	*ret_ctx = ctx;
	return 0;
}

static struct timespec written(const char *file)
{
	struct stat st;

	return stat(file, &st) < 0 ? (struct timespec){ 0 } : st.st_mtim;
}

void ws_tls_stamp(const struct ws_tls_files *files, struct ws_tls_stamp *ret)
{
	memset(ret, 0, sizeof(*ret)); /* padding too: stamps are compared as bytes */
	ret->cert = written(files->cert);
	ret->key = written(files->key);
	ret->ca = written(files->ca);
}

int ws_tls_reload(SSL_CTX *ctx, const struct ws_tls_files *files, struct ws_tls_stamp *stamp,
		  struct err *err)
{
	struct ws_tls_stamp fresh;
	SSL_CTX *trial;
	int r;

	ws_tls_stamp(files, &fresh);
	if (memcmp(&fresh, stamp, sizeof(fresh)) == 0)
		return 0;
	/* On trial first: a live context must not be left half changed. */
	r = ws_tls_client_new(files, &trial, err);
	if (r < 0)
		return r;
	SSL_CTX_free(trial);
	r = load(ctx, files, err);
	if (r < 0)
		return r;
	*stamp = fresh;
	return 1;
}
