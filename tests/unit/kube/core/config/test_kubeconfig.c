/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kube/core/config/kubeconfig.h"

#define CONTEXTS                                                                                   \
	"current-context: one\n"                                                                   \
	"contexts:\n"                                                                              \
	"- {name: one, context: {cluster: c, user: u, namespace: payments}}\n"                     \
	"- {name: two, context: {cluster: c, user: nobody}}\n"

static int parse(const char *clusters_and_users, const char *context, struct kube_config *ret,
		 struct err *err)
{
	char text[4096];
	struct kubeconfig_file file = { .path = "/etc/kube/config", .text = text };

	snprintf(text, sizeof(text), "%s%s", CONTEXTS, clusters_and_users);
	file.len = strlen(text);
	return kubeconfig_parse(&file, 1, context, ret, err);
}

static void refused(const char *cluster, const char *user, const char *sentence)
{
	struct kube_config config = { 0 };
	struct err err = ERR_INIT;
	char text[2048];

	snprintf(text, sizeof(text),
		 "clusters:\n- {name: c, cluster: {%s}}\nusers:\n- {name: u, user: {%s}}\n",
		 cluster, user);
	assert_true(parse(text, NULL, &config, &err) < 0);
	if (!strstr(err.text, sentence))
		fail_msg("\"%s\" does not say \"%s\"", err.text, sentence);
}

static void the_current_context_is_taken(void **state)
{
	struct kube_config config = { 0 };
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(
		parse("clusters:\n- name: c\n  cluster:\n    server: https://10.0.0.1:6443/\n"
		      "    certificate-authority: ca.crt\n    tls-server-name: kubernetes\n"
		      "    proxy-url: socks5://localhost:1080\n"
		      "users:\n- name: u\n  user:\n    tokenFile: ../token\n    token: abc\n"
		      "    client-certificate-data: LS0tLS1CRUdJTiA=\n"
		      "    client-key: /keys/u.key\n"
		      "    as: alice\n    as-groups: [dev, ops]\n"
		      "    as-user-extra: {scopes: [a, b]}\n",
		      NULL, &config, &err),
		0);
	assert_string_equal(config.server, "https://10.0.0.1:6443");
	assert_string_equal(config.ca_file, "/etc/kube/ca.crt");
	assert_string_equal(config.tls_server_name, "kubernetes");
	assert_string_equal(config.proxy_url, "socks5://localhost:1080");
	assert_string_equal(config.ns, "payments");
	assert_string_equal(config.token_file, "/etc/kube/../token");
	assert_string_equal(config.cert_data, "-----BEGIN ");
	assert_string_equal(config.key_file, "/keys/u.key");
	assert_string_equal(config.as_user, "alice");
	assert_int_equal(config.as_group_nr, 2);
	assert_string_equal(config.as_extra[1].value, "b");
	kube_config_release(&config);
}

static void an_exec_plugin_is_taken(void **state)
{
	struct kube_config config = { 0 };
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(parse("clusters:\n- {name: c, cluster: {server: 'https://a'}}\n"
			       "users:\n- name: u\n  user:\n    exec:\n"
			       "      apiVersion: client.authentication.k8s.io/v1\n"
			       "      command: ./bin/login\n      args: [--cluster, x]\n"
			       "      env: [{name: A, value: b}]\n      interactiveMode: Never\n",
			       NULL, &config, &err),
			 0);
	assert_null(config.exec.cluster_config);
	assert_string_equal(config.exec.command, "/etc/kube/./bin/login");
	assert_int_equal(config.exec.arg_nr, 2);
	assert_string_equal(config.exec.env[0].value, "b");
	kube_config_release(&config);
}

static void a_cluster_may_have_words_for_the_plugin(void **state)
{
	struct kube_config config = { 0 };
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(parse("clusters:\n- name: c\n  cluster:\n    server: 'https://a'\n"
			       "    extensions:\n    - {name: other, extension: 1}\n"
			       "    - name: client.authentication.k8s.io/exec\n"
			       "      extension: {audience: x}\n"
			       "users: [{name: u, user: {}}]\n",
			       NULL, &config, &err),
			 0);
	assert_string_equal(config.exec.cluster_config, "{\"audience\":\"x\"}");
	kube_config_release(&config);
}

static void the_first_file_that_names_it_wins(void **state)
{
	static const char first[] = "clusters:\n- {name: c, cluster: {server: 'https://first'}}\n";
	static const char second[] =
		CONTEXTS "clusters:\n- {name: c, cluster: {server: 'https://second'}}\n"
			 "users:\n- {name: u, user: {token: t}}\n";
	const struct kubeconfig_file file[] = {
		{ "/a/config", first, sizeof(first) - 1 },
		{ "/b/config", second, sizeof(second) - 1 },
	};
	struct kube_config config = { 0 };
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(kubeconfig_parse(file, 2, NULL, &config, &err), 0);
	assert_string_equal(config.server, "https://first");
	assert_string_equal(config.token, "t");
	kube_config_release(&config);
}

static void what_is_wrong_is_said(void **state)
{
	static const char server[] = "server: 'https://a'";
	struct kube_config config = { 0 };
	struct err err = ERR_INIT;

	(void)state;
	refused("", "", "server: is missing");
	refused("server: ftp", "", "does not begin with https://");
	refused("server: 'https://a', insecure-skip-tls-verify: true, certificate-authority: x", "",
		"do not go together");
	refused("server: 'https://a', certificate-authority-data: '?'", "", "is not base64");
	refused("server: 'https://a', proxy-url: 'ftp://p'", "", "proxy-url: is not http://HOST");
	refused(server, "auth-provider: {name: gcp}", "auth-provider: is no longer supported");
	refused(server, "client-certificate: x", "client-key: is missing");
	refused(server, "as-groups: [x]", "as: is missing");
	refused(server, "exec: {command: x}", "apiVersion: is not");
	refused(server,
		"exec: {command: x, apiVersion: client.authentication.k8s.io/v1, "
		"interactiveMode: Always}",
		"a daemon has nobody to ask");
	assert_int_equal(parse("clusters: [{name: c, cluster: {server: 'https://a'}}]\n", "three",
			       &config, &err),
			 -ENOENT);
	assert_string_equal(err.text, "there is no context \"three\"");
	assert_true(parse("clusters: [{name: c, cluster: {server: 'https://a'}}]\n", "two", &config,
			  &err) < 0);
	assert_string_equal(err.text, "context \"two\": its user \"nobody\" is not there");
}

static void a_pod_knows_its_api_server(void **state)
{
	struct kube_config config = { 0 };
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(kubeconfig_in_cluster("fd00::1", "443", "/sa", &config, &err), 0);
	assert_string_equal(config.server, "https://[fd00::1]:443");
	assert_string_equal(config.token_file, "/sa/token");
	kube_config_release(&config);
	assert_int_equal(kubeconfig_in_cluster(NULL, "443", "/sa", &config, &err), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_current_context_is_taken),
		cmocka_unit_test(an_exec_plugin_is_taken),
		cmocka_unit_test(a_cluster_may_have_words_for_the_plugin),
		cmocka_unit_test(the_first_file_that_names_it_wins),
		cmocka_unit_test(what_is_wrong_is_said),
		cmocka_unit_test(a_pod_knows_its_api_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
