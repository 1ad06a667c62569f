# SPDX-License-Identifier: Apache-2.0
"""Objects as an API server gives them, and what a controller must know of each (GET /debug/store)."""

from datetime import datetime, timezone

API = "profiling.rubato.dev/v1alpha1"
POLICIES, CLUSTER_POLICIES = "profilingpolicies", "clusterprofilingpolicies"
NAMESPACES, NODES, PODS = "namespaces", "nodes", "pods"
KINDS = {POLICIES: (API, "ProfilingPolicy"), CLUSTER_POLICIES: (API, "ClusterProfilingPolicy"),
         NAMESPACES: ("v1", "Namespace"), NODES: ("v1", "Node"), PODS: ("v1", "Pod")}
CREATED = "2026-01-02T03:04:05Z"
SERVICE = "resource.opentelemetry.io/service.name"
NS_PER_S = 10**9


def body(resource, name, ns=None, **members):
    """`members`: uid, generation, labels, annotations go into the metadata, spec and status do not."""
    api_version, kind = KINDS[resource]
    outside = {key: members.pop(key) for key in ("spec", "status") if key in members}
    about = {"name": name, "uid": f"uid-{resource}-{name}", "creationTimestamp": CREATED} | members
    return {"apiVersion": api_version, "kind": kind, "metadata": about | ({"namespace": ns} if ns else {})} | outside


def policy(name, ns="payments", generation=1, uid=None, annotations=None, **spec):
    return body(POLICIES, name, ns, uid=uid or f"uid-{name}", generation=generation, annotations=annotations or {},
                spec={"sampleRateHz": 50} | spec)


def cluster_policy(name, generation=1, ns_labels=None, **limits):
    selector = {"namespaceSelector": {"matchLabels": ns_labels}} if ns_labels else {}
    return body(CLUSTER_POLICIES, name, generation=generation,
                spec=selector | {"defaults": {"sampleRateHz": 19, "capabilities": ["kernel", "cpu"]},
                                 "limits": {"maxSampleRateHz": 100} | limits})


def pod(name, ns="payments", node=None, uid=None, labels=None, ids=("0a1b",), phase="Running", service=None):
    """With a container for each of `ids`; None: it has not started."""
    names = [f"c{nr}" for nr in range(len(ids))]
    return body(PODS, name, ns, uid=uid or f"uid-{ns}-{name}", labels=labels or {},
                annotations={SERVICE: service} if service else {},
                spec={"containers": [{"name": name} for name in names]} | ({"nodeName": node} if node else {}),
                status={"phase": phase, "containerStatuses": [
                    {"name": name, "containerID": f"containerd://{cid}"} for name, cid in zip(names, ids) if cid]})


def _seconds(text):
    return int(datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc).timestamp())


def _present(**members):
    """Those that say something; a 0 does."""
    return {key: value for key, value in members.items() if value not in (None, False, "", [])}


def _selector(given):
    return [{"key": key, "operator": "In", "values": [value]} for key, value in (given or {}).get("matchLabels", {}).items()]


def _caps(given):
    return [cap for cap in ("cpu", "kernel", "native") if cap in given]


def _policy(spec):
    caps = spec.get("capabilities", {})
    return _present(sampleRateHz=spec.get("sampleRateHz"), selector=_selector(spec.get("selector")),
                    duration_ns=spec.get("duration") and int(spec["duration"].rstrip("s")) * NS_PER_S,
                    containers=sorted(spec.get("containers", [])), add=_caps(caps.get("add", [])),
                    drop=_caps(caps.get("drop", [])), reason=spec.get("reason"))


def _cluster_policy(spec):
    defaults, limits = spec["defaults"], spec["limits"]
    return _present(namespaceSelector=_selector(spec.get("namespaceSelector")), sampleRateHz=defaults["sampleRateHz"],
                    capabilities=_caps(defaults["capabilities"]), maxSampleRateHz=limits["maxSampleRateHz"],
                    maxContinuousSampleRateHz=limits.get("maxContinuousSampleRateHz"))


def _pod(given):
    ids = {item["name"]: item["containerID"].split("//")[1] for item in given["status"]["containerStatuses"]}
    containers = [_present(name=item["name"], id=ids.get(item["name"])) for item in given["spec"]["containers"]]
    return {"containers": sorted(containers, key=lambda item: item["name"])} | _present(
        node=given["spec"].get("nodeName"), done=given["status"]["phase"] in ("Succeeded", "Failed"),
        service=given["metadata"]["annotations"].get(SERVICE))


def known(given):
    """The line of GET /debug/store for an object of the API server."""
    about, kind = given["metadata"], given["kind"]
    line = {"kind": kind, "name": about["name"], "uid": about["uid"], "created": _seconds(about["creationTimestamp"]),
            "labels": {} if "Policy" in kind else about.get("labels", {})}
    line |= _present(namespace=about.get("namespace"), generation=about.get("generation"))
    if kind == "Pod":
        line |= _pod(given)
    elif kind == "ProfilingPolicy":
        line |= _policy(given["spec"])
    elif kind == "ClusterProfilingPolicy":
        line |= _cluster_policy(given["spec"])
    return line
