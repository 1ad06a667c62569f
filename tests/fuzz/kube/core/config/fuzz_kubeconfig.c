/* SPDX-License-Identifier: Apache-2.0 */

/* One file, or two with a byte 0 between them: what is accepted says where to go, what is not says why. */

#include <stdlib.h>
#include <string.h>

#include "kube/core/config/kubeconfig.h"
#include "kube/core/config/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_config(const struct kube_config *config)
{
	const struct kube_proxy_env env = { .https = "http://proxy:3128",
					    .no = ".example.com,10.0.0.0/8" };

	if (!config->context || !config->server || strncmp(config->server, "http", 4) != 0)
		abort();
	free(kube_proxy_find(config, &env));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *zero = size ? memchr(text, 0, size) : NULL;
	size_t len = zero ? (size_t)(zero - text) : size;
	size_t next = zero ? len + 1 : size;
	const struct kubeconfig_file file[] = {
		{ .path = "/etc/kube/config", .text = text, .len = len },
		{ .path = "/home/u/.kube/config", .text = text + next, .len = size - next },
	};
	struct kube_config config = { 0 };
	struct err err = ERR_INIT;

	if (kubeconfig_parse(file, zero ? 2 : 1, NULL, &config, &err) == 0)
		check_config(&config);
	else if (!err.text[0])
		abort();
	kube_config_release(&config);
	return 0;
}
