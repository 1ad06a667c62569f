# SPDX-License-Identifier: Apache-2.0
"""The Helm chart: what it renders, what a real API server says to it, and that what it installs is enough and not more.
(On a real node: make e2e-cluster.)"""

import asyncio
import json
import os
import re
import subprocess

from rubato import api_server, go_files, scope, tools
from rubato.chart import CHART, COMBINATIONS, RELEASE, ChartCluster, Helm, pick, secret
from rubato.daemons import BUILD
from rubato.kube_rig import ACCOUNT, SYSTEM, USER, KubeRig
from . import until

ONE_BY_ONE = True
CAPABILITIES = ["BPF", "CHECKPOINT_RESTORE", "DAC_READ_SEARCH", "PERFMON", "SYSLOG", "SYS_PTRACE"]
WRONG = [  # values, and what is said of them
    (["foo=1"], "additional properties 'foo' not allowed"),
    (["controller.replicaCount=2"], "/controller/replicaCount"),
    (["tls.mode=none"], "/tls/mode"),
    (["agent.image.digest=v1"], "/agent/image/digest"),
    (["agent.hostPath=relative"], "/agent/hostPath"),
    (["tls.mode=secret"], "with tls.mode=secret it names the"),
    (["agent.serviceAccount.create=false"], "agent.serviceAccount.name: with agent.serviceAccount.create=false it names the one to use"),
    (["prometheus.podmonitor.enabled=true", "prometheus.servicemonitor.enabled=true"], "everything is scraped twice"),
    (["agent.sinks.parca.enabled=true"], "agent.sinks.parca.url: with enabled it is the backend's address"),
    (["agent.sinks.parca.enabled=true", "agent.sinks.parca.url=http://x", "agent.sinks.parca.bearerToken=true"],
     "agent.sinks.parca.secretName: it names the Secret that holds the credentials"),
]


def _helm(checks, kubeconfig=None):
    try:
        return Helm(kubeconfig)
    except tools.Missing as why:
        checks.skip("the Helm chart", str(why))
        return None


def _look(checks, sentence, good, why=""):
    return checks.check(sentence, good, "" if good else str(why)[-500:])


def _bad_agent(daemonset):
    """What the agent's pod has that it should not."""
    pod = daemonset["spec"]["template"]["spec"]
    security = pod["containers"][0]["securityContext"]
    if pod["automountServiceAccountToken"] is not False:
        yield "a token of the API server's"
    tokens = [source for volume in pod["volumes"] for source in volume.get("projected", {}).get("sources", [])]
    if [token["serviceAccountToken"]["audience"] for token in tokens] != ["rubato-controller"]:
        yield f"tokens {tokens}"
    if security["privileged"] or security["allowPrivilegeEscalation"] or not security["readOnlyRootFilesystem"]:
        yield "privileges"
    if sorted(security["capabilities"]["add"]) != CAPABILITIES or security["capabilities"]["drop"] != ["ALL"]:
        yield f"capabilities {security['capabilities']}"
    if security["seccompProfile"]["type"] != "RuntimeDefault":
        yield "no seccomp profile"
    for forbidden in ("hostNetwork", "hostIPC"):
        if forbidden in pod:
            yield forbidden
    writable = [mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"] if not mount.get("readOnly") and mount["name"] != "more"]
    if writable != ["/var/lib/rubato"]:
        yield f"writable {writable}"


def _bad_roles(objects):
    agent = pick(objects, "DaemonSet")["spec"]["template"]["spec"]["serviceAccountName"]
    for each in objects:
        for rule in each.get("rules", []):
            if "*" in rule["verbs"] + rule["resources"] + rule["apiGroups"] or "secrets" in rule["resources"]:
                yield f"{each['metadata']['name']}: {rule}"
        for subject in each.get("subjects", []):
            if subject["name"] == agent:
                yield f"{each['metadata']['name']} binds the agents"


def _bad_monitoring(objects):
    """Ports and selectors of what is to be scraped lead to pods that have them."""
    for monitor in (each for each in objects if each["kind"] in ("PodMonitor", "ServiceMonitor")):
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        kinds = ("Service",) if monitor["kind"] == "ServiceMonitor" else ("Deployment", "DaemonSet")
        found = [each for each in objects if each["kind"] in kinds
                 and wanted <= (each["metadata"] if kinds == ("Service",) else each["spec"]["template"]["metadata"])["labels"].items()]
        if len(found) != 1:
            yield f"{monitor['kind']} {monitor['metadata']['name']} selects {len(found)}"


def _agent_takes(configmap):
    """What rubato-agent --check says of the ConfigMap, with files where it names some; "" = nothing is wrong."""
    home = scope.temp_dir("rubato-chart-config-")
    text = re.sub(r"(?<=[ :])(/etc/rubato|/var/run/rubato|/var/lib/rubato|/host)(?=/)", home + r"\1", configmap["data"]["config.yaml"])
    for path in re.findall(rf"{home}\S+", text):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="ascii") as file:
            file.write("x")
    with open(f"{home}/config.yaml", "w", encoding="utf-8") as file:
        file.write(text)
    done = subprocess.run([os.path.join(BUILD, "rubato-agent"), "--check", "--config", f"{home}/config.yaml"], capture_output=True, text=True, check=False)
    return done.stderr if done.returncode else ""


