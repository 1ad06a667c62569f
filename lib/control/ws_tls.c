/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/control/ws_tls.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_empty(const char *file)
{
	struct stat st;

	return stat(file, &st) == 0 && st.st_size == 0;
}

/* OpenSSL's first error says what is the matter, where it is one that people meet. */
static const char *reason_of(unsigned long code, const char *file)
{
	const char *text = ERR_reason_error_string(code);

	if (is_empty(file))
		return "it is empty";
	if (ERR_GET_LIB(code) == ERR_LIB_X509 && ERR_GET_REASON(code) == X509_R_KEY_VALUES_MISMATCH)
		return "it is not the key of the certificate";
	if (ERR_GET_LIB(code) == ERR_LIB_OSSL_DECODER ||
	    (ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE))
		return "it holds none in PEM (is it DER, or another kind of file?)";
	return text ? text : "not usable";
}

static int ssl_error(struct err *err, const char *what, const char *file)
{
	err_set(err, 0, "TLS: %s file %s: %s", what, file, reason_of(ERR_peek_error(), file));
	ERR_clear_error();
	return -EINVAL;
}

/* Without it OpenSSL asks on the terminal. */
static int no_passphrase(char *room, int size, int is_write, void *ret_asked)
{
	(void)room;
	(void)size;
	(void)is_write;
	*(bool *)ret_asked = true;
	return -1;
}

static int load_key(SSL_CTX *ctx, const char *file, struct err *err)
{
	bool asked = false;
	int r;

	SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
	SSL_CTX_set_default_passwd_cb_userdata(ctx, &asked);
	r = SSL_CTX_use_PrivateKey_file(ctx, file, SSL_FILETYPE_PEM);
	SSL_CTX_set_default_passwd_cb(ctx, NULL);
	SSL_CTX_set_default_passwd_cb_userdata(ctx, NULL);
	if (r == 1)
		return 0;
	r = ssl_error(err, "key", file);
	if (asked)
		err_set(err, r,
			"TLS: key file %s: it is encrypted, and nobody is here to type the "
			"passphrase",
			file);
	return r;
}

int ws_tls_check_files(const struct ws_tls_files *files, struct err *err)
{
	const char *const file[] = { files->cert, files->key, files->ca };
	static const char *const what[] = { "certificate", "key", "CA" };

	for (size_t i = 0; i < ARRAY_SIZE(file); i++) {
		struct stat st;
		bool regular;
		int fd;

		if (!file[i])
			return err_set(err, -EINVAL, "TLS: no %s file is given", what[i]);
		/* Opened, not access(2)ed: that one forgets our capabilities. */
		fd = open(file[i], O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0)
			return err_set(err, -EINVAL, "TLS: %s file %s: %s", what[i], file[i],
				       strerror(errno));
		regular = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
		close(fd);
		/* OpenSSL would wait for the writer of a FIFO. */
		if (!regular)
			return err_set(err, -EINVAL, "TLS: %s file %s: not a regular file", what[i],
				       file[i]);
	}
	return 0;
}

/* Everything that the files bring to a context. */
static int load(SSL_CTX *ctx, const struct ws_tls_files *files, struct err *err)
{
	X509_STORE *store;
	int r = ws_tls_check_files(files, err);

	if (r < 0)
		return r;
	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(ctx, files->cert) != 1)
		return ssl_error(err, "certificate", files->cert);
	if (load_key(ctx, files->key, err) < 0)
		return -EINVAL;
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
