/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/kube_auth.h"

#include <errno.h>
#include <string.h>
#include <uv.h>

#include "controller/exec_plugin.h"
#include "lib/fs.h"
#include "lib/limits.h"
#include "lib/log.h"
#include "lib/loop.h"

#define TOKEN_AGE_NS (50 * NSEC_PER_SEC) /* a minute, with leeway */
#define FILES_AGE_NS (300 * NSEC_PER_SEC)
#define PEM_MAX ((size_t)1024 * 1024)
#define PLUGIN_LEEWAY_S 10
#define PLUGIN_RETRY_NS (5 * NSEC_PER_SEC)

/* A file that is read again now and then.  NULL path = there is none. */
struct fresh_file {
	const char *path; /* borrowed from the config */
	char *text;
	size_t len;
	int64_t read_ns; /* 0 = to be read */
	bool failing;
};

struct kube_auth {
	uv_loop_t *loop;
	struct kube_config config;
	struct fresh_file ca, cert, key, token;
	struct exec_plugin *plugin; /* runs */
	struct exec_credential credential;
	int64_t credential_ns; /* since when; 0 = none */
	int64_t plugin_retry_ns;
	struct err plugin_err;
	void (*changed)(void *ctx);
	void *ctx;
};

/* --- files --- */

static bool is_pem(const char *text)
{
	return strstr(text, "-----BEGIN ") != NULL;
}

static int read_fresh(struct fresh_file *file, bool pem, struct err *err)
{
	cleanup(freep) char *text = NULL;
	size_t len = 0;
	int r = fs_read_file(file->path, pem ? PEM_MAX : LIMIT_KUBE_TOKEN_BYTES, &text, &len, err);

	if (r < 0)
		return r;
	while (!pem && len && strchr(" \n\r\t", text[len - 1]))
		text[--len] = '\0';
	if (!len || strlen(text) != len || (pem && !is_pem(text)) ||
	    (!pem && strpbrk(text, "\r\n")))
		return err_set(err, -EINVAL, "%s: is not %s", file->path, pem ? "PEM" : "a token");
	free(file->text);
	file->text = TAKE_PTR(text);
	file->len = len;
	return 0;
}

/* Read it again when it is older than that.  What was read before stays when it cannot be. */
static void refresh(struct fresh_file *file, bool pem, int64_t age_ns)
{
	struct err err = ERR_INIT;
	int64_t now_ns = now_boot_ns();
	int r;

	if (!file->path || (file->read_ns && now_ns - file->read_ns < age_ns))
		return;
	file->read_ns = now_ns;
	r = read_fresh(file, pem, &err);
	if (r < 0 && !file->failing)
		log_warn("credential cannot be read again, the last one stays", LOG_ERR(&err));
	file->failing = r < 0;
}

static int first_read(struct fresh_file *file, const char *path, const char *data, bool pem,
		      struct err *err)
{
	if (data) {
		file->text = xstrdup(data);
		file->len = strlen(data);
		return 0;
	}
	if (!path)
		return 0;
	file->path = path;
	file->read_ns = now_boot_ns();
	return read_fresh(file, pem, err);
}

/* --- the plugin --- */

static void on_plugin(void *ctx, struct exec_credential *credential, const struct err *err)
{
	struct kube_auth *auth = ctx;

	auth->plugin = NULL;
	if (credential) {
		exec_credential_release(&auth->credential);
		auth->credential = *credential;
		*credential = (struct exec_credential){ 0 };
		auth->credential_ns = now_boot_ns();
	} else {
		auth->plugin_err = *err;
		auth->plugin_retry_ns = now_boot_ns() + PLUGIN_RETRY_NS;
		log_warn("no credential", LOG_ERR(err));
	}
	auth->changed(auth->ctx);
}

static bool credential_good(const struct kube_auth *auth)
{
	return auth->credential_ns &&
	       now_wall_ns() / NSEC_PER_SEC + PLUGIN_LEEWAY_S < auth->credential.expires_s;
}

int kube_auth_ready(struct kube_auth *auth, struct err *err)
{
	if (!auth->config.exec.command || credential_good(auth))
		return 0;
	if (!auth->plugin && now_boot_ns() >= auth->plugin_retry_ns) {
		auth->plugin = exec_plugin_run(auth->loop, &auth->config, on_plugin, auth,
					       &auth->plugin_err);
		if (!auth->plugin)
			auth->plugin_retry_ns = now_boot_ns() + PLUGIN_RETRY_NS;
	}
	if (auth->plugin)
		return -EAGAIN;
	*err = auth->plugin_err;
	return -EACCES;
}

/* --- a request --- */

static void add_header(struct curl_slist **headers, const char *name, const char *value)
{
	cleanup(freep) char *text = xasprintf("%s: %s", name, value);

	*headers = curl_slist_append(*headers, text);
	if (!*headers)
		abort();
}

