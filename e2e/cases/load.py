# SPDX-License-Identifier: Apache-2.0
"""Many cgroups, many threads, many processes.  One case at a time: they want the whole machine."""

import asyncio
import os
import subprocess
import time

from rubato import cgroups, pprof
from rubato.rig import Rig, tool
from . import accounts_agree, until

ONE_BY_ONE = True


async def thousand_cgroups(checks):
    rig = Rig("thousand").start()
    pod = rig.pod("payments", "p").burn(60)
    await asyncio.sleep(2)
    before = rig.agent.resident_bytes()
    made = [cgroups.v2_root() + cgroups.kubelet_path(rig.root, cgroups.new_uid(), cgroups.new_container_id())
            for _ in range(1000)]
    for path in made:
        os.makedirs(path)
    await asyncio.sleep(1)
    for path in made:
        os.rmdir(path)
        os.rmdir(os.path.dirname(path))
    await asyncio.sleep(8)
    checks.check("a thousand cgroups made and removed: the agent is ready", rig.agent.ready())
    after = rig.agent.resident_bytes()
    checks.check("... and has not grown by more than 8 MB", after - before < 8 << 20, f"{(after - before) / 2**20:+.1f} MB")
    rig.finish()
    accounts_agree(checks, "... and the busy pod's CPU is the kernel's within 5 %", rig.profiles("payments"), pod)


async def sixty_four_threads(checks):
    rig = Rig("threads").start()
    pod = rig.pod("payments", "p")
    await asyncio.sleep(1)
    pod.burn(100, threads=64)
    await asyncio.sleep(8)
    rig.finish()
    accounts_agree(checks, "64 threads on two CPUs: CPU is the kernel's within 5 %", rig.profiles("payments"), pod)


async def short_processes(checks):
    rig = Rig("short").start()
    pod = rig.pod("payments", "p")
    rig.boost("payments", "boost", 100, "60s")
    await asyncio.sleep(1)
    storm = pod.cgroup.run(tool("spawn"), "--rate", "300", "--seconds", "10", "--work-us", "2000",
                           stdout=subprocess.PIPE)
    began = time.monotonic()
    await until(lambda: storm.poll() is not None, 20)
    checks.check("300 short processes a second for ten seconds: the agent keeps up",
                 rig.agent.ready() and time.monotonic() - began < 12, f"{time.monotonic() - began:.1f} s")
    rig.finish()
    profiles = rig.profiles("payments")
    accounts_agree(checks, "... their CPU is the kernel's within 10 %", profiles, pod, 10)
    names = pprof.cumulative(profiles)
    exited = 100 * names["[process exited]"] / max(1, sum(p.cpu_ns() for p in profiles))
    checks.check("... and nine tenths of it or more, of processes of 2 ms, is known by its mappings", exited < 10,
                 f"{exited:.0f} % of it was of processes that are not known")


CASES = [thousand_cgroups, sixty_four_threads, short_processes]
