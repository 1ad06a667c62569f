/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kube/core/config/exec_credential.h"

#define V1 "client.authentication.k8s.io/v1"
#define NOW_S 1700000000 /* 2023-11-14T22:13:20Z */

static int parse(const char *status, struct exec_credential *ret, struct err *err)
{
	char text[1024];

	snprintf(text, sizeof(text),
		 "{\"apiVersion\": \"" V1 "\", \"kind\": \"ExecCredential\", \"status\": %s}",
		 status);
	return exec_credential_parse(text, strlen(text), V1, NOW_S, ret, err);
}

static void refused(const char *status, const char *why)
{
	struct exec_credential credential = { 0 };
	struct err err = ERR_INIT;

	assert_int_equal(parse(status, &credential, &err), -EINVAL);
	if (!strstr(err.text, why))
		fail_msg("\"%s\" does not say \"%s\"", err.text, why);
}

static void a_token_is_taken_until_it_expires(void **state)
{
	struct exec_credential credential = { 0 };
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(parse("{\"token\": \"t\"}", &credential, &err), 0);
	assert_string_equal(credential.token, "t");
	assert_true(credential.expires_s == INT64_MAX);
	exec_credential_release(&credential);
	assert_int_equal(parse("{\"token\": \"t\", "
			       "\"expirationTimestamp\": \"2023-11-14T22:13:30Z\"}",
			       &credential, &err),
			 0);
	assert_int_equal(credential.expires_s, NOW_S + 10);
	exec_credential_release(&credential);
}

static void what_is_no_credential_is_refused(void **state)
{
	static const char other[] = "{\"kind\": \"ExecCredential\", \"apiVersion\": "
				    "\"client.authentication.k8s.io/v1beta1\", "
				    "\"status\": {\"token\": \"t\"}}";
	struct exec_credential credential = { 0 };
	struct err err = ERR_INIT;

	(void)state;
	refused("null", "neither a token nor a certificate");
	refused("{}", "neither a token nor a certificate");
	refused("{\"token\": \"a\\r\\nb\"}", "token");
	refused("{\"clientCertificateData\": \"x\"}", "come together");
	refused("{\"clientCertificateData\": \"x\", \"clientKeyData\": \"y\"}", "no certificate");
	refused("{\"token\": \"t\", \"expirationTimestamp\": \"soon\"}", "is not a time");
	refused("{\"token\": \"t\", \"expirationTimestamp\": \"2023-11-14T22:13:20Z\"}",
		"is over already");
	assert_int_equal(exec_credential_parse(other, strlen(other), V1, NOW_S, &credential, &err),
			 -EINVAL);
	assert_string_equal(err.text, "it is not an ExecCredential of " V1);
}

static void the_plugin_is_told_of_the_cluster_when_it_wants(void **state)
{
	struct kube_config config = {
		.server = (char *)"https://a",
		.proxy_url = (char *)"http://p",
		.exec = { .api_version = (char *)V1 },
	};
	cleanup(freep) char *without = exec_credential_info(&config, "CA");
	cleanup(freep) char *with = NULL;

	(void)state;
	config.exec.provide_cluster_info = true;
	config.exec.cluster_config = (char *)"{\"audience\":\"x\"}";
	with = exec_credential_info(&config, "CA");
	assert_string_equal(without, "{\"apiVersion\":\"" V1 "\",\"kind\":\"ExecCredential\","
				     "\"spec\":{\"interactive\":false}}");
	assert_string_equal(with, "{\"apiVersion\":\"" V1 "\",\"kind\":\"ExecCredential\","
				  "\"spec\":{\"interactive\":false,\"cluster\":{"
				  "\"server\":\"https://a\",\"proxy-url\":\"http://p\","
				  "\"certificate-authority-data\":\"Q0E=\","
				  "\"config\":{\"audience\":\"x\"}}}}");
}

static void the_kubeconfig_overrides_the_environment(void **state)
{
	struct kube_env own_env[] = { { (char *)"HOME", (char *)"/plugin" } };
	const struct kube_config config = {
		.exec = { .api_version = (char *)V1, .env = own_env, .env_nr = 1 },
	};
	char *const own[] = { (char *)"HOME=/root", (char *)"HOMEPAGE=x",
			      (char *)"KUBERNETES_EXEC_INFO=old", NULL };
	char **env = exec_credential_env(&config, NULL, own);

	(void)state;
	assert_string_equal(env[0], "HOMEPAGE=x");
	assert_string_equal(env[1], "HOME=/plugin");
	assert_true(strncmp(env[2], "KUBERNETES_EXEC_INFO={", 22) == 0);
	assert_null(env[3]);
	exec_credential_env_free(env);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_is_taken_until_it_expires),
		cmocka_unit_test(what_is_no_credential_is_refused),
		cmocka_unit_test(the_plugin_is_told_of_the_cluster_when_it_wants),
		cmocka_unit_test(the_kubeconfig_overrides_the_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