async def the_chart_is_rendered(checks):
    helm = _helm(checks)
    if not helm:
        return
    for path in COMBINATIONS:
        name = os.path.basename(path)
        said = await asyncio.to_thread(helm, "lint", "--strict", "-f", path, CHART)
        _look(checks, f"{name}: helm lint --strict", "0 chart(s) failed" in said)
        objects = await asyncio.to_thread(helm.render, "-f", path)
        bad = [*_bad_agent(pick(objects, "DaemonSet")), *_bad_roles(objects), *_bad_monitoring(objects)]
        _look(checks, f"{name}: the agent is not privileged, has six capabilities, no role and no token of the API server's; no role has a wildcard",
                     not bad, "; ".join(bad))
        agent = pick(objects, "ConfigMap", pick(objects, "DaemonSet")["metadata"]["name"])
        _look(checks, f"{name}: the agent understands its configuration", not _agent_takes(agent), _agent_takes(agent)[-300:])
    for values, sentence in WRONG:
        try:
            await asyncio.to_thread(helm.render, *(f"--set={value}" for value in values))
            said = "nothing"
        except api_server.Refused as refused:
            said = str(refused)
        _look(checks, f"{', '.join(values)} is refused with a sentence", sentence in said, "" if sentence in said else said[-300:])


def _dry_run(server, text):
    server.kubectl("apply", "--server-side", "--dry-run=server", "-f", "-", stdin=text)


def _pod_of(workload):
    template = workload["spec"]["template"]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probe", "namespace": "strict"},
            "spec": template["spec"] | {"serviceAccountName": "default"}}


def _admitted(server, workload):
    try:
        server.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(_pod_of(workload)))
        return ""
    except api_server.Refused as refused:
        return str(refused)


async def the_api_server_takes_every_combination(checks):
    try:
        server = await asyncio.to_thread(api_server.ApiServer(scope.temp_dir("rubato-chart-")).start)
        helm = Helm(server.kubeconfig)
    except tools.Missing as why:
        checks.skip("the API server takes every combination of values", str(why))
        return
    server.install_crds()
    for namespace in (SYSTEM, "monitoring"):
        server.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    foreign = True
    try:
        for path in await asyncio.to_thread(go_files.resources):
            server.kubectl("apply", "--server-side", "-f", path)
    except tools.Missing as why:
        foreign = False
        checks.skip("objects of cert-manager and the Prometheus Operator", str(why))
    for path in COMBINATIONS:
        sentence = f"{os.path.basename(path)}: every object passes a server-side dry run"
        text = await asyncio.to_thread(helm, "template", RELEASE, CHART, "-n", SYSTEM, "-f", path)
        if not foreign and re.search(r"^apiVersion: (cert-manager.io|monitoring.coreos.com)", text, re.M):
            checks.skip(sentence, "it has objects of others")
            continue
        try:
            await asyncio.to_thread(_dry_run, server, text)
            _look(checks, sentence, True)
        except api_server.Refused as refused:
            _look(checks, sentence, False, str(refused)[-400:])
    server.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {
        "name": "strict", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}})
    objects = helm.render()
    _look(checks, "Pod Security restricted lets the controller in", not _admitted(server, pick(objects, "Deployment")),
                 _admitted(server, pick(objects, "Deployment")))
    refused = _admitted(server, pick(objects, "DaemonSet"))
    reasons = ["host namespaces (hostPID=true)", "restricted volume types", "runAsNonRoot != true", "unrestricted capabilities"]
    _look(checks, "... and refuses the agents for hostPID, hostPath, uid 0 and their capabilities: what docs/install.md says they need",
                 all(reason in refused for reason in reasons), refused)
    server.stop()


