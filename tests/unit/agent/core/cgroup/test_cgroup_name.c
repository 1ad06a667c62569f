/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "agent/core/cgroup/cgroup_name.h"

#define UID "0b5c9a3e-7d1f-4c2a-9b8e-1234567890ab"
#define UID_ "0b5c9a3e_7d1f_4c2a_9b8e_1234567890ab"
#define STATIC "5c1f0e9d8b7a69584736251403f2e1d0"
#define CID "4f2a6c9be1d0837f5a4c3b2d1e0f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c4d3e2f"
#define CID2 "00000000000000000000000000000000000000000000000000000000000000ff"

static void check(const char *path, enum cgroup_kind kind, const char *uid, const char *cid,
		  const char *own)
{
	struct cgroup_name name = cgroup_name_parse(path);

	if (name.kind != kind || strcmp(name.uid, uid) != 0 || strcmp(name.cid, cid) != 0 ||
	    name.len != strlen(own) || strncmp(path, own, name.len) != 0)
		fail_msg("%s: kind %d uid '%s' cid '%s' len %zu", path, name.kind, name.uid,
			 name.cid, name.len);
}

static void container(const char *path)
{
	check(path, CGROUP_CONTAINER, UID, CID, path);
}

static void pod(const char *path)
{
	check(path, CGROUP_POD, UID, "", path);
}

static void other(const char *path)
{
	check(path, CGROUP_OTHER, "", "", "");
}

static void the_systemd_driver_names_slices_and_scopes(void **state)
{
	(void)state;
	container("/kubepods.slice/kubepods-pod" UID_ ".slice/cri-containerd-" CID ".scope");
	container("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_
		  ".slice/crio-" CID ".scope");
	container("/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID_
		  ".slice/docker-" CID ".scope");
	container("/kubepods.slice/kubepods-pod" UID_ ".slice/libpod-" CID ".scope");
	container("/kubepods.slice/kubepods-pod" UID_ ".slice/cri\\x2dcontainerd\\x2d" CID
		  ".scope");
	pod("/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID_ ".slice");
	pod("/kubepods.slice/kubepods-pod" UID_ ".slice");
}

static void the_cgroupfs_driver_names_plain_directories(void **state)
{
	(void)state;
	container("/kubepods/pod" UID "/" CID);
	container("/kubepods/burstable/pod" UID "/" CID);
	container("/kubepods/besteffort/pod" UID "/crio-" CID);
	container("kubepods/burstable/pod" UID "/" CID);
	pod("/kubepods/pod" UID);
	pod("/kubepods/burstable/pod" UID);
}

static void a_static_pod_has_a_uid_without_dashes(void **state)
{
	(void)state;
	check("/kubepods/burstable/pod" STATIC "/" CID, CGROUP_CONTAINER, STATIC, CID,
	      "/kubepods/burstable/pod" STATIC "/" CID);
	check("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" STATIC
	      ".slice/cri-containerd-" CID ".scope",
	      CGROUP_CONTAINER, STATIC, CID,
	      "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" STATIC
	      ".slice/cri-containerd-" CID ".scope");
}

static void anything_may_stand_in_front(void **state)
{
	(void)state;
	container("/docker/" CID2
		  "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/"
		  "kubelet-kubepods-burstable-pod" UID_ ".slice/cri-containerd-" CID ".scope");
	container("/system.slice/docker-" CID2 ".scope/kubepods/besteffort/pod" UID "/" CID);
	container("/system.slice/docker-" CID2 ".scope/kubelet/kubepods/pod" UID "/" CID);
	container("/../../kubepods/pod" UID "/" CID);
	other("/docker/" CID2);
}

static void a_driver_set_wrong_puts_pod_and_container_into_one_name(void **state)
{
	(void)state;
	container("/system.slice/containerd.service/kubepods-burstable-pod" UID_
		  ".slice:cri-containerd:" CID);
	container("/kubepods-pod" UID_ ".slice:crio:" CID);
	check("/system.slice/containerd.service/kubepods-pod" UID_ ".slice:cri-containerd:" CID
	      "/init",
	      CGROUP_CONTAINER, UID, CID,
	      "/system.slice/containerd.service/kubepods-pod" UID_ ".slice:cri-containerd:" CID);
}

static void what_is_below_a_container_is_the_containers(void **state)
{
	(void)state;
	check("/kubepods/pod" UID "/" CID "/init.scope", CGROUP_CONTAINER, UID, CID,
	      "/kubepods/pod" UID "/" CID);
	check("/kubepods.slice/kubepods-pod" UID_ ".slice/crio-" CID ".scope/container",
	      CGROUP_CONTAINER, UID, CID,
	      "/kubepods.slice/kubepods-pod" UID_ ".slice/crio-" CID ".scope");
	check("/kubepods/pod" UID "/" CID "/docker/" CID2, CGROUP_CONTAINER, UID, CID,
	      "/kubepods/pod" UID "/" CID);
	check("/kubepods/pod" UID "/" CID "/kubepods/pod" STATIC "/" CID2, CGROUP_CONTAINER, UID,
	      CID, "/kubepods/pod" UID "/" CID);
}

static void a_monitor_is_the_pods_own(void **state)
{
	(void)state;
	check("/kubepods.slice/kubepods-pod" UID_ ".slice/crio-conmon-" CID ".scope", CGROUP_POD,
	      UID, "", "/kubepods.slice/kubepods-pod" UID_ ".slice");
	check("/kubepods/pod" UID "/helper", CGROUP_POD, UID, "", "/kubepods/pod" UID);
}

static void upper_case_is_made_lower(void **state)
{
	(void)state;
	check("/kubepods/pod0B5C9A3E-7D1F-4C2A-9B8E-1234567890AB", CGROUP_POD, UID, "",
	      "/kubepods/pod0B5C9A3E-7D1F-4C2A-9B8E-1234567890AB");
}

static void what_only_looks_alike_is_nobodys(void **state)
{
	(void)state;
	other("");
	other("/");
	other("/kubepods.slice");
	other("/kubepods/burstable");
	other("/user.slice/user-0.slice/session-1.scope");
	other("/system.slice/pod-manager.service");
	other("/kubepods/pod" UID "0");
	other("/kubepods/pod" STATIC "0");
	other("/kubepods/pod0b5c9a3e-7d1f-4c2a-9b8e-1234567890a");
	other("/kubepods/pod0b5c9a3e-7d1f-4c2a-9b8e-1234567890ag");
	other("/kubepods/" CID);
	pod("/kubepods/pod" UID);
	check("/kubepods/pod" UID "/x" CID, CGROUP_POD, UID, "", "/kubepods/pod" UID);
	check("/kubepods/pod" UID "/0" CID, CGROUP_POD, UID, "", "/kubepods/pod" UID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_systemd_driver_names_slices_and_scopes),
		cmocka_unit_test(the_cgroupfs_driver_names_plain_directories),
		cmocka_unit_test(a_static_pod_has_a_uid_without_dashes),
		cmocka_unit_test(anything_may_stand_in_front),
		cmocka_unit_test(a_driver_set_wrong_puts_pod_and_container_into_one_name),
		cmocka_unit_test(what_is_below_a_container_is_the_containers),
		cmocka_unit_test(a_monitor_is_the_pods_own),
		cmocka_unit_test(upper_case_is_made_lower),
		cmocka_unit_test(what_only_looks_alike_is_nobodys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
