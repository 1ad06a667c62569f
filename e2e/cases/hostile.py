# SPDX-License-Identifier: Apache-2.0
"""Manifests that are wrong on purpose: named in the log, and the last good state stays in force."""

import asyncio
import json

from rubato import pprof
from rubato.rig import Rig, policy
from . import sleep_to, until

HEAD = b"apiVersion: profiling.rubato.dev/v1alpha1\nkind: ProfilingPolicy\nmetadata: {name: bad, namespace: payments}\n"


def _alias_bomb():
    lines = [b"a: &a [x, x, x, x, x, x, x, x, x]"]
    for above, name in zip("abcdefghi", "bcdefghij"):
        lines.append(f"{name}: &{name} [{', '.join(['*' + above] * 9)}]".encode())
    return b"\n".join(lines) + b"\n" + HEAD + b"spec: {sampleRateHz: 20}\n"


BAD = {
    "two-megabytes.yaml": HEAD + b"spec: {sampleRateHz: 20}\n" + b"# padding\n" * 210_000,
    "deep.yaml": HEAD + b"spec: " + b"{a: " * 5000 + b"1" + b"}" * 5000 + b"\n",
    "deep.json": b'{"a":' * 5000 + b"1" + b"}" * 5000,
    "not-utf8.yaml": HEAD + b"spec: {sampleRateHz: 20, reason: \"\xff\xfe\xc0\"}\n",
    "duplicate-keys.yaml": HEAD + b"spec:\n  sampleRateHz: 20\n  sampleRateHz: 30\n",
    "alias-bomb.yaml": _alias_bomb(),
    "out-of-range.yaml": HEAD + b"spec: {sampleRateHz: 5000}\n",
    "unknown-field.yaml": HEAD + b"spec: {sampleRate: 50}\n",
    "no-yaml.yaml": b"\x00\x01\x02 {{{ : : -\n",
}


async def bad_manifests(checks):
    rig = Rig("hostile").start()
    rig.pod("payments", "p").burn(15)
    start = rig.boost("payments", "good", 50, "120s")
    await until(lambda: rig.condition("payments", "good", "Programmed") == "True", 5)
    for name, data in BAD.items():
        rig.write_bytes(name, data)
        named = await until(lambda n=name: n in rig.controller.log_text(), 4)
        checks.check(f"bad manifest {name}: the log names it", named)
    checks.check("after all of them the controller is ready", rig.controller.ready())
    await _good_to_bad_and_back(rig, checks)
    await _half_written(rig, checks)
    await sleep_to(start, 20)
    rig.finish()
    rates = pprof.rates(p for p in rig.profiles("payments") if p.time_ns > start + 2_000_000_000)
    checks.check("the last good state was in force all the time", rates == [50], str(rates))


async def _good_to_bad_and_back(rig, checks):
    """A good file that is overwritten by a bad one keeps what it said last."""
    rig.write_bytes("policy-payments-good.json", b'{"kind": "ProfilingPolicy", ')
    named = await until(lambda: "policy-payments-good.json" in rig.controller.log_text(), 4)
    checks.check("a good manifest that becomes bad: the log names it", named)
    await asyncio.sleep(2)
    rig.boost("payments", "good", 50, "120s")


async def _half_written(rig, checks):
    """An editor that writes in place and slowly."""
    whole = json.dumps(policy("other", "slow", 33)).encode()
    rig.pod("other", "p")
    with open(rig.path("slow"), "wb", buffering=0) as file:
        for piece in (whole[:40], whole[40:80], whole[80:]):
            file.write(piece)
            await asyncio.sleep(0.3)
    good = await until(lambda: rig.status("other", "slow").get("effectiveSampleRateHz") == 33, 4)
    checks.check("a manifest written in pieces ends as what it says", good)


CASES = [bad_manifests]
