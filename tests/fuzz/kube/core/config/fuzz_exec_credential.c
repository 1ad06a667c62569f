/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/core/config/exec_credential.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct exec_credential credential = { 0 };
	struct err err = ERR_INIT;

	if (exec_credential_parse((const char *)data, size, "client.authentication.k8s.io/v1", 0,
				  &credential, &err) == 0)
		exec_credential_release(&credential);
	return 0;
}
