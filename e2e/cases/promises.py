# SPDX-License-Identifier: Apache-2.0
"""What statuses promise, by manifests in and status files out: a controller without agents."""

import asyncio
import datetime
import json
import os
import subprocess
import time
from pathlib import Path

from rubato import scope, tools
from rubato.daemons import BUILD, Controller, make_certs
from rubato.kube_rig import Cluster
from rubato.rig import API, NODE, policy
from . import until

NEEDS_KERNEL = False
ONE_BY_ONE = True


def _object(kind, name, spec=None, namespace=None, version="v1"):
    made = {"apiVersion": version, "kind": kind, "metadata": {"name": name}}
    if namespace:
        made["metadata"]["namespace"] = namespace
    return made | ({"spec": spec} if spec else {})


def _cluster(name, **spec):
    return _object("ClusterProfilingPolicy", name, spec, version=API)


class Desk:
    """A controller and its two directories.  What is put there before start() it finds at its start."""

    def __init__(self, name):
        self.home = scope.temp_dir(f"rubato-{name}-", os.environ.get("RUBATO_KEEP"))
        make_certs(os.path.join(self.home, "certs"))
        self.controller = Controller(self.home)
        pod = _object("Pod", "p", {"nodeName": NODE, "containers": [{"name": "app"}]}, "payments")
        self.write("world", _object("Node", NODE), _object("Namespace", "payments"), pod)

    def path(self, name):
        return os.path.join(self.controller.source, f"{name}.json")

    def write(self, name, *objects):
        with open(self.path(name), "w", encoding="ascii") as file:
            file.write("---\n".join(json.dumps(o) + "\n" for o in objects))

    def _record(self, name):
        return os.path.join(self.controller.status, f"profilingpolicy.payments.{name}.json")

    def record(self, name):
        """The whole status file, or {}."""
        try:
            with open(self._record(name), encoding="utf-8") as file:
                return json.load(file)
        except FileNotFoundError:
            return {}

    def put_record(self, name, record):
        with open(self._record(name), "w", encoding="utf-8") as file:
            json.dump(record, file)

    def status(self, name):
        return self.record(name).get("status", {})

    def condition(self, name, kind):
        return next((c for c in self.status(name).get("conditions", []) if c["type"] == kind), {})

    async def judged(self, name):
        return await until(lambda: self.condition(name, "Overridden"), 5)

    def check(self):
        """The lines of --check, by policy."""
        seen = subprocess.run([os.path.join(BUILD, "rubato-controller"), "--source", self.controller.source, "--check"],
                              capture_output=True, text=True, timeout=20, check=False)
        return {line.split()[0]: line for line in seen.stdout.splitlines() if line.startswith("payments/")}


async def what_one_drops_no_other_adds(checks):
    desk = Desk("drops")
    steady, boost = policy("payments", "steady", 30), policy("payments", "boost", 50, "10m")
    del steady["spec"]["sampleRateHz"], boost["spec"]["sampleRateHz"]
    steady["spec"]["capabilities"], boost["spec"]["capabilities"] = {"drop": ["native"]}, {"add": ["native"]}
    desk.write("steady", steady)
    desk.write("boost", boost)
    desk.controller.start()
    said = await desk.judged("boost")
    checks.check("a boost that adds what another policy drops is overridden by it",
                 said.get("status") == "True" and "steady" in said["message"], str(said))
    checks.check("... and --check says so", "overridden by steady" in desk.check()["payments/boost"], "")


async def without_cpu_the_rate_is_0(checks):
    desk = Desk("silent")
    quiet = policy("payments", "quiet", 40)
    quiet["spec"]["capabilities"] = {"drop": ["cpu"]}
    desk.write("quiet", quiet)
    desk.write("loud", policy("payments", "loud", 100, "10m"))
    desk.controller.start()
    said = await desk.judged("quiet")
    rate = desk.status("quiet").get("effectiveSampleRateHz")
    checks.check("a policy that drops cpu has the effective rate 0", rate == 0, str(rate))
    checks.check("... and says why", "Nothing is sampled: quiet leaves out cpu" in said.get("message", ""), str(said))
    said = await desk.judged("loud")
    checks.check("a boost beside it is overridden", said.get("status") == "True" and "quiet" in said["message"], str(said))
    lines = desk.check()
    checks.check("--check shows the same", "0 Hz  nothing is sampled: quiet leaves out cpu" in lines["payments/quiet"]
                 and "0 Hz  overridden by quiet" in lines["payments/loud"], str(lines))


