/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/plan/lkg.h"
#include "lib/core/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct lkg_now now = { "boot", 1000 * NSEC_PER_SEC, 1700000000 * NSEC_PER_SEC };

static void try(const char *text, size_t len)
{
	struct plan plan;
	struct err err;

	if (lkg_unpack(text, len, &now, &plan, &err) < 0)
		return;
	for (size_t i = 0; i < plan.boost_nr; i++)
		if (plan.boost[i].expires_ns > now.boot_ns + LIMIT_BOOST_NS_MAX ||
		    plan.boost[i].dead_man_ns > now.boot_ns + LIMIT_BOOST_NS_MAX)
			abort(); /* a boost became longer */
	plan_release(&plan);
}

/* As it is, and behind a checksum that fits: a fuzzer does not find one by itself. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = xmalloc(size + 128);
	uint8_t sum[32];
	int len = snprintf(text, 128, "rubato-plan 1 ");

	try((const char *)data, size);
	EVP_Digest(data, size, sum, NULL, EVP_sha256(), NULL);
	for (int i = 0; i < 32; i++)
		len += snprintf(text + len, 8, "%02x", sum[i]);
	text[len++] = '\n';
	if (size)
		memcpy(text + len, data, size);
	try(text, (size_t)len + size);
	free(text);
	return 0;
}
