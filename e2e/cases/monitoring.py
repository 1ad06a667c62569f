# SPDX-License-Identifier: Apache-2.0
"""The chart's dashboard and alerts, on a real Prometheus that scrapes a controller with a real API server and an agent with a
real kernel."""

import asyncio
import json
import os
import re

from rubato import tools
from rubato.chart import CHART
from rubato.daemons import free_port
from rubato.kube_rig import KubeRig
from rubato.prometheus import Prometheus, directory
from . import until

ONE_BY_ONE = True
# Counted by a reason that has not come up in a fleet that is well; the alerts' unit tests have it.
UNSEEN = {"rubato_controller_auth_refused_total", "rubato_agent_push_dropped_total"}


def _queries():
    """(panel, query) of the dashboard, as Grafana sends it."""
    with open(f"{CHART}/files/dashboard.json", encoding="utf-8") as file:
        panels = json.load(file)["panels"]
    for panel in panels:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"].replace("$__rate_interval", "10s").replace("$instance", ".*")


def _names(text):
    return {re.sub("_(bucket|sum|count)$", "", name) for name in re.findall(r"\b(?:rubato|process)_[a-z_]+", text)}


def _told(*daemons):
    """The families that /metrics tells of, by the daemons' own words."""
    return {line.split()[2] for daemon in daemons for line in daemon.get("/metrics").splitlines() if line.startswith("# TYPE")}


async def the_dashboard_and_the_alerts(checks):
    if not directory():
        checks.skip("dashboard and alerts on a real Prometheus", "Debian's package prometheus cannot be had")
        return
    try:
        rig = KubeRig("monitoring")
    except tools.Missing as why:
        checks.skip("dashboard and alerts on a real Prometheus", str(why))
        return
    rig.agent.argv += ["--sink-pyroscope", f"http://127.0.0.1:{free_port()}"]  # nobody is there: profiles wait
    rig.start()
    rules = f"{CHART}/files/alerts.yaml"
    server = Prometheus(rig.cluster.home, {"rubato-controller": rig.controller.port, "rubato-agent": rig.agent.port}, rules)
    rig.pod("payments", "settlement").burn(40)
    await asyncio.sleep(4)
    rig.boost("payments", "boost", 100, "20s")
    await until(lambda: rig.programmed("payments", "boost", 0), 10)
    await asyncio.sleep(8)
    _dashboard(checks, server)
    with open(rules, encoding="utf-8") as file:
        used = _names(file.read())
    told = _told(rig.controller, rig.agent)
    checks.check("every metric of the alerts is told by the daemons' own /metrics", used and used - UNSEEN <= told, str(sorted(used - UNSEEN - told)))
    states = server.rules()
    sick = [name for name, rule in states.items() if rule["health"] != "ok"]
    checks.check(f"Prometheus evaluates all {len(states)} alerts", states and not sick, str(sick))
    firing = [name for name, rule in states.items() if rule["state"] == "firing"]
    checks.check("... and none fires in a fleet that is well", not firing, str(firing))
    server.stop()
    rig.finish()


def _dashboard(checks, server):
    bad, empty, seen = [], [], 0
    for panel, query in _queries():
        samples, wrong = server.query(query)
        seen += 1
        if wrong:
            bad.append(f"{panel}: {wrong}")
        elif not samples and not _names(query) & UNSEEN:
            empty.append(f"{panel}: {query}")
    checks.check(f"all {seen} queries of the dashboard are understood", seen and not bad, "; ".join(bad))
    checks.check("... and have an answer", not empty, "; ".join(empty))


CASES = [the_dashboard_and_the_alerts]
