# SPDX-License-Identifier: Apache-2.0
"""What a person meets who starts the daemons: their own defaults work, and what cannot work says so at once."""

import asyncio
import json
import os
import subprocess

from rubato import scope
from rubato.daemons import BUILD, make_certs, wait_until

IN_A_NET_OF_ITS_OWN = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]


class Machine:
    """A network namespace with a loopback, where every port is free; a process keeps it."""

    def __init__(self):
        self.keeper = subprocess.Popen([*IN_A_NET_OF_ITS_OWN, "sh", "-c", "echo up; exec sleep 600"],
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        scope.on_exit(scope.end_process, self.keeper)
        self.usable = self.keeper.stdout.readline() == b"up\n"

    def start(self, *argv, log):
        """Run it there.  Returns the process."""
        with open(log, "wb") as file:
            process = subprocess.Popen(["nsenter", f"--net=/proc/{self.keeper.pid}/ns/net", *argv],
                                       stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        scope.on_exit(scope.end_process, process)
        return process

    def answers(self, url):
        asked = subprocess.run(["nsenter", f"--net=/proc/{self.keeper.pid}/ns/net", "curl", "-sf", "--max-time", "2", url],
                               capture_output=True, check=False)
        return asked.stdout.decode() if asked.returncode == 0 else ""


async def default_addresses(checks):
    machine = Machine()
    if not machine.usable:
        checks.skip("both daemons on their default addresses", "needs unshare, nsenter (util-linux) and ip (iproute2)")
        return
    home = scope.temp_dir("rubato-defaults-", os.environ.get("RUBATO_KEEP"))
    certs, source, log = (os.path.join(home, name) for name in ("certs", "manifests", "controller.log"))
    make_certs(certs, "node-a")
    os.mkdir(source)
    with open(os.path.join(source, "node.json"), "w", encoding="ascii") as file:
        json.dump({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-a"}}, file)
    controller = machine.start(
        os.path.join(BUILD, "rubato-controller"), "--source", source, "--tls-cert", f"{certs}/controller.crt",
        "--tls-key", f"{certs}/controller.key", "--tls-ca", f"{certs}/ca.crt", log=log)
    ready = await asyncio.to_thread(wait_until, lambda: machine.answers("http://127.0.0.1:8080/readyz"), 10)
    with open(log, encoding="utf-8") as file:
        checks.check("the controller starts on its default addresses", ready == "ok\n", file.read()[-300:])
    agent = machine.start(
        os.path.join(BUILD, "rubato-agent"), "--controller", "127.0.0.1:4320", "--tls-server-name", "rubato-controller",
        "--tls-cert", f"{certs}/node-a.crt", "--tls-key", f"{certs}/node-a.key", "--tls-ca", f"{certs}/ca.crt",
        "--sink-file", os.path.join(home, "profiles"), log=os.path.join(home, "agent.log"))
    ready = await asyncio.to_thread(wait_until, lambda: machine.answers("http://127.0.0.1:8081/readyz"), 10)
    with open(os.path.join(home, "agent.log"), encoding="utf-8") as file:
        checks.check("the agent on its own, and it has its plan", ready == "ok\n", file.read()[-300:])
    by_ipv6 = await asyncio.to_thread(machine.answers, "http://[::1]:8080/healthz")
    checks.check("... whose HTTP is on 127.0.0.1 alone", by_ipv6 == "", by_ipv6)
    checks.check("both end by SIGTERM", (scope.end_process(agent), scope.end_process(controller)) == (0, 0), "")


def _run(*argv, stdout=subprocess.PIPE):
    """Returns (exit status, what it said), or (None, "") when it does not end."""
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE) as process:
        try:
            _, said = process.communicate(timeout=5)
            return process.returncode, said.decode()
        except subprocess.TimeoutExpired:
            process.kill()
            return None, ""


async def what_cannot_work_says_so_at_once(checks):
    home = scope.temp_dir("rubato-wrong-", os.environ.get("RUBATO_KEEP"))
    certs, source, typo, fifo = (os.path.join(home, name) for name in ("certs", "manifests", "typo", "fifo.key"))
    make_certs(certs, "node-a")
    os.mkdir(source)
    os.mkfifo(fifo)
    program = os.path.join(BUILD, "rubato-controller")
    agent = os.path.join(BUILD, "rubato-agent")
    good = {"--source": source, "--listen": "127.0.0.1:0", "--http-listen": "127.0.0.1:0", "--tls-cert": f"{certs}/controller.crt",
            "--tls-key": f"{certs}/controller.key", "--tls-ca": f"{certs}/ca.crt"}

    def check(what, option, value, *words, more=()):
        status, said = _run(program, *(part for pair in (good | {option: value}).items() for part in pair), *more)
        checks.check(what, status not in (None, 0) and all(word in said for word in words), f"{status}: {said}")

    check("a source that is not there", "--source", typo, f"--source: {typo}: No such file or directory; make the directory first")
    checks.check("... nothing is made in its place", not os.path.exists(typo), "")
    check("a source that is a file", "--source", f"{certs}/ca.crt", "--source: ", "not a directory")
    check("a port that there is not", "--listen", ":70000", '--listen: ":70000": the port is not in 0..65535')
    check("the same for HTTP", "--http-listen", "9090", '--http-listen: "9090" is not HOST:PORT')
    check("a label that can be none", "--pod-labels", "app,a b", '--pod-labels: "a b" is not a label\'s key')
    check("a FIFO as key", "--tls-key", fifo, f"key file {fifo}: not a regular file")
    check("a FIFO as certificate", "--tls-cert", fifo, f"certificate file {fifo}: not a regular file")
    check("a FIFO as configuration", "--config", fifo, f"--config: {fifo}: not a regular file")
    status, said = _run(agent, "--controller", ":4320")
    checks.check("an agent's controller without a host", status not in (None, 0) and "--controller: " in said, said)
    with open("/dev/full", "wb") as full:
        for asked in ("--check", "--help"):
            status, said = _run(program, "--source", source, asked, stdout=full)
            checks.check(f"{asked} to a full disk", status == 1 and "standard output: No space left on device" in said, said)
    os.mkfifo(os.path.join(source, "a.yaml"))
    seen = subprocess.run([program, "--source", source, "--check"], capture_output=True, text=True, timeout=5, check=False)
    checks.check("a FIFO as manifest", seen.returncode == 1 and "a.yaml: not a regular file" in seen.stdout, seen.stdout)


CASES = [default_addresses, what_cannot_work_says_so_at_once]
