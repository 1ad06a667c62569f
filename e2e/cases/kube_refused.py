# SPDX-License-Identifier: Apache-2.0
"""CRDs of another version than the controller: what the API server takes and we refuse says so where people look."""

import json
import time

from rubato import tools
from rubato.daemons import wait_until
from rubato.kube_rig import Cluster, cells

ONE_BY_ONE, NEEDS_KERNEL = True, False
API = "profiling.rubato.dev/v1alpha1"
PATIENCE_S = 20
SCHEMA = "/spec/versions/0/schema/openAPIV3Schema/properties/spec"


def policy(name, **spec):
    return {"apiVersion": API, "kind": "ProfilingPolicy", "metadata": {"name": name, "namespace": "default"}, "spec": spec}


class Skewed(Cluster):
    """Its CRDs know fields that the controller does not, and fewer rules."""

    def __init__(self):
        super().__init__("refused")
        self.loosen("profilingpolicies", f"{SCHEMA}/properties/sampleRateHz/maximum", "ProfilingPolicy")
        self.loosen("clusterprofilingpolicies", f"{SCHEMA}/properties/defaults/properties/sampleRateHz/maximum",
                    "ClusterProfilingPolicy")
        self.controller.start(30)

    def loosen(self, resource, bound, kind):
        patch = [{"op": "remove", "path": bound}, {"op": "remove", "path": f"{SCHEMA}/x-kubernetes-validations"},
                 {"op": "add", "path": f"{SCHEMA}/x-kubernetes-preserve-unknown-fields", "value": True}]
        self.server.kubectl("patch", "crd", f"{resource}.profiling.rubato.dev", "--type=json", "-p", json.dumps(patch))
        where = f"/apis/{API}/" + (resource if kind.startswith("Cluster") else f"namespaces/default/{resource}")
        body = {"apiVersion": API, "kind": kind, "metadata": {"name": "probe"},
                "spec": {"sampleRateHz": 5000, "newer": 1}}
        if not wait_until(lambda: self.server.request("POST", f"{where}?dryRun=All", body)[0] == 201, PATIENCE_S, 0.2):
            raise RuntimeError("the API server does not take the looser CRD")

    def wait(self, kind, name, condition):
        """`kubectl wait --for=condition=...`: whether it came true in time."""
        done = f"--for=condition={condition}"
        return "condition met" in self.server.kubectl("wait", f"{kind}/{name}", done, f"--timeout={PATIENCE_S}s")

    def object(self, name):
        return json.loads(self.server.kubectl("get", "profpol", name, "-o", "json"))

    def accepted(self, name, kind="profpol"):
        conditions = json.loads(self.server.kubectl("get", kind, name, "-o", "json"))["status"]["conditions"]
        return next(c for c in conditions if c["type"] == "Accepted")

    def metric(self, name, kind="ProfilingPolicy"):
        return self.controller.metrics().get(f'{name}{{kind="{kind}"}}')

    def events(self, reason):
        text = self.server.kubectl("get", "events.events.k8s.io", "-o", "json")
        return [event for event in json.loads(text)["items"] if event["reason"] == reason]

    def refusals(self, name):
        return [r for r in self.controller.log_records() if r["msg"] == "policy refused" and r["name"] == name]


def check_edit(checks, cluster):
    cluster.apply(policy("mixed", sampleRateHz=40))
    checks.check("a good policy is accepted", cluster.wait("profpol", "mixed", "Accepted"))
    cluster.apply(policy("mixed", sampleRateHz=5000))
    checks.check("an edit that only the API server takes: kubectl wait --for=condition=Accepted=False",
                 cluster.wait("profpol", "mixed", "Accepted=False"))
    seen, said = cluster.object("mixed"), cluster.accepted("mixed")
    checks.check("the message names the field and what is wrong",
                 said["message"].startswith("spec.sampleRateHz: 5000 is not in 0..200."), said["message"])
    checks.check("and what is in force instead",
                 "Generation 2 is not in force; generation 1 stays in force" in said["message"])
    checks.check("the status is of the generation that is refused",
                 seen["status"]["observedGeneration"] == seen["metadata"]["generation"] == said["observedGeneration"] == 2)
    row = cells(*cluster.server.kubectl("get", "profpol", "mixed").splitlines())
    checks.check("kubectl get profpol shows it", (row["READY"], row["REASON"]) == ("False", "Invalid"), str(row))


