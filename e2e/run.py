#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""run.py [NAME...]: the end-to-end tests, or those whose module or case bears one of the names."""

import asyncio
import importlib
import sys
import time
import traceback

from rubato import cgroups, scope
from rubato.checks import Checks
from rubato.kernel import missing

MODULES = ["crds", "kube_faults", "boosts", "restarts", "load", "hostile", "operations"]
CASE_TIMEOUT_S = 150


async def run_case(case, total):
    checks = Checks()
    try:
        await asyncio.wait_for(case(checks), CASE_TIMEOUT_S)
    except Exception as error:  # one broken case must not hide the others
        where = traceback.extract_tb(error.__traceback__)[-1]
        checks.check(case.__name__, False, f"{error!r} at {where.filename}:{where.lineno}")
    checks.print_lines(case.__name__.replace("_", " "))
    total.add(checks)


async def run_module(module, cases, checks):
    if getattr(module, "ONE_BY_ONE", False):
        for case in cases:
            await run_case(case, checks)
    else:
        await asyncio.gather(*(run_case(case, checks) for case in cases))


def main(names):
    checks, began = Checks(), time.monotonic()
    scope.install()
    why_not = missing()
    if why_not:
        checks.skip("all end-to-end tests", why_not)
        checks.print_lines("e2e")
    else:
        cgroups.sweep()
        for name in MODULES:
            module = importlib.import_module(f"cases.{name}")
            cases = [c for c in module.CASES if not names or name in names or c.__name__ in names]
            if cases:
                asyncio.run(run_module(module, cases, checks))
    print(f"e2e took {time.monotonic() - began:.0f} s")
    print(checks.closing_line())
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