def _utc(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _ends_in(status):
    return datetime.datetime.fromisoformat(status["expiresAt"].replace("Z", "+00:00")).timestamp() - time.time()


async def a_status_from_the_future_lengthens_nothing(checks):
    desk = Desk("future")
    desk.write("boost", policy("payments", "boost", 50, "10m"))
    desk.controller.start()
    await desk.judged("boost")
    desk.controller.stop()
    record, ahead = desk.record("boost"), time.time() + 20 * 24 * 3600
    record["status"] |= {"activeSince": _utc(ahead), "expiresAt": _utc(ahead + 24 * 3600)}
    record["status"]["clock"]["bootID"] = "another"
    desk.put_record("boost", record)
    desk.controller.start()
    told = await until(lambda: 0 < _ends_in(desk.status("boost")) <= 600, 5)
    first = desk.status("boost").get("expiresAt")
    checks.check("a status from the future ends the boost within its duration", told, first)
    desk.controller.stop()
    desk.controller.start()
    await asyncio.sleep(1)
    again = desk.status("boost").get("expiresAt")
    checks.check("... and the next controller does not begin it anew", again == first, again)


async def a_manifest_that_is_replaced_restarts_nothing(checks):
    """rm and cp, as editors and configuration management do; and cp alone, which empties the file first."""
    desk = Desk("replaced")
    desk.write("boost", policy("payments", "boost", 50, "10m"))
    desk.controller.start()
    await desk.judged("boost")
    path, restarted, in_time = desk.path("boost"), [], 0
    with open(path, "rb") as file:
        text = file.read()
    for pause_ms in range(0, 98, 7):
        before, began = desk.status("boost").get("clock"), time.monotonic()
        os.unlink(path)
        await asyncio.sleep(pause_ms / 1000)
        with open(path, "wb") as file:
            took_ms = 1000 * (time.monotonic() - began)
            await asyncio.sleep(0.03)
            file.write(text)
        await asyncio.sleep(0.05)
        in_time += took_ms < 100
        if took_ms < 100 and desk.status("boost").get("clock") != before:
            restarted.append(f"{took_ms:.0f} ms")
    checks.check("rm and cp of a boost's manifest within 100 ms do not restart it", in_time and not restarted,
                 ", ".join(restarted) or f"{in_time} of 14 were in time")
    first = desk.status("boost")["clock"]
    for _ in range(50):
        with open(path, "wb") as file:
            file.write(text)
        await asyncio.sleep(0.002)
    await asyncio.sleep(0.3)
    checks.check("... nor does cp fifty times in a row", desk.status("boost").get("clock") == first, "")
    os.unlink(path)
    checks.check("rm alone ends it", await until(lambda: not desk.record("boost"), 2), "")


async def a_shortened_boost_says_so(checks):
    desk = Desk("shortened")
    desk.write("fleet", _cluster("fleet", limits={"maxDuration": "2m"}))
    desk.write("boost", policy("payments", "boost", 50, "10m"))
    desk.controller.start()
    await desk.judged("boost")
    said = desk.condition("boost", "Clamped")
    checks.check("a boost that a maxDuration shortens is Clamped, by whom and to what",
                 said["status"] == "True" and said["message"] == "duration 10m0s shortened to 2m0s by fleet", str(said))
    checks.check("... and ends then", 0 < _ends_in(desk.status("boost")) <= 120, desk.status("boost")["expiresAt"])
    seen = desk.check()["payments/boost"]
    checks.check("... and --check says so", "shortened to 2m0s by fleet" in seen, seen)


class Tenant:
    """Who may patch the status of a boost at a real API server, while the controller is away."""

    def __init__(self, cluster, duration):
        self.cluster = cluster
        self.path = "/apis/profiling.rubato.dev/v1alpha1/namespaces/default/profilingpolicies/boost"
        cluster.controller.start(30)
        cluster.apply(policy("default", "boost", 50, duration))

    def status(self):
        return (self.cluster.get(self.path) or {}).get("status", {})

    async def writes(self, **members):
        """Returns what the controller that finds it makes of it."""
        await until(lambda: "conditions" in self.status(), 10)
        self.cluster.controller.stop()
        body = {"status": members | {"conditions": []}}
        code, said = self.cluster.server.request("PATCH", self.path + "/status", body, "application/merge-patch+json")
        if code != 200:
            raise RuntimeError(f"{code}: {said}")
        self.cluster.controller.start(30)
        return await until(lambda: self.status().get("conditions") and self.status(), 10) or {}


def _length_s(status):
    return (status["clock"]["endMs"] - status["clock"]["startMs"]) / 1000


async def a_tenant_who_writes_statuses_lengthens_nothing(checks):
    try:
        cluster = Cluster("tenant")
    except tools.Missing as missing:
        checks.skip("statuses that a tenant has patched", str(missing))
        return
    tenant, now = Tenant(cluster, "20h"), time.time()
    boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    told = await tenant.writes(activeSince=_utc(now - 19 * 3600), expiresAt=_utc(now + 3600), clock={"bootID": "another"})
    checks.check("a run that began on another host, before this one was up, is told by this one's clock",
                 told["clock"]["bootID"] == boot and abs(_ends_in(told) - 3600) < 60, str(told.get("clock")))
    cluster.apply(policy("default", "boost", 50, "10m"))
    await until(lambda: tenant.status().get("observedGeneration") == 2, 10)
    told = await tenant.writes(activeSince=_utc(now + 20 * 86400), expiresAt=_utc(now + 21 * 86400), clock={"bootID": "another"})
    checks.check("a status that a tenant has dated weeks ahead ends the boost within its duration",
                 _ends_in(told) <= 600 and _length_s(told) <= 600, f"{told['expiresAt']} {told['clock']}")
    told = await tenant.writes(expiresAt=_utc(now + 86400), clock={"endMs": told["clock"]["startMs"] + 86400000})
    checks.check("... and so does one with a clock of a day", _ends_in(told) <= 600 and _length_s(told) <= 600,
                 f"{told['expiresAt']} {told['clock']}")
    cluster.controller.stop()
    cluster.server.stop()


CASES = [a_tenant_who_writes_statuses_lengthens_nothing, a_shortened_boost_says_so, a_manifest_that_is_replaced_restarts_nothing, a_status_from_the_future_lengthens_nothing, what_one_drops_no_other_adds, without_cpu_the_rate_is_0]