def check_quiet(checks, cluster):
    version = cluster.object("mixed")["metadata"]["resourceVersion"]
    cluster.server.kubectl("annotate", "profpol", "mixed", "seen=twice")
    annotated = cluster.object("mixed")["metadata"]["resourceVersion"]
    time.sleep(2)
    checks.check("nothing more is written", cluster.object("mixed")["metadata"]["resourceVersion"] == annotated != version)
    checks.check("the log has it once", len(cluster.refusals("mixed")) == 1)

    told = wait_until(lambda: cluster.events("Invalid"), PATIENCE_S, 0.3)
    checks.check("a Warning Event says the same",
                 bool(told) and told[0]["type"] == "Warning" and told[0]["note"] == cluster.accepted("mixed")["message"])


def check_restart(checks, cluster):
    cluster.controller.stop()
    cluster.controller.start(30)
    there = wait_until(lambda: "; nothing is in force" in cluster.accepted("mixed")["message"], PATIENCE_S, 0.2)
    checks.check("after a restart nothing is in force, and it says so", there, cluster.accepted("mixed")["message"])


def check_mended(checks, cluster):
    cluster.apply(policy("mixed", sampleRateHz=60))
    checks.check("mended, it is accepted", cluster.wait("profpol", "mixed", "Accepted"))
    checks.check("and none is refused", wait_until(
        lambda: cluster.metric("rubato_controller_policies_refused") == 0, PATIENCE_S))


def check_newer(checks, cluster):
    cluster.server.request("POST", f"/apis/{API}/namespaces/default/profilingpolicies",
                           policy("newer", sampleRateHz=40, sampleUnit="Hz"))
    cluster.server.request("POST", f"/apis/{API}/clusterprofilingpolicies",
                           {"apiVersion": API, "kind": "ClusterProfilingPolicy", "metadata": {"name": "fleet"},
                            "spec": {"defaults": {"sampleRateHz": 999}}})
    checks.check("a field of a newer version is refused from the start", cluster.wait("profpol", "newer", "Accepted=False"))
    said = cluster.accepted("newer")["message"]
    checks.check("by its name", "spec.sampleUnit: is not a field" in said and "nothing is in force" in said, said)
    checks.check("so is a ClusterProfilingPolicy", cluster.wait("cprofpol", "fleet", "Accepted=False"))
    said = cluster.accepted("fleet", "cprofpol")["message"]
    checks.check("by its field", said.startswith("spec.defaults.sampleRateHz: 999 is not in 0..200."), said)
    cluster.server.kubectl("delete", "profpol", "newer")
    checks.check("deleted, it is forgotten", wait_until(
        lambda: cluster.metric("rubato_controller_policies_refused") == 0, PATIENCE_S))


def check_ends(checks, cluster):
    """A boost that is edited, refused and deleted: nobody else tells that it is over."""
    def expires():
        return cluster.object("boost").get("status", {}).get("expiresAt")
    cluster.apply(policy("boost", sampleRateHz=90, duration="10m"))
    first = wait_until(expires, PATIENCE_S, 0.2)
    time.sleep(1.1)  # ends are told in whole seconds
    cluster.apply(policy("boost", sampleRateHz=80, duration="10m"))
    told = wait_until(lambda: cluster.events("RateRestored"), PATIENCE_S, 0.3)
    checks.check("an edited boost is told to end", bool(told) and "it was edited" in told[0]["note"], told[0]["note"] if told else "")
    checks.check("and begins anew", wait_until(lambda: expires() not in (None, first), PATIENCE_S, 0.2))
    second = expires()
    cluster.apply(policy("boost", sampleRateHz=5000, duration="10m"))
    cluster.wait("profpol", "boost", "Accepted=False")
    checks.check("beside a refused edit it goes on, with its end", expires() == second)
    cluster.server.kubectl("delete", "profpol", "boost")
    series = wait_until(lambda: [e for e in cluster.events("RateRestored") if (e.get("series") or {}).get("count") == 2],
                        PATIENCE_S, 0.3)
    checks.check("deleted, the same event is counted twice", bool(series))


async def a_policy_that_only_the_api_server_takes_says_so(checks):
    try:
        cluster = Skewed()
    except tools.Missing as why:
        checks.skip("CRDs of another version", str(why))
        return
    for part in (check_edit, check_quiet, check_restart, check_mended, check_newer, check_ends):
        part(checks, cluster)
    checks.check("the controller ends well", cluster.controller.stop() == 0, cluster.controller.last_lines(2))
    checks.check("and says nothing of memory", not cluster.controller.sanitizer_report())
    cluster.server.stop()


CASES = [a_policy_that_only_the_api_server_takes_says_so]
