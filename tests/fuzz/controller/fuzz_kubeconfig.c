/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/kubeconfig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct kubeconfig_file file = { .path = "/etc/kube/config",
					      .text = (const char *)data,
					      .len = size };
	struct kube_config config = { 0 };
	struct err err = ERR_INIT;

	if (kubeconfig_parse(&file, 1, NULL, &config, &err) == 0)
		kube_config_release(&config);
	return 0;
}
