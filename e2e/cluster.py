#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make e2e-cluster [E2E=NAME]: rubato as the chart installs it, on a real cluster of one node; then all of it is taken down.

NAME is a module or a case of e2e/cluster_cases/; the cluster comes up and the chart is installed in any case.
"""

import importlib
import os
import sys
import time
import traceback

from rubato import cgroups, scope, tools
from rubato.checks import Checks
from rubato.daemons import BUILD
from rubato.figures import Figures
from rubato.kernel import missing
from rubato.onenode.cluster import Cluster
from rubato.onenode.images import Images
from rubato.onenode.left import Before
from rubato.onenode.space import Missing
from rubato.onenode.stage import Stage

MODULES = ["standing", "raising", "changing", "rights", "sending", "leaving", "newcomer", "documents"]
IMAGES = os.path.join(BUILD, "images")


def set_up(cluster):
    """A stage with workloads, before rubato is installed."""
    began = time.monotonic()
    cluster.up()
    print(f"the node is Ready after {time.monotonic() - began:.0f} s", flush=True)
    Images(cluster).make_own()
    cluster.start_dns()
    stage = Stage(cluster)
    stage.start_workloads()
    stage.load_images(IMAGES)
    print(f"workloads run after {time.monotonic() - began:.0f} s", flush=True)
    return stage


def run_case(case, stage, total):
    checks, began = Checks(), time.monotonic()
    try:
        case(stage, checks)
    except Exception as error:  # one broken case must not hide the others
        where = traceback.extract_tb(error.__traceback__)[-1]
        checks.check(case.__name__, False, f"{error!r} at {where.filename}:{where.lineno}")
    checks.print_lines(f"{case.__name__.replace('_', ' ')} ({time.monotonic() - began:.0f} s)")
    total.add(checks)
    return not checks.failed


def run_cases(stage, modules, names, total):
    for module in modules:
        short = module.__name__.rsplit(".", 1)[1]
        for case in module.CASES:
            always = case.__name__ == "helm_install"  # the others need it
            if names and not always and short not in names and case.__name__ not in names:
                continue
            if not run_case(case, stage, total) and always:
                print(stage.why(), flush=True)
                return


def taken_down(before, checks):
    before.check(checks)


def main(names):
    total, began = Checks(), time.monotonic()
    modules = [importlib.import_module(f"cluster_cases.{name}") for name in MODULES]
    scope.install()
    cluster = Cluster(os.path.join(BUILD, "cluster"))
    before = Before(cluster.home)
    why_not = missing() or (not os.path.exists(f"{IMAGES}/digests.json") and "there are no images; try: make images")
    try:
        if why_not:
            raise Missing(why_not)
        cgroups.sweep()
        scope.on_exit(cluster.down)
        stage = set_up(cluster)
        stage.figures = Figures("cluster", shared=bool(names))
        run_cases(stage, modules, names, total)
        if stage.figures.figures:
            stage.figures.print()
            print(f"written to {stage.figures.write()}")
        cluster.down()
        run_case(taken_down, before, total)
    except (Missing, tools.Missing) as why:
        total.skip("a real cluster", str(why))
        total.print_lines("cluster")
    except RuntimeError as why:
        total.check("the cluster comes up", False, str(why))
        total.print_lines("cluster")
    print(f"e2e-cluster took {time.monotonic() - began:.0f} s")
    print(total.closing_line())
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
