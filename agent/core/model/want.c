/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/model/want.h"

void want_release(struct want *want)
{
	free(want->cgroup);
	want->cgroup = NULL;
	want->cgroup_nr = 0;
}
