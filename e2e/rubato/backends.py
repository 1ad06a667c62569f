# SPDX-License-Identifier: Apache-2.0
"""Real Pyroscope and Parca on loopback, and their own APIs to ask them."""

import json
import os
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

from . import scope, tools
from .daemons import free_port, wait_until

CPU = "process_cpu:cpu:nanoseconds:cpu:nanoseconds"


def _get(url, headers=None, timeout_s=10):
    request = urllib.request.Request(url, headers=headers or {})
    with urllib.request.urlopen(request, timeout=timeout_s) as answer:
        return answer.read()


def _answers(url):
    try:
        _get(url, timeout_s=2)
        return True
    except (OSError, urllib.error.URLError):
        return False


class _Backend:
    def __init__(self, name, address):
        self.binary, self.directory = tools.find(name), scope.temp_dir(f"rubato-{name}-")
        self.address, self.port, self.process = address, free_port(), None
        self.url = f"http://{address}:{self.port}"
        self.log = os.path.join(self.directory, "log")
        scope.on_exit(self.stop)

    def _spawn(self, *arguments):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([self.binary, *arguments], cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop(self):
        if self.process:
            scope.end_process(self.process, 10)

    def _wait(self, path, timeout_s=60):
        if not wait_until(lambda: _answers(self.url + path), timeout_s, 0.25):
            raise RuntimeError(f"{self.binary} is not ready; its log ends: {self.tail()}")
        return self

    def tail(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()[-500:]


class Pyroscope(_Backend):
    """multitenancy: X-Scope-OrgID is needed; limits are of all tenants, e.g. {"distributor.ingestion-rate-limit-mb": 0.01}."""

    def __init__(self, address="127.0.0.1", multitenancy=False, **flags):
        super().__init__("pyroscope", address)
        self.multitenancy, self.flags = multitenancy, flags

    def start(self):
        ours = ["memberlist.bind-addr", "memberlist.advertise-addr", "server.http-listen-address", "server.grpc-listen-address",
                "compactor.ring.instance-addr", "distributor.ring.instance-addr", "ingester.lifecycler.addr", "query-frontend.instance-addr",
                "overrides-exporter.ring.instance-addr", "query-scheduler.ring.instance-addr", "store-gateway.sharding-ring.instance-addr"]
        flags = {name: self.address for name in ours} | self.flags | {
            "server.http-listen-port": self.port, "server.grpc-listen-port": free_port(), "memberlist.bind-port": free_port(),
            "storage.backend": "filesystem", "storage.filesystem.dir": os.path.join(self.directory, "store"),
            "pyroscopedb.data-path": os.path.join(self.directory, "data"), "self-profiling.disable-push": "true",
            "usage-stats.enabled": "false", "auth.multitenancy-enabled": str(self.multitenancy).lower()}
        self._spawn(*(f"-{name}={value}" for name, value in flags.items()))
        return self

    def wait(self):
        return self._wait("/ready")

    def _ask(self, path, tenant, **query):
        headers = {"X-Scope-OrgID": tenant} if tenant else {}
        return json.loads(_get(f"{self.url}{path}?{urllib.parse.urlencode(query)}", headers))

    def cpu_ns(self, matchers, tenant=None):
        """All CPU time of the series, as its flame graph says it."""
        answer = self._ask("/pyroscope/render", tenant, query=CPU + matchers, **{"from": "now-2h", "until": "now", "format": "json"})
        return answer["flamebearer"]["numTicks"]

    def names(self, matchers, tenant=None):
        answer = self._ask("/pyroscope/render", tenant, query=CPU + matchers, **{"from": "now-2h", "until": "now", "format": "json"})
        return answer["flamebearer"]["names"]

    def post(self, method, body, tenant=None):
        """A call of its querier, e.g. ProfileTypes."""
        headers = {"Content-Type": "application/json"} | ({"X-Scope-OrgID": tenant} if tenant else {})
        request = urllib.request.Request(f"{self.url}/querier.v1.QuerierService/{method}", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def series(self, *names):
        now_ms = int(time.time() * 1000)
        found = self.post("Series", {"labelNames": list(names), "start": now_ms - 7200_000, "end": now_ms}).get("labelsSet", [])
        return [{pair["name"]: pair["value"] for pair in one["labels"]} for one in found]

    def profile_types(self):
        now_ms = int(time.time() * 1000)
        return [found["ID"] for found in self.post("ProfileTypes", {"start": now_ms - 7200_000, "end": now_ms}).get("profileTypes", [])]


class Parca(_Backend):
    def __init__(self, address="127.0.0.1"):
        super().__init__("parca", address)

    def start(self):
        config = os.path.join(self.directory, "parca.yaml")
        with open(config, "w", encoding="ascii") as file:
            json.dump({"object_storage": {"bucket": {"type": "FILESYSTEM", "config": {"directory": os.path.join(self.directory, "data")}}}}, file)
        self._spawn(f"--config-path={config}", f"--http-address={self.address}:{self.port}", "--debuginfod-upstream-servers=")
        return self

    def wait(self):
        return self._wait("/api/profiles/types")

    def _ask(self, path, query):
        return json.loads(_get(f"{self.url}{path}?{urllib.parse.urlencode(query)}"))

    def profile_types(self):
        found = self._ask("/api/profiles/types", {})["types"]
        return [":".join([t["name"], t["sampleType"], t["sampleUnit"], t["periodType"], t["periodUnit"], *(["delta"] if t["delta"] else [])])
                for t in found]

    def cpu_ns(self, matchers):
        """All CPU time of the series, as its view of merged profiles says it."""
        ends = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + after)) for after in (-7200, 60)]
        answer = self._ask("/api/profiles/query", {"mode": "MODE_MERGE", "merge.query": f"{CPU}:delta{matchers}", "merge.start": ends[0],
                                                   "merge.end": ends[1], "report_type": "REPORT_TYPE_TOP"})
        return int(answer.get("total", 0))

    def label_values(self, name):
        return self._ask(f"/api/profiles/labels/{name}/values", {})["labelValues"]
