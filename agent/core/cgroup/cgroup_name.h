/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CORE_CGROUP_CGROUP_NAME_H
#define AGENT_CORE_CGROUP_CGROUP_NAME_H

/* Whose a cgroup is, by its path alone.  Pure; the path is a tenant's to choose.
 *
 * The kubelet names the cgroups of pods (drivers systemd and cgroupfs), the runtime those of
 * containers below them (containerd, CRI-O, docker, podman).  Anything may stand in front (kind,
 * minikube) and below (systemd in a pod, docker in docker): the topmost pod and the topmost
 * container in it count.
 */

#include "lib/core/base.h"

#define CGROUP_UID_MAX 37 /* 8-4-4-4-12 or, for static pods, 32 hex; with the NUL */
#define CGROUP_CID_MAX 65 /* 64 hex; with the NUL */

enum cgroup_kind {
	CGROUP_OTHER,	  /* nothing of Kubernetes */
	CGROUP_POD,	  /* the pod's own cgroup, or in it but in no container (conmon) */
	CGROUP_CONTAINER, /* a container or something below it */
};

struct cgroup_name {
	enum cgroup_kind kind;
	char uid[CGROUP_UID_MAX]; /* pod uid, lower case, with dashes; "" for CGROUP_OTHER */
	char cid[CGROUP_CID_MAX]; /* container id, lower case; "" but for CGROUP_CONTAINER */
	size_t len; /* bytes of the path up to and with the directory that is the pod's or
		       container's */
};

/* Never fails; what is not understood is CGROUP_OTHER. */
struct cgroup_name cgroup_name_parse(const char *path);

#endif