def _not_after(pem):
    return subprocess.run(["openssl", "x509", "-noout", "-enddate"], input=pem, capture_output=True, text=True, check=True).stdout


async def certificates_are_kept_and_renewed(checks):
    try:
        server = await asyncio.to_thread(api_server.ApiServer(scope.temp_dir("rubato-chart-")).start)
        helm = Helm(server.kubeconfig)
    except tools.Missing as why:
        checks.skip("certificates are kept across upgrades", str(why))
        return

    def read():
        return {name: secret(server, f"{RELEASE}-{name}") for name in ("ca", "controller-tls", "agent-tls")}

    said = await asyncio.to_thread(helm.install)
    commands = re.findall(r"^     kubectl .*", said, re.M)
    _look(checks, "helm install with default values; NOTES.txt has the next three commands", len(commands) == 3 and "WARNING" not in said, said[-600:])
    first = read()
    await asyncio.to_thread(helm.upgrade, "--set", "agent.config.window=5s")
    _look(checks, "an upgrade keeps authority and certificates", read() == first)
    await asyncio.to_thread(helm.upgrade, "--set", "tls.dnsNames={rubato.example.com}")
    second = read()
    _look(checks, "another name of the controller makes its certificate anew, and no other",
                 second["controller-tls"] != first["controller-tls"] and second["agent-tls"] == first["agent-tls"] and second["ca"] == first["ca"])
    await asyncio.to_thread(helm.upgrade, "--set", "tls.dnsNames={rubato.example.com}", "--set", "tls.self.renewBeforeDays=900")
    third = read()
    _look(checks, "when less than renewBeforeDays are left both are made anew, by the same authority",
                 all(third[name][0]["tls.crt"] != second[name][0]["tls.crt"] for name in ("controller-tls", "agent-tls")) and third["ca"] == first["ca"])
    files, notes = third["agent-tls"]
    year = notes["profiling.rubato.dev/not-after"][:4]
    _look(checks, "the annotation says when the certificate ends", year in _not_after(files["tls.crt"]), f"{notes} {_not_after(files['tls.crt'])}")
    server.kubectl("-n", SYSTEM, "delete", "secret", f"{RELEASE}-ca")
    await asyncio.to_thread(helm.upgrade)
    fourth = read()
    _look(checks, "a new authority signs both anew", all(fourth[name][0]["ca.crt"] == fourth["ca"][0]["tls.crt"] for name in ("controller-tls", "agent-tls"))
                 and all(fourth[name][0]["tls.crt"] != third[name][0]["tls.crt"] for name in ("controller-tls", "agent-tls")))
    await _crds_of_another_version(checks, server, helm)
    await _uninstall(checks, server, helm)
    server.stop()


async def _crds_of_another_version(checks, server, helm):
    server.kubectl("patch", "crd", "profilingpolicies.profiling.rubato.dev", "--type=json", "-p",
                   '[{"op": "replace", "path": "/spec/versions/0/schema/openAPIV3Schema/description", "value": "older"}]')
    said = await asyncio.to_thread(helm.upgrade)
    command = re.search(r"kubectl (apply --server-side --force-conflicts -f crds/\S+)", said)
    _look(checks, "an upgrade over CRDs of another version says so, with the command", command and said.count("of another version") == 1, said[-500:])
    if command:
        server.kubectl(*command[1].replace("crds/", f"{CHART}/crds/").split())
        said = await asyncio.to_thread(helm.upgrade)
        _look(checks, "... and after it no more", "of another version" not in said, said[-300:])


async def _uninstall(checks, server, helm):
    await asyncio.to_thread(helm, "uninstall", RELEASE, "-n", SYSTEM)
    kinds = "deploy,ds,svc,sa,cm,secret,networkpolicy,clusterrole,clusterrolebinding,role,rolebinding,clusterprofilingpolicy,profilingpolicy"
    left = server.kubectl("get", kinds, "-A", "-l", f"app.kubernetes.io/instance={RELEASE}", "-o", "name")
    _look(checks, "helm uninstall leaves nothing of these", not left.strip(), left)
    _look(checks, "... but the CRDs", server.kubectl("get", "crd", "-o", "name").count("profiling.rubato.dev") == 2)


