# SPDX-License-Identifier: Apache-2.0
"""What the people who run it care about: privileges, metrics, leaks, other readers."""

import asyncio
import os
import re
import shutil
import subprocess

from rubato import pprof
from rubato.daemons import REPO
from rubato.prometheus import directory
from rubato.rig import NODE, Rig
from . import sleep_to

CAPS = ["bpf", "perfmon", "sys_ptrace", "checkpoint_restore", "dac_read_search", "syslog"]


async def _one_boost(name, **how):
    """A boost of ten seconds.  Returns the rig, its daemons stopped, and their exit statuses."""
    rig = Rig(name, **how).start()
    rig.pod("payments", "p").burn(15)
    await asyncio.sleep(3)
    start = rig.boost("payments", "boost", 100, "10s")
    await sleep_to(start, 13)
    return rig, rig.finish()


async def least_privilege(checks):
    if not shutil.which("setpriv"):
        checks.skip("the agent with only its six capabilities", "needs setpriv (util-linux)")
        return
    only = "-all," + ",".join("+" + cap for cap in CAPS)
    wrap = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--no-new-privs",
            "--inh-caps", only, "--ambient-caps", only, "--bounding-set", only]
    rig = Rig("caps", wrap=wrap)
    certs = os.path.join(rig.home, "certs")
    for path in (rig.agent.state, rig.agent.profiles, certs, os.path.join(certs, f"{NODE}.key")):
        os.chown(path, 65534, 65534)
    rig.start()
    with open(f"/proc/{rig.agent.process.pid}/status", encoding="ascii") as file:
        effective = int(re.search(r"CapEff:\s*(\w+)", file.read())[1], 16)
    checks.check("uid 65534 with BPF, PERFMON, SYS_PTRACE, CHECKPOINT_RESTORE, DAC_READ_SEARCH, SYSLOG and no more",
                 effective == 0x1C400080004, f"{effective:#x}")
    rig.pod("payments", "p").burn(15)
    await asyncio.sleep(3)
    start = rig.boost("payments", "boost", 100, "10s")
    await sleep_to(start, 13)
    rig.finish()
    profiles = rig.profiles("payments")
    checks.check("... a boost is applied and ends", pprof.rates(profiles) == [19, 100, 19], str(pprof.rates(profiles)))
    names = pprof.cumulative(profiles)
    checks.check("... functions have their names", names["burn_heavy"] > 0, ", ".join(n for n, _ in names.most_common(4)))


def _promtool():
    """The path of promtool, or None."""
    return shutil.which("promtool") or (directory() and os.path.join(directory(), "promtool"))


async def metrics(checks):
    rig = Rig("metrics").start()
    rig.pod("payments", "p").burn(10)
    rig.boost("payments", "boost", 100, "10s")
    await asyncio.sleep(5)
    promtool = _promtool()
    for daemon in (rig.controller, rig.agent):
        sentence = f"promtool check metrics: {daemon.name}"
        if not promtool:
            checks.skip(sentence, "promtool is not here and Debian's package prometheus cannot be had")
            continue
        seen = subprocess.run([promtool, "check", "metrics"], input=daemon.get("/metrics"), text=True,
                              capture_output=True, timeout=20)
        checks.check(sentence, seen.returncode == 0 and not seen.stderr.strip(), seen.stderr.strip()[:300])
        checks.check(f"{daemon.name}: /healthz answers", daemon.get("/healthz") != "")
    rig.finish()
    _other_readers(checks, rig)


def _other_readers(checks, rig):
    """Go's pprof is the reader everybody has."""
    if not shutil.which("go"):
        checks.skip("go tool pprof reads every file", "needs Go")
        return
    profiles = rig.profiles()
    for how in ("-top", "-raw"):
        bad = ""
        for profile in profiles:
            seen = subprocess.run(["go", "tool", "pprof", how, profile.path], capture_output=True, text=True,
                                  timeout=60, env=os.environ | {"PPROF_TMPDIR": rig.home})
            if seen.returncode != 0:
                bad = f"{profile.path}: {seen.stderr.strip()[:200]}"
        checks.check(f"go tool pprof {how} reads every file", profiles and not bad, bad or f"{len(profiles)} files")


async def sanitizers(checks):
    """Both daemons under ASan, LSan and UBSan through a whole boost and a clean end."""
    build = os.path.join(REPO, "build-san")
    if not all(os.access(os.path.join(build, n), os.X_OK) for n in ("rubato-controller", "rubato-agent")):
        checks.skip("a boost under ASan, UBSan and LSan", "not built; try: make SANITIZE=address,undefined")
        return
    env = {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0", "UBSAN_OPTIONS": "print_stacktrace=1"}
    rig, statuses = await _one_boost("san", build=build, env=env, controller_env=env)
    for daemon, status in zip((rig.agent, rig.controller), statuses):
        checks.check(f"{daemon.name} under ASan, UBSan and LSan: no report, status 0",
                     status == 0 and not daemon.sanitizer_report(), daemon.sanitizer_report() or f"{status}")
    rates = pprof.rates(rig.profiles("payments"))
    checks.check("... and it did its work", rates == [19, 100, 19], str(rates))


CASES = [least_privilege, metrics, sanitizers]