static void set_blob(CURL *easy, CURLoption option, const char *text, size_t len)
{
	struct curl_blob blob = { .data = (void *)text, .len = len, .flags = CURL_BLOB_COPY };

	if (text)
		curl_easy_setopt(easy, option, &blob);
}

static void set_identity(struct kube_auth *auth, CURL *easy)
{
	if (auth->credential.cert) {
		set_blob(easy, CURLOPT_SSLCERT_BLOB, auth->credential.cert,
			 strlen(auth->credential.cert));
		set_blob(easy, CURLOPT_SSLKEY_BLOB, auth->credential.key,
			 strlen(auth->credential.key));
		return;
	}
	set_blob(easy, CURLOPT_SSLCERT_BLOB, auth->cert.text, auth->cert.len);
	set_blob(easy, CURLOPT_SSLKEY_BLOB, auth->key.text, auth->key.len);
}

static void add_identity(struct kube_auth *auth, CURL *easy, struct curl_slist **headers)
{
	const struct kube_config *config = &auth->config;
	const char *token = auth->token.path ? auth->token.text : config->token;

	if (auth->credential.token)
		token = auth->credential.token;
	if (token) {
		cleanup(freep) char *bearer = xasprintf("Bearer %s", token);

		add_header(headers, "Authorization", bearer);
	} else if (config->username) {
		curl_easy_setopt(easy, CURLOPT_USERNAME, config->username);
		curl_easy_setopt(easy, CURLOPT_PASSWORD, config->password ? config->password : "");
	}
}

static void add_impersonation(const struct kube_config *config, struct curl_slist **headers)
{
	if (!config->as_user)
		return;
	add_header(headers, "Impersonate-User", config->as_user);
	if (config->as_uid)
		add_header(headers, "Impersonate-Uid", config->as_uid);
	for (size_t i = 0; i < config->as_group_nr; i++)
		add_header(headers, "Impersonate-Group", config->as_group[i]);
	for (size_t i = 0; i < config->as_extra_nr; i++) {
		cleanup(freep) char *name =
			xasprintf("Impersonate-Extra-%s", config->as_extra[i].name);

		add_header(headers, name, config->as_extra[i].value);
	}
}

void kube_auth_apply(struct kube_auth *auth, CURL *easy, struct curl_slist **headers)
{
	const struct kube_config *config = &auth->config;

	refresh(&auth->ca, true, FILES_AGE_NS);
	refresh(&auth->cert, true, FILES_AGE_NS);
	refresh(&auth->key, true, FILES_AGE_NS);
	refresh(&auth->token, false, TOKEN_AGE_NS);
	set_blob(easy, CURLOPT_CAINFO_BLOB, auth->ca.text, auth->ca.len);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, config->insecure ? 0L : 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, config->insecure ? 0L : 2L);
	if (config->proxy_url)
		curl_easy_setopt(easy, CURLOPT_PROXY, config->proxy_url);
	set_identity(auth, easy);
	add_identity(auth, easy, headers);
	add_impersonation(config, headers);
}

void kube_auth_refused(struct kube_auth *auth, int64_t began_ns)
{
	if (auth->token.read_ns < began_ns)
		auth->token.read_ns = 0;
	if (auth->cert.read_ns < began_ns)
		auth->cert.read_ns = auth->key.read_ns = 0;
	if (auth->credential_ns < began_ns)
		auth->credential_ns = 0;
}

void kube_auth_reload_ca(struct kube_auth *auth)
{
	auth->ca.read_ns = 0;
}

/* --- life --- */

const struct kube_config *kube_auth_config(const struct kube_auth *auth)
{
	return &auth->config;
}

int kube_auth_new(struct uv_loop_s *loop, struct kube_config *config, void (*changed)(void *ctx),
		  void *ctx, struct kube_auth **ret_auth, struct err *err)
{
	struct kube_auth *auth = xcalloc(1, sizeof(*auth));
	const struct kube_config *kept = &auth->config;
	int r;

	auth->loop = loop;
	auth->config = *config;
	*config = (struct kube_config){ 0 };
	auth->changed = changed;
	auth->ctx = ctx;
	r = first_read(&auth->ca, kept->ca_file, kept->ca_data, true, err);
	if (r == 0)
		r = first_read(&auth->cert, kept->cert_file, kept->cert_data, true, err);
	if (r == 0)
		r = first_read(&auth->key, kept->key_file, kept->key_data, true, err);
	if (r == 0)
		r = first_read(&auth->token, kept->token_file, NULL, false, err);
	if (r < 0) {
		kube_auth_close(auth);
		return r;
	}
	*ret_auth = auth;
	return 0;
}

void kube_auth_close(struct kube_auth *auth)
{
	if (!auth)
		return;
	exec_plugin_cancel(auth->plugin);
	exec_credential_release(&auth->credential);
	free(auth->ca.text);
	free(auth->cert.text);
	free(auth->key.text);
	free(auth->token.text);
	kube_config_release(&auth->config);
	free(auth);
}