def _used(records):
    """{(verb, resource with subresource)} of an audit log."""
    used = set()
    for record in records:
        about = record.get("objectRef", {})
        used.add((record["verb"], "/".join(filter(None, [about.get("resource"), about.get("subresource")]))))
    return used


def _granted(server, kind, path):
    _, role = server.request("GET", f"/apis/rbac.authorization.k8s.io/v1/{path}")
    return {(verb, resource) for rule in role["rules"] for verb in rule["verbs"] for resource in rule["resources"]}


async def a_fleet_runs_by_what_the_chart_installs(checks):
    try:
        rig = KubeRig("chart", cluster_class=ChartCluster)
    except tools.Missing as why:
        checks.skip("a fleet runs by what the chart installs", str(why))
        return
    rig.start()
    _look(checks, "controller and agent run by the chart's configuration, certificates and roles", True)
    rig.pod("payments", "settlement").burn(20)
    rig.cluster.apply({"apiVersion": "profiling.rubato.dev/v1alpha1", "kind": "ProfilingPolicy",
                       "metadata": {"name": "boost", "namespace": "payments"}, "spec": {"sampleRateHz": 150, "duration": "10s"}})
    done = await until(lambda: rig.programmed("payments", "boost", 0), 10)
    status = rig.status("payments", "boost")
    _look(checks, "a boost is in force", done, rig.controller.last_lines(3))
    _look(checks, "... clamped to 100 Hz by the chart's ClusterProfilingPolicy", status.get("effectiveSampleRateHz") == 100, str(status))
    await until(lambda: rig.condition("payments", "boost", "Expired") == "True", 15)
    records = rig.server.audit(USER)
    refused = [(r["verb"], r["requestURI"]) for r in records if r.get("responseStatus", {}).get("code") == 403]
    _look(checks, "the controller was refused nothing", not refused, str(refused[:3]))
    granted, used = _granted(rig.server, "ClusterRole", f"clusterroles/{RELEASE}-controller.{SYSTEM}"), _used(records)
    unused = granted - used - {("list", "nodes")}
    unused -= {(verb, resource) for verb, resource in unused if verb == "list" or (verb, resource) == ("patch", "events")}  # WatchList; no repetition
    _look(checks, "... and may do nothing that it does not do", not unused, str(sorted(unused)))
    _who_may(checks, rig.server)
    rig.finish()


def _can(server, who, *what):
    try:
        return server.kubectl("auth", "can-i", *what, f"--as={who}").strip() == "yes"
    except api_server.Refused:
        return False


def _who_may(checks, server):
    server.kubectl("create", "rolebinding", "raise", "-n", "payments", f"--clusterrole={RELEASE}-edit", "--user=alice")
    server.kubectl("create", "rolebinding", "look", "-n", "payments", f"--clusterrole={RELEASE}-view", "--user=bob")
    policies = "profilingpolicies.profiling.rubato.dev"
    may = [("alice", "create", policies, "-n", "payments"), ("alice", "delete", policies, "-n", "payments"), ("bob", "list", policies, "-n", "payments")]
    may_not = [("alice", "create", policies, "-n", "search"), ("alice", "patch", policies, "--subresource=status", "-n", "payments"),
               ("alice", "create", "clusterprofilingpolicies.profiling.rubato.dev"), ("bob", "create", policies, "-n", "payments")]
    _look(checks, f"{RELEASE}-edit raises its namespace and {RELEASE}-view reads", all(_can(server, *each) for each in may))
    _look(checks, "... and neither may do more", not any(_can(server, *each) for each in may_not), str([each for each in may_not if _can(server, *each)]))
    listed = [server.kubectl("auth", "can-i", "--list", "-n", SYSTEM, f"--as=system:serviceaccount:{SYSTEM}:{name}",
                             "--as-group=system:serviceaccounts", "--as-group=system:authenticated") for name in (ACCOUNT, "nobody-at-all")]
    _look(checks, "the agents' ServiceAccount may do what anybody may, and nothing else (kubectl auth can-i --list)",
                 sorted(listed[0].splitlines()) == sorted(listed[1].splitlines()), listed[0])


CASES = [the_chart_is_rendered, the_api_server_takes_every_combination, certificates_are_kept_and_renewed, a_fleet_runs_by_what_the_chart_installs]
