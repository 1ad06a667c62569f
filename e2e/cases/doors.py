# SPDX-License-Identifier: Apache-2.0
"""The control port and who stands before it: broken connections, crowds, wrong certificates, wrong clocks.  After each, both
daemons run and the agent is back within 15 s."""

import asyncio
import os
import subprocess
import time

from rubato.daemons import wait_until
from rubato.fault_proxy import CUT, HALF_A_HELLO, RESET, STALL, Crowd, FaultProxy
from rubato.rig import NODE, Rig
from .restarts import FAKETIME

ONE_BY_ONE = True
BACK_S = 15
# Into the TLS handshake, the upgrade and the first messages, by what the agent sends and what the controller sends.
BYTES = (0, 1, 5, 200, 500, 1000, 1500, 1800, 2200, 2600)


def _connected(rig):
    return rig.agent.metrics().get("rubato_agent_control_connected") == 1


async def _back(checks, sentence, rig, timeout_s=BACK_S):
    start = time.monotonic()
    back = await asyncio.to_thread(wait_until, lambda: _connected(rig), timeout_s)
    checks.check(f"{sentence}: the agent is back within {timeout_s} s", back, f"{time.monotonic() - start:.1f} s")
    alive = rig.agent.alive() and rig.controller.alive()
    checks.check("... and nobody crashed", alive,
                 "" if alive else f"{rig.agent.last_lines()} / {rig.controller.last_lines()}")


def _behind(rig, proxy):
    rig.agent.argv[rig.agent.argv.index("--controller") + 1] = f"127.0.0.1:{proxy.port}"


async def _harmed(checks, harm):
    rig = Rig(f"doors-{harm}")
    rig.controller.start()
    for at in range(0, len(BYTES), 2):
        fates = [(harm, BYTES[at], None), (harm, None, BYTES[at]), (harm, BYTES[at + 1], None)]
        proxy = FaultProxy(rig.controller.listen, fates[:1] if harm == STALL else fates)
        _behind(rig, proxy)
        rig.agent.start()
        await asyncio.to_thread(wait_until, lambda: proxy.seen >= len(proxy.plan), 10)
        await _back(checks, f"connections {harm} after {BYTES[at]} bytes", rig)
        checks.check("... and goes down when told to", rig.agent.stop() == 0)
    rig.controller.stop()


async def connections_that_are_cut(checks):
    await _harmed(checks, CUT)


async def connections_that_are_reset(checks):
    await _harmed(checks, RESET)


async def connections_that_stall(checks):
    await _harmed(checks, STALL)


async def _crowded(checks, name, hello):
    rig = Rig(f"doors-{name}").start()
    await _back(checks, "before the crowd", rig)
    crowd = await asyncio.to_thread(Crowd, rig.controller.listen, 1000, hello)
    await asyncio.sleep(3)
    checks.check(f"1,000 {name} connections: who was connected stays", _connected(rig))
    rig.agent.kill()
    rig.agent.spawn()
    await asyncio.sleep(0.5)
    await _back(checks, f"1,000 {name} connections, a new agent", rig)
    rig.boost("payments", "boost", 100, "30s")
    pod = await asyncio.to_thread(rig.pod, "payments", "p")
    done = await asyncio.to_thread(rig.programmed, "payments", "boost")
    checks.check("... and boosts are confirmed as always", done, "" if done else str(rig.status("payments", "boost")))
    await asyncio.to_thread(crowd.go)
    pod.cgroup.stop()
    rig.finish()


async def idle_connections(checks):
    await _crowded(checks, "idle", b"")


async def half_open_connections(checks):
    await _crowded(checks, "half-open", HALF_A_HELLO)


def _openssl(certs, *argv):
    subprocess.run(["openssl", *argv], cwd=certs, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _sign(certs, subject, *how):
    """NODE.crt anew, of the fleet's CA unless `how` names another."""
    _openssl(certs, "req", "-new", "-key", f"{NODE}.key", "-subj", subject, "-out", "csr")
    authority = [] if "-CA" in how else ["-CA", "ca.crt", "-CAkey", "ca.key"]
    _openssl(certs, "x509", "-req", "-in", "csr", *authority, "-set_serial", str(time.time_ns()), *how,
             "-out", f"{NODE}.crt")


def _expired(certs):
    _sign(certs, f"/CN={NODE}", "-days", "-1")


def _foreign(certs):
    _openssl(certs, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=foreign",
             "-keyout", "foreign.key", "-out", "foreign.crt")
    _sign(certs, f"/CN={NODE}", "-CA", "foreign.crt", "-CAkey", "foreign.key")


def _nameless(certs):
    _sign(certs, "/O=nobody")


def _misnamed(certs):
    _sign(certs, "/CN=node-z")


async def agents_with_a_wrong_certificate(checks):
    rig = Rig("doors-certificates")
    certs = os.path.join(rig.home, "certs")
    rig.controller.start()
    for spoil, words in ((_expired, "expired at"), (_foreign, "not in"), (_nameless, "names no node"), (_misnamed, 'no Node bears the name in the agent\'s certificate, "node-z"')):
        what = spoil.__name__.strip("_")
        spoil(certs)
        rig.agent.spawn()
        told = await asyncio.to_thread(wait_until, lambda: any(
            words in record.get("why", "") and record.get("level") == "warn" for record in rig.controller.log_records()), 10)
        checks.check(f"{what} certificate: the controller's log says \"{words}\"", told, "" if told else rig.controller.last_lines())
        told = await asyncio.to_thread(wait_until, lambda: any(
            "certificate" in record.get("why", "") for record in rig.agent.log_records()), 10)
        checks.check("... and the agent's says that it is the certificate", told, "" if told else rig.agent.last_lines())
        _sign(certs, f"/CN={NODE}")
        await _back(checks, f"{what} certificate, replaced by a good one", rig)
        rig.agent.stop()
        os.unlink(rig.agent.log)
    rig.controller.stop()


async def controller_once_started_an_hour_ahead(checks):
    sentence = "the controller was started once with a clock an hour ahead"
    if not os.path.exists(FAKETIME):
        checks.skip(sentence, "needs libfaketime (Debian package faketime)")
        return
    rig = Rig("doors-epoch")
    rig.controller.env = {"LD_PRELOAD": FAKETIME, "FAKETIME": "+3600s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    rig.start()
    await _back(checks, "before", rig)
    rig.controller.stop()
    rig.controller.env = {}
    rig.controller.start()
    await asyncio.sleep(0.5)
    await _back(checks, sentence, rig)
    rig.controller.kill()
    rig.controller.start()
    rig.controller.kill()
    rig.controller.start()
    await asyncio.sleep(0.5)
    await _back(checks, "started twice within a second", rig)
    rig.pod("payments", "p").burn(5)
    rig.boost("payments", "boost", 100, "30s")
    done = await asyncio.to_thread(rig.programmed, "payments", "boost", 5)
    checks.check("... and takes plans at once", done, "" if done else str(rig.status("payments", "boost")))
    rig.finish()


CASES = [connections_that_are_cut, connections_that_are_reset, connections_that_stall, idle_connections,
         half_open_connections, agents_with_a_wrong_certificate, controller_once_started_an_hour_ahead]
