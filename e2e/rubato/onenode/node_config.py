# SPDX-License-Identifier: Apache-2.0
"""The configurations of a node's programs, and what a cluster needs before anything of ours can run in it."""

import json

from .space import ADDRESS

NODE = "node-a"
POD_NET, SERVICE_NET = "10.244.0.0/24", "10.96.0.0/16"
API_SERVICE, DNS_SERVICE = "10.96.0.1", "10.96.0.10"
SOCKET = "/run/containerd/containerd.sock"
PAUSE, COREDNS = "rubato.test/pause:1", "rubato.test/coredns:1"

# restrict_oom_score_adj: a machine without CAP_SYS_RESOURCE cannot lower it.
CONTAINERD = f"""version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/cni/net.d"
"""

CNI = json.dumps({"cniVersion": "0.4.0", "name": "pods", "plugins": [
    {"type": "ptp", "ipMasq": False, "ipam": {"type": "host-local", "ranges": [[{"subnet": POD_NET}]], "routes": [{"dst": "0.0.0.0/0"}]}},
    {"type": "portmap", "capabilities": {"portMappings": True}}]})


def kubelet(home, pki):
    return json.dumps({
        "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
        "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True}, "x509": {"clientCAFile": pki("ca.crt")}},
        "authorization": {"mode": "Webhook"}, "tlsCertFile": pki("kubelet-serving.crt"), "tlsPrivateKeyFile": pki("kubelet-serving.key"),
        "containerRuntimeEndpoint": f"unix://{SOCKET}", "cgroupDriver": "cgroupfs", "failCgroupV1": False, "failSwapOn": False,
        "enforceNodeAllocatable": [], "clusterDNS": [DNS_SERVICE], "clusterDomain": "cluster.local",
        "resolvConf": f"{home}/resolv.conf", "address": ADDRESS, "healthzBindAddress": ADDRESS,
        # The machine's disk is not the test's subject.
        "evictionHard": {"memory.available": "50Mi"}, "imageGCHighThresholdPercent": 100,
        "nodeStatusUpdateFrequency": "2s", "syncFrequency": "10s", "shutdownGracePeriod": "0s"})


def _meta(name, namespace="kube-system", **more):
    return {"metadata": {"name": name, **({"namespace": namespace} if namespace else {}), **more}}


def dns():
    """CoreDNS as a cluster has it: an account, a Deployment, the Service that pods are told of."""
    labels = {"k8s-app": "kube-dns"}
    corefile = (".:53 {\n errors\n ready\n kubernetes cluster.local in-addr.arpa {\n  pods insecure\n  ttl 5\n }\n cache 5\n}\n")
    rules = [{"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": ["list", "watch"]},
             {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]}]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:coredns"}
    container = {"name": "coredns", "image": COREDNS, "imagePullPolicy": "Never", "args": ["-conf", "/etc/coredns/Corefile"],
                 "resources": {"requests": {"cpu": "10m", "memory": "30Mi"}},
                 "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1},
                 "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns"}]}
    ports = [{"name": f"dns-{proto.lower()}", "port": 53, "protocol": proto} for proto in ("UDP", "TCP")]
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", **_meta("coredns")},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", **_meta("system:coredns", None), "rules": rules},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", **_meta("system:coredns", None), "roleRef": role,
         "subjects": [{"kind": "ServiceAccount", "name": "coredns", "namespace": "kube-system"}]},
        {"apiVersion": "v1", "kind": "ConfigMap", **_meta("coredns"), "data": {"Corefile": corefile}},
        {"apiVersion": "apps/v1", "kind": "Deployment", **_meta("coredns"),
         "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": {
             "serviceAccountName": "coredns", "dnsPolicy": "Default", "priorityClassName": "system-cluster-critical",
             "tolerations": [{"operator": "Exists"}], "terminationGracePeriodSeconds": 1, "containers": [container],
             "volumes": [{"name": "config", "configMap": {"name": "coredns"}}]}}}},
        {"apiVersion": "v1", "kind": "Service", **_meta("kube-dns", labels=labels),
         "spec": {"clusterIP": DNS_SERVICE, "selector": labels, "ports": ports}},
    ]
