/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/auth.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "kube/core/config/pem.h"
#include "kube/exec_plugin.h"
#include "lib/core/limits.h"
#include "lib/fs.h"
#include "lib/log.h"
#include "lib/loop.h"

#define TOKEN_AGE_NS (50 * NSEC_PER_SEC) /* a minute, with leeway */
#define PEM_AGE_NS (300 * NSEC_PER_SEC)
#define FAILING_AGE_NS (5 * NSEC_PER_SEC)
#define PEM_MAX ((size_t)1024 * 1024)
#define EXPIRY_LEEWAY_S 10
#define PLUGIN_FIRST_NS (5 * NSEC_PER_SEC) /* from one run to the next, doubled by failures */
#define PLUGIN_LAST_NS (60 * NSEC_PER_SEC)

/* Something that is read again now and then. */
struct fresh {
	int64_t read_ns; /* 0 = to be read */
	bool failing;
};

struct kube_auth {
	uv_loop_t *loop;
	struct kube_config config;
	char *ca, *cert, *key, *token; /* NULL = none */
	struct fresh fresh_ca, fresh_pair, fresh_token;
	struct exec_plugin *plugin; /* runs */
	struct exec_credential credential;
	int64_t credential_ns; /* since when; 0 = none */
	int64_t plugin_due_ns; /* not before */
	uint32_t plugin_failures;
	struct err plugin_err;
	void (*changed)(void *ctx);
	void *ctx;
};

/* --- files --- */

/* Takes *text over. */
static void replace(char **kept, char **text, const char *path)
{
	if (*kept && strcmp(*kept, *text) != 0)
		log_info("a credential has changed", LOG_STR("file", path));
	free(*kept);
	*kept = TAKE_PTR(*text);
}

/* What is in the kubeconfig wins over the file; *ret is NULL when there is neither. */
static int read_pem(const char *data, const char *path, char **ret, struct err *err)
{
	size_t len = 0;
	int r = 0;

	if (data)
		*ret = xstrdup(data);
	else if (path)
		r = fs_read_file(path, PEM_MAX, ret, &len, err);
	return r;
}

static int read_ca(struct kube_auth *auth, struct err *err)
{
	const struct kube_config *config = &auth->config;
	cleanup(freep) char *text = NULL;
	int r = read_pem(config->ca_data, config->ca_file, &text, err);

	if (r < 0 || !text)
		return r;
	r = pem_check_authorities(text, err);
	if (r < 0)
		return err_wrap(err, r, "certificate-authority %s",
				config->ca_data ? "(data)" : config->ca_file);
	replace(&auth->ca, &text, config->ca_file);
	return 0;
}

/* Both or neither: one of them alone is what is there while somebody replaces them. */
static int read_pair(struct kube_auth *auth, struct err *err)
{
	const struct kube_config *config = &auth->config;
	cleanup(freep) char *cert = NULL;
	cleanup(freep) char *key = NULL;
	int r = read_pem(config->cert_data, config->cert_file, &cert, err);

	if (r == 0)
		r = read_pem(config->key_data, config->key_file, &key, err);
	if (r < 0 || !cert || !key)
		return r;
	r = pem_check_pair(cert, key, err);
	if (r < 0)
		return err_wrap(err, r, "client-certificate %s",
				config->cert_data ? "(data)" : config->cert_file);
	replace(&auth->cert, &cert, config->cert_file);
	replace(&auth->key, &key, config->key_file);
	return 0;
}

static int read_token(struct kube_auth *auth, struct err *err)
{
	const char *path = auth->config.token_file;
	cleanup(freep) char *text = NULL;
	size_t len = 0;
	int r;

	if (!path)
		return 0;
	r = fs_read_file(path, LIMIT_KUBE_TOKEN_BYTES, &text, &len, err);
	if (r < 0)
		return r;
	while (len && strchr(" \n\r\t", text[len - 1]))
		text[--len] = '\0';
	if (!len || strlen(text) != len || strpbrk(text, "\r\n"))
		return err_set(err, -EINVAL, "%s: is not a token", path);
	replace(&auth->token, &text, path);
	return 0;
}

/* Read it again when it is older than that.  What was read before stays when it cannot be. */
static void refresh(struct kube_auth *auth, struct fresh *fresh, int64_t age_ns,
		    int (*read)(struct kube_auth *auth, struct err *err))
{
	struct err err = ERR_INIT;
	int64_t now_ns = now_boot_ns();
	int r;

	if (fresh->read_ns && now_ns - fresh->read_ns < (fresh->failing ? FAILING_AGE_NS : age_ns))
		return;
	fresh->read_ns = now_ns;
	r = read(auth, &err);
	if (r < 0 && !fresh->failing)
		log_warn("a credential cannot be read again, the last one stays", LOG_ERR(&err));
	fresh->failing = r < 0;
}

/* --- the plugin --- */

static void plugin_failed(struct kube_auth *auth, const struct err *err)
{
	int64_t wait_ns = PLUGIN_FIRST_NS;

	for (uint32_t i = 0; i < auth->plugin_failures && wait_ns < PLUGIN_LAST_NS; i++)
		wait_ns *= 2;
	wait_ns = MIN(wait_ns, PLUGIN_LAST_NS);
	auth->plugin_failures++;
	auth->plugin_due_ns = now_boot_ns() + wait_ns;
	auth->plugin_err = *err;
	log_warn("no credential", LOG_ERR(err), LOG_INT("again_in_s", wait_ns / NSEC_PER_SEC));
}

