#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make e2e-newcomer: the README's commands as they are printed, in a bare Debian 12 on this machine's kernel; some minutes.

The second of the two first commands is everything that CI runs: here only its first stage, by the environment.
"""

import glob
import json
import os
import sys
import time

from rubato import cgroups, scope
from rubato.bare import BareDebian, Missing, TREE
from rubato.checks import Checks
from rubato.daemons import wait_until
from rubato.kernel import missing
from rubato.markdown import shell_blocks
from rubato.rig import tool

SERVICE = "/system.slice/settlement.service"  # the cgroup that examples/standalone/payments.yaml names
STATUS = "/var/lib/rubato/status/profilingpolicy.payments.boost.json"
PROFILES = "/var/lib/rubato/profiles/payments/settlement"


def last_lines(text, nr=6):
    return " | ".join(text.strip().splitlines()[-nr:])


def read_json(path):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def first_commands(checks, machine):
    demo, test = shell_blocks("README.md", "Try it")[0].splitlines()
    began = time.monotonic()
    status, said = machine.run(demo, 900)
    checks.check(f"$ {demo}", status == 0, f"exit status {status}, {time.monotonic() - began:.0f} s; {last_lines(said, 3)}")
    report = read_json(machine.path(f"{TREE}/build/demo/report.json"))
    checks.check("the demo's report is where the README says", bool(report), str(report)[:200])
    checks.check("... and its profiles", glob.glob(machine.path(f"{TREE}/build/demo/profiles/**/*.pb.gz"), recursive=True))
    checks.check("what the README shows of the demo is what it says",
                 "the drop back came late by" in said and "from the write of the manifest to the first sample at 100 Hz" in said)
    status, said = machine.run(test, 600, env={"STAGES": "build"})
    checks.check(f"$ {test}  (STAGES=build)", status == 0 and "1 passed, 0 failed" in said, last_lines(said))


def conditions(machine):
    status = read_json(machine.path(STATUS)).get("status") or {}
    return {c["type"]: c["status"] for c in status.get("conditions", [])}


def without_a_cluster(checks, machine):
    slice_dir = cgroups.v2_root() + os.path.dirname(SERVICE)
    if not os.path.isdir(slice_dir):  # no systemd here
        os.makedirs(slice_dir)
        scope.on_exit(os.rmdir, slice_dir)
    service = cgroups.Cgroup(SERVICE)
    scope.on_exit(service.remove)
    service.run(tool("burn"), "--duty", "20", stdout=open(os.devnull, "wb"))
    start, show = shell_blocks("README.md", "Use it without a cluster")
    # The boost of the example lasts 15 s: watched while the shell waits for its daemons.
    script = start + f"\nsleep 6\n{show}\nsleep 16\nkill %1 %2; wait\n"
    status, said = machine.run(script, 300, lonely=True)
    checks.check("the commands of \"Use it without a cluster\" run as printed", status == 0, f"exit status {status}; {last_lines(said)}")
    shown = said[said.find('"ProfilingPolicy"') - 200:] if '"ProfilingPolicy"' in said else said
    checks.check("... the status shows the boost in force", '"effectiveSampleRateHz": 100' in said or '"effectiveSampleRateHz":100' in said,
                 last_lines(shown, 3)[:300])
    seen = conditions(machine)
    checks.check("... and expired after its 15 s", seen.get("Expired") == "True", str(seen))
    files = glob.glob(machine.path(f"{PROFILES}/**/*.pb.gz"), recursive=True)
    rates = sorted({name.rsplit("-", 1)[1].split("hz")[0] for name in files})
    checks.check("... and there are profiles of the cgroup by its relative path, at both rates", rates == ["100", "19"], str(rates))


def main():
    checks = Checks()
    scope.install()
    try:
        if why := missing():
            raise Missing(why)
        print("making a bare Debian 12 ...", flush=True)
        machine = BareDebian()
        first_commands(checks, machine)
        without_a_cluster(checks, machine)
    except Missing as why:
        checks.skip("the README's commands on a bare Debian 12", str(why))
    checks.print_lines("newcomer")
    print(checks.closing_line())
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
