#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""run.py [NAME...]: the end-to-end tests but for those of LATER, or those whose module or case bears one of the names."""

import asyncio
import importlib
import sys
import time
import traceback

from rubato import cgroups, scope
from rubato.checks import Checks
from rubato.kernel import missing, missing_daemons

MODULES = ["crds", "kube", "kube_faults", "kube_client", "kube_rotation", "kube_tokens", "kube_refused", "kube_statuses", "tenants", "kube_crash", "chart", "monitoring", "commands", "promises", "foreign", "boosts", "room", "restarts", "load", "hostile", "sinks", "sinks_real", "doors", "operations", "starting"]
LATER = ["sinks_real"]  # a first run builds its backends: a stage of its own
CASE_TIMEOUT_S = 150
ONCE_MORE_AT_MOST = 3


async def run_case(case, failed, total):
    checks = Checks()
    try:
        await asyncio.wait_for(case(checks), CASE_TIMEOUT_S)
    except Exception as error:  # one broken case must not hide the others
        where = traceback.extract_tb(error.__traceback__)[-1]
        checks.check(case.__name__, False, f"{error!r} at {where.filename}:{where.lineno}")
    checks.print_lines(case.__name__.replace("_", " "))
    if checks.failed:
        failed.append((case, checks))
    else:
        total.add(checks)


async def run_module(module, cases, failed, total):
    if getattr(module, "ONE_BY_ONE", False):
        for case in cases:
            await run_case(case, failed, total)
    else:
        await asyncio.gather(*(run_case(case, failed, total) for case in cases))


def judge_failed(failed, total):
    """Real time on a shared machine: a case that failed is run once more, alone, and says so.  What is wrong fails
    again; many failures are not the machine's fault."""
    for case, checks in failed:
        if len(failed) > ONCE_MORE_AT_MOST:
            total.add(checks)
            continue
        print(f"UNSTEADY {case.__name__.replace('_', ' ')}: once more, alone")
        again = []
        asyncio.run(run_case(case, again, total))
        for _, second in again:
            total.add(second)


def skip_module(name, why, total):
    checks = Checks()
    checks.skip(f"all of {name}", why)
    checks.print_lines(name.replace("_", " "))
    total.add(checks)


def main(names):
    checks, failed, began = Checks(), [], time.monotonic()
    scope.install()
    no_daemons, no_kernel = missing_daemons(), missing()
    if cgroups.usable():
        cgroups.sweep()
        cgroups.make_root()
    for name in MODULES if names else [name for name in MODULES if name not in LATER]:
        module = importlib.import_module(f"cases.{name}")
        cases = [c for c in module.CASES if not names or name in names or c.__name__ in names]
        why_not = no_kernel if getattr(module, "NEEDS_KERNEL", True) else no_daemons
        if cases and why_not:
            skip_module(name, why_not, checks)
        elif cases:
            asyncio.run(run_module(module, cases, failed, checks))
    judge_failed(failed, checks)
    print(f"e2e took {time.monotonic() - began:.0f} s")
    print(checks.closing_line())
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
