/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/model/want.h"

void want_release(struct want *want)
{
	for (size_t row = 0; row < want->cls_nr; row++) {
		free(want->cls[row].id);
		want->cls[row].id = NULL;
	}
	free(want->cgroup);
	want->cgroup = NULL;
	want->cgroup_nr = 0;
}
