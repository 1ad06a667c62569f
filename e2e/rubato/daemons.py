# SPDX-License-Identifier: Apache-2.0
"""The two daemons as processes: start, wait until ready, ask, kill."""

import json
import os
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request

from . import cgroups, scope

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("B", os.path.join(REPO, "build")))
CONTROLLER_NAME = "rubato-controller"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(true, timeout_s, pause_s=0.05):
    """Poll until true() is; its value, or the last false one when time is over."""
    end = time.monotonic() + timeout_s
    while not (value := true()) and time.monotonic() < end:
        time.sleep(pause_s)
    return value


def make_certs(directory, *nodes):
    """The certificates of one fleet, by the script that people use."""
    script = os.path.join(REPO, "examples", "make-certs.sh")
    subprocess.run([script, directory, CONTROLLER_NAME, *nodes], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Daemon:
    """A process of ours with an HTTP port and a log of JSON lines."""

    def __init__(self, name, argv, log, wrap=(), env=None):
        self.name, self.log, self.wrap, self.env = name, log, list(wrap), dict(env or {})
        self.port = free_port()
        self.argv = [*argv, "--http-listen", f"127.0.0.1:{self.port}", "--log-format", "json"]
        self.process = None
        scope.on_exit(self.stop)

    def spawn(self):
        """Start, or start again, without waiting."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.wrap + self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=os.environ | self.env, preexec_fn=cgroups.enter_own)

    def start(self, timeout_s=15):
        """spawn(), and wait; raises when it does not become ready."""
        self.spawn()
        wait_until(lambda: self.ready() or not self.alive(), timeout_s)
        if not self.ready():
            raise RuntimeError(f"{self.name} did not become ready: {self.last_lines()}")

    def stop(self):
        """SIGTERM.  Returns the exit status, or None when it does not run."""
        return scope.end_process(self.process, 15) if self.process else None

    def kill(self):
        self.process.kill()
        self.process.wait()

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def get(self, path):
        """The body, or "" when it does not answer 200."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=2) as answer:
                return answer.read().decode()
        except (OSError, urllib.error.URLError):
            return ""

    def ready(self):
        return self.get("/readyz") != ""

    def metrics(self):
        """{'name{label="x"}': value}"""
        lines = (line.rsplit(" ", 1) for line in self.get("/metrics").splitlines() if line[:1] not in "#")
        return {name: float(value) for name, value in (pair for pair in lines if len(pair) == 2)}

    def log_text(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def log_records(self):
        """The log as dicts; what is no JSON (a sanitizer's report) is left out."""
        for line in self.log_text().splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict):
                yield record

    def last_lines(self, nr=5):
        return " | ".join(self.log_text().splitlines()[-nr:])

    def sanitizer_report(self):
        """What ASan, LSan or UBSan had to say, or ""."""
        found = re.search(r"(ERROR: \w+Sanitizer.*|.*runtime error:.*)", self.log_text())
        return found[1] if found else ""

    def cpu_seconds(self):
        """User and system time of all its threads, by the scheduler's clock (not by ticks)."""
        total_ns = 0
        for thread in os.listdir(f"/proc/{self.process.pid}/task"):
            with open(f"/proc/{self.process.pid}/task/{thread}/schedstat", encoding="ascii") as file:
                total_ns += int(file.read().split()[0])
        return total_ns / 1e9

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Controller(Daemon):
    def __init__(self, home, boost_ttl="15s", **how):
        self.listen = free_port()
        self.source, self.status = os.path.join(home, "source"), os.path.join(home, "status")
        for directory in (self.source, self.status):
            os.makedirs(directory, exist_ok=True)
        certs = os.path.join(home, "certs")
        super().__init__("rubato-controller", [
            os.path.join(how.pop("build", BUILD), "rubato-controller"),
            "--source", self.source, "--status", self.status,
            "--listen", f"127.0.0.1:{self.listen}", "--boost-ttl", boost_ttl,
            "--tls-cert", f"{certs}/controller.crt", "--tls-key", f"{certs}/controller.key",
            "--tls-ca", f"{certs}/ca.crt",
        ], os.path.join(home, "controller.log"), **how)


class Agent(Daemon):
    def __init__(self, home, controller_port, node, window="2s", extra=(), **how):
        self.profiles, self.state = os.path.join(home, "profiles"), os.path.join(home, "state")
        for directory in (self.profiles, self.state):
            os.makedirs(directory, exist_ok=True)
        certs = os.path.join(home, "certs")
        super().__init__("rubato-agent", [
            os.path.join(how.pop("build", BUILD), "rubato-agent"),
            "--controller", f"127.0.0.1:{controller_port}", "--tls-server-name", CONTROLLER_NAME,
            "--tls-cert", f"{certs}/{node}.crt", "--tls-key", f"{certs}/{node}.key",
            "--tls-ca", f"{certs}/ca.crt", "--state-dir", self.state,
            "--sink-file", self.profiles, "--window", window, *extra,
        ], os.path.join(home, "agent.log"), **how)
