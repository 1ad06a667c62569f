# SPDX-License-Identifier: Apache-2.0
"""Profiles in a real Pyroscope and a real Parca, asked by their own APIs.  The agent's files beside are the measure."""

import asyncio
import gzip
import os
import struct
import time
import zlib

from rubato import pprof, tools
from rubato.backends import CPU, Parca, Pyroscope
from rubato.rig import NODE, Rig
from . import until

ONE_BY_ONE = True
RUN_S = 14


def _backends(checks, *makers):
    try:
        made = [make() for make in makers]
    except tools.Missing as why:
        checks.skip("real backends take the profiles", str(why))
        return None
    for backend in made:
        backend.start()
    for backend in made:
        backend.wait()
    return made


def _compare(checks, sentence, seen_ns, profiles):
    wanted = sum(p.cpu_ns() for p in profiles)
    checks.check(sentence, wanted > 0 and seen_ns == wanted, f"{seen_ns / 1e9:.3f} s of {wanted / 1e9:.3f} s, {len(profiles)} profiles")


async def real_pyroscope_and_parca(checks):
    made = _backends(checks, Pyroscope, Parca)
    if not made:
        return
    pyroscope, parca = made
    label = ["--sink-label", "cluster=e2e"]
    rig = Rig("sinks-real", window="2s", extra=["--sink-pyroscope", pyroscope.url, "--sink-parca", parca.url, *label]).start()
    rig.pod("payments", "settle").burn(20)
    rig.pod("shop", "cart").burn(10)
    await asyncio.sleep(RUN_S / 2)
    rig.boost("payments", "boost", 100, "60s")
    await asyncio.sleep(RUN_S / 2)
    rig.finish()
    for name, backend in (("Pyroscope", pyroscope), ("Parca", parca)):
        for namespace in ("payments", "shop"):
            mine = rig.profiles(namespace)
            await until(lambda: backend.cpu_ns(f'{{namespace="{namespace}"}}') == sum(p.cpu_ns() for p in mine), 15, 1)
            _compare(checks, f"{name}: the CPU time of {namespace} is that of the files, both rates", backend.cpu_ns(f'{{namespace="{namespace}"}}'), mine)
    checks.check("Pyroscope's own views call it CPU", pyroscope.profile_types() == [CPU], str(pyroscope.profile_types()))
    checks.check("Parca's, too", parca.profile_types() == [f"{CPU}:delta"], str(parca.profile_types()))
    wanted = {"service_name": "payments/app", "namespace": "payments", "pod": "settle", "container": "app", "node": NODE, "cluster": "e2e"}
    series = pyroscope.series(*wanted)
    checks.check("Pyroscope has the labels", wanted in series and len(series) == 2, str(series))
    values = {name: parca.label_values(name) for name in wanted}
    checks.check("Parca, too", all(value in values[name] for name, value in wanted.items()), str(values))
    checks.check("functions have their names there", "burn_heavy" in pyroscope.names('{namespace="payments"}'))


async def real_parca_by_grpc(checks):
    made = _backends(checks, Parca)
    if not made:
        return
    parca, = made
    rig = Rig("sinks-grpc", window="2s", extra=["--sink-parca", parca.url.replace("http://", "grpc://")]).start()
    rig.pod("payments", "settle").burn(20)
    await asyncio.sleep(8)
    rig.finish()
    mine = rig.profiles("payments")
    await until(lambda: parca.cpu_ns('{namespace="payments"}') == sum(p.cpu_ns() for p in mine), 15, 1)
    _compare(checks, "Parca by gRPC: the CPU time is that of the files", parca.cpu_ns('{namespace="payments"}'), mine)


def _old(profile, hours):
    """The same profile as one of some hours ago: of a field that comes twice the last counts."""
    with open(profile.path, "rb") as file:
        raw = gzip.decompress(file.read())
    start, number = profile.time_ns - hours * 3600 * 10**9, b""
    rest = start
    while rest > 0x7F:
        number, rest = number + bytes([rest & 0x7F | 0x80]), rest >> 7
    return gzip.compress(raw + b"\x48" + number + bytes([rest]))


def _spool_record(namespace, start_ns, labels, raw):
    """As agent/core/push/push_record.h has it."""
    texts = b"".join(text.encode() + b"\0" for text in [namespace, *(t for pair in labels.items() for t in pair)])
    rest = struct.pack("<qIH", start_ns, len(raw), len(labels)) + texts + raw
    return b"rubato1\n" + struct.pack("<I", zlib.crc32(rest)) + rest


async def real_tenants_and_a_profile_too_old(checks):
    """A spool with a profile that Pyroscope does not take between others that it would; and two tenants."""
    made = _backends(checks, lambda: Pyroscope(multitenancy=True))
    if not made:
        return
    pyroscope, = made
    source = Rig("sinks-source", window="1s").start()
    source.pod("payments", "settle").burn(20)
    await asyncio.sleep(6)
    source.finish()
    fresh = source.profiles("payments")[:4]
    rig = Rig("sinks-tenants", window="1s")
    spool = f"{rig.home}/spool"
    os.makedirs(f"{spool}/pyroscope")
    labels = {"__name__": "process_cpu", "namespace": "payments", "pod": "settle", "service_name": "payments/app"}
    for number, profile in enumerate(fresh):
        with open(profile.path, "rb") as file:
            raw = file.read() if number != 1 else _old(profile, 3)
        with open(f"{spool}/pyroscope/{number:016x}-{time.time_ns():019}-payments.push", "wb") as file:
            file.write(_spool_record("payments", time.time_ns(), labels, raw))
    rig.agent.argv += ["--sink-pyroscope", pyroscope.url, "--sink-pyroscope-tenant", "k8s-{namespace}", "--sink-pyroscope-tenant-map",
                       "shop=retail", "--sink-spool", spool]
    rig.start()
    rig.pod("shop", "cart").burn(20)
    await asyncio.sleep(8)
    metrics = rig.agent.metrics()
    rig.finish()
    taken = [p for number, p in enumerate(fresh) if number != 1]
    await until(lambda: pyroscope.cpu_ns('{namespace="payments"}', "k8s-payments") > 0, 15, 1)
    _compare(checks, "one profile of a request is three hours old: the others are there, once", pyroscope.cpu_ns("{}", "k8s-payments"), taken)
    dropped = metrics['rubato_agent_push_dropped_total{sink="pyroscope",reason="too_old"}']
    checks.check("... and that one is counted", dropped == 1, f"{dropped:g}")
    _compare(checks, "a tenant of the map has its namespace's profiles", pyroscope.cpu_ns("{}", "retail"), rig.profiles("shop"))
    others = pyroscope.cpu_ns("{}", "k8s-shop")
    checks.check("... and no other tenant has", others == 0, f"{others}")


CASES = [real_pyroscope_and_parca, real_parca_by_grpc, real_tenants_and_a_profile_too_old]