static void on_plugin(void *ctx, struct exec_credential *credential, const struct err *err)
{
	struct kube_auth *auth = ctx;

	auth->plugin = NULL;
	if (credential) {
		exec_credential_release(&auth->credential);
		auth->credential = *credential;
		*credential = (struct exec_credential){ 0 };
		auth->credential_ns = now_boot_ns();
		auth->plugin_due_ns = auth->credential_ns + PLUGIN_FIRST_NS;
		auth->plugin_failures = 0;
	} else {
		plugin_failed(auth, err);
	}
	auth->changed(auth->ctx);
}

static bool credential_good(const struct kube_auth *auth, int64_t leeway_s)
{
	return auth->credential_ns &&
	       now_wall_ns() / NSEC_PER_SEC + leeway_s < auth->credential.expires_s;
}

static void run_plugin(struct kube_auth *auth)
{
	struct err err = ERR_INIT;

	auth->plugin = exec_plugin_run(auth->loop, &auth->config, auth->ca, on_plugin, auth, &err);
	if (!auth->plugin)
		plugin_failed(auth, &err);
}

int kube_auth_ready(struct kube_auth *auth, struct err *err)
{
	if (!auth->config.exec.command || credential_good(auth, EXPIRY_LEEWAY_S))
		return 0;
	if (!auth->plugin && now_boot_ns() >= auth->plugin_due_ns)
		run_plugin(auth);
	/* It serves to its end, while the next one is fetched. */
	if (credential_good(auth, 0))
		return 0;
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

static void set_blob(CURL *easy, CURLoption option, char *text)
{
	struct curl_blob blob = { .data = text, .flags = CURL_BLOB_COPY };

	if (!text)
		return;
	blob.len = strlen(text);
	curl_easy_setopt(easy, option, &blob);
}

static void set_identity(struct kube_auth *auth, CURL *easy)
{
	const struct exec_credential *by_plugin = &auth->credential;

	set_blob(easy, CURLOPT_SSLCERT_BLOB, by_plugin->cert ? by_plugin->cert : auth->cert);
	set_blob(easy, CURLOPT_SSLKEY_BLOB, by_plugin->cert ? by_plugin->key : auth->key);
}

static void add_identity(struct kube_auth *auth, CURL *easy, struct curl_slist **headers)
{
	const struct kube_config *config = &auth->config;
	const char *token = auth->token ? auth->token : config->token;

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

/* Names of extra fields may have characters that names of headers may not, as in "example.com/team". */
static char *escape_name(const char *name)
{
	char *out = xmalloc(3 * strlen(name) + 1), *end = out;

	for (; *name; name++) {
		bool plain = (*name >= '0' && *name <= '9') || (*name >= 'a' && *name <= 'z') ||
			     (*name >= 'A' && *name <= 'Z') || strchr("!#$&'*+-.^_`|~", *name);

		end += plain ? sprintf(end, "%c", *name)
			     : sprintf(end, "%%%02X", (unsigned char)*name);
	}
	*end = '\0';
	return out;
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
		cleanup(freep) char *escaped = escape_name(config->as_extra[i].name);
		cleanup(freep) char *name = xasprintf("Impersonate-Extra-%s", escaped);

		add_header(headers, name, config->as_extra[i].value);
	}
}

void kube_auth_apply(struct kube_auth *auth, CURL *easy, struct curl_slist **headers)
{
	const struct kube_config *config = &auth->config;

	refresh(auth, &auth->fresh_ca, PEM_AGE_NS, read_ca);
	refresh(auth, &auth->fresh_pair, PEM_AGE_NS, read_pair);
	refresh(auth, &auth->fresh_token, TOKEN_AGE_NS, read_token);
	/* Only the cluster's own authorities, where it has some: libcurl would add the system's directory. */
	if (auth->ca)
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	set_blob(easy, CURLOPT_CAINFO_BLOB, auth->ca);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, config->insecure ? 0L : 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, config->insecure ? 0L : 2L);
	set_identity(auth, easy);
	add_identity(auth, easy, headers);
	add_impersonation(config, headers);
}

void kube_auth_refused(struct kube_auth *auth, int64_t began_ns)
{
	kube_auth_reload(auth);
	if (auth->credential_ns < began_ns && now_boot_ns() >= auth->plugin_due_ns)
		auth->credential_ns = 0;
}

void kube_auth_reload(struct kube_auth *auth)
{
	auth->fresh_ca.read_ns = auth->fresh_pair.read_ns = auth->fresh_token.read_ns = 0;
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
	int r;

	auth->loop = loop;
	auth->config = *config;
	*config = (struct kube_config){ 0 };
	auth->changed = changed;
	auth->ctx = ctx;
	r = read_ca(auth, err);
	if (r == 0)
		r = read_pair(auth, err);
	if (r == 0)
		r = read_token(auth, err);
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
	free(auth->ca);
	free(auth->cert);
	free(auth->key);
	free(auth->token);
	kube_config_release(&auth->config);
	free(auth);
}
