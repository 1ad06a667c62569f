/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/cgroup/cgroup_name.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool fact)
{
	if (!fact)
		abort();
}

/* Whatever the path: the parts fit together, and the prefix that was named is named the same alone.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	cleanup(freep) char *path = xstrndup((const char *)data, len);
	struct cgroup_name name = cgroup_name_parse(path);
	cleanup(freep) char *own = xstrndup(path, name.len);
	struct cgroup_name again = cgroup_name_parse(own);

	must(name.len <= strlen(path));
	must((name.kind == CGROUP_OTHER) == (name.uid[0] == '\0'));
	must((name.kind == CGROUP_CONTAINER) == (strlen(name.cid) == 64));
	must(again.kind == name.kind && again.len == name.len);
	must(strcmp(again.uid, name.uid) == 0 && strcmp(again.cid, name.cid) == 0);
	return 0;
}
