#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check-alerts.py: the unit tests of charts/rubato/files/alerts.yaml, by `promtool test rules`.

A case is a world of series; exactly the alerts that it names fire in it, those of every other rule do not.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

import yaml

RULES = "charts/rubato/files/alerts.yaml"
HOURS = 2  # that each world lasts, in steps of a minute
STEPS = HOURS * 60
CONTROLLER = '{namespace="rubato-system",instance="c:8080",job="rubato-controller"%s}'
AGENT = '{namespace="rubato-system",instance="a:8081",job="rubato-agent"%s}'
DAY = 86400


def series(name, values, where, **labels):
    more = "".join(f',{key}="{value}"' for key, value in labels.items())
    return {"series": name + where % more, "values": values}


def controller(name, values, **labels):
    return series(f"rubato_controller_{name}", values, CONTROLLER, **labels)


def agent(name, values, **labels):
    return series(f"rubato_agent_{name}", values, AGENT, **labels)


def flat(value):
    return f"{value}x{STEPS}"


def rising(step, begin=0):
    return f"{begin}+{step}x{STEPS}"


# A fleet that is well: what stands, stands; what is counted in normal operation grows.
WELL = {
    "controller": controller("build_info", flat(1), version="0"),
    "agent": agent("build_info", flat(1), version="0"),
    "watch errors": controller("watch_errors_total", flat(3), kind="Pod"),
    "patch failures": controller("status_patch_failures_total", flat(2)),
    "refused policies": controller("policies_refused", flat(0), kind="ProfilingPolicy"),
    "boosts": controller("boost_apply_seconds_bucket", rising(2), le="0.1"),
    "slow boosts": controller("boost_apply_seconds_bucket", rising(2), le="10"),
    "all boosts": controller("boost_apply_seconds_bucket", rising(2), le="+Inf"),
    "absent": controller("agents", flat(0), state="absent"),
    "failed": controller("agents", flat(0), state="failed"),
    "pending": controller("agents", flat(0), state="pending"),
    "applied": controller("agents", flat(9), state="applied"),
    "connected": agent("control_connected", flat(1)),
    "refused": controller("auth_refused_total", flat(4), reason="expired"),
    "handshakes": controller("handshake_failures_total", rising(1)),  # somebody's port scan, once a minute
    "lost": agent("samples_lost_total", rising(1), reason="ring_full"),
    "taken": agent("samples_total", rising(1000)),
    "drains": agent("drains_failed_total", flat(1)),
    "applies": agent("applies_failed_total", flat(1)),
    "slots": agent("containers_without_slot", flat(0)),
    "file": agent("sink_file_failed_total", flat(1)),
    "waiting": agent("push_queue_profiles", flat(5), sink="pyroscope"),
    "last success": agent("push_last_success_timestamp_seconds", rising(60), sink="pyroscope"),
    "dropped": agent("push_dropped_total", flat(7), sink="parca", reason="too_old"),
    "idle backend": agent("push_queue_profiles", flat(0), sink="parca"),
    "its success": agent("push_last_success_timestamp_seconds", flat(0), sink="parca"),
    "began": series("process_start_time_seconds", flat(1000), AGENT),
    "others": series("process_start_time_seconds", rising(60), '{instance="x",job="another"%s}'),
    "lag": agent("loop_lag_max_seconds", flat(0.02)),
    "busy": series("process_cpu_seconds_total", rising(1), AGENT),  # a sixtieth of a CPU
    "busy others": series("process_cpu_seconds_total", rising(60), '{instance="x",job="another"%s}'),
    "certificate": controller("certificate_expiry_timestamp_seconds", flat(400 * DAY), certificate="own"),
    "agent's certificate": agent("certificate_expiry_timestamp_seconds", flat(400 * DAY), certificate="own"),
}

WHERE_CONTROLLER = {"namespace": "rubato-system", "instance": "c:8080", "job": "rubato-controller"}
WHERE_AGENT = {"namespace": "rubato-system", "instance": "a:8081", "job": "rubato-agent"}
SOON = {"namespace": "rubato-system", "certificate": "own"}

# (alert, what is otherwise than WELL: name -> its values; labels of the alert)
CASES = [
    ("RubatoControllerAbsent", {"controller": "_x" + str(STEPS)}, {}),
    ("RubatoApiServerTrouble", {"watch errors": rising(1)}, WHERE_CONTROLLER),
    ("RubatoStatusNotWritten", {"patch failures": rising(1)}, WHERE_CONTROLLER),
    ("RubatoPoliciesRefused", {"refused policies": flat(1)}, WHERE_CONTROLLER | {"kind": "ProfilingPolicy"}),
    ("RubatoBoostsSlow", {"boosts": rising(1)}, WHERE_CONTROLLER),
    ("RubatoAgentsAbsent", {"absent": flat(1)}, WHERE_CONTROLLER | {"state": "absent"}),
    ("RubatoAgentsFail", {"failed": flat(1)}, WHERE_CONTROLLER | {"state": "failed"}),
    ("RubatoAgentsPend", {"pending": flat(1)}, WHERE_CONTROLLER | {"state": "pending"}),
    ("RubatoAgentDisconnected", {"connected": flat(0)}, WHERE_AGENT),
    ("RubatoAgentsRefused", {"refused": rising(1)}, WHERE_CONTROLLER | {"reason": "expired"}),
    ("RubatoHandshakesFail", {"handshakes": rising(6)}, WHERE_CONTROLLER),
    ("RubatoSamplesLost", {"lost": rising(20)}, WHERE_AGENT),
    ("RubatoWindowsLost", {"drains": rising(1)}, WHERE_AGENT),
    ("RubatoRatesNotApplied", {"applies": rising(1)}, WHERE_AGENT),
    ("RubatoContainersNotSampled", {"slots": flat(1)}, WHERE_AGENT),
    ("RubatoProfilesNotWritten", {"file": rising(1)}, WHERE_AGENT),
    ("RubatoBackendDown", {"last success": flat(60)}, WHERE_AGENT | {"sink": "pyroscope"}),
    ("RubatoProfilesDropped", {"dropped": rising(1)}, WHERE_AGENT | {"sink": "parca", "reason": "too_old"}),
    ("RubatoRestarts", {"began": rising(60)}, WHERE_AGENT),
    ("RubatoLoopStalls", {"lag": flat(0.7)}, WHERE_AGENT),
    ("RubatoAgentBusy", {"busy": rising(12)}, WHERE_AGENT),
    ("RubatoCertificateExpires", {"certificate": flat(20 * DAY)}, SOON),
    ("RubatoCertificateExpires", {"agent's certificate": flat(20 * DAY)}, SOON),
    ("RubatoCertificateExpiresNow", {"certificate": flat(2 * DAY)}, SOON),
]
# Which others fire in the world of an alert.
ALSO = {"RubatoCertificateExpiresNow": ["RubatoCertificateExpires"]}


def expected(rule, labels):
    """The alert as it is to be, with its annotations filled in."""
    labels = labels | rule["labels"]
    fill = lambda text: re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: labels[found[1]], text)
    return {"exp_labels": labels, "exp_annotations": {key: fill(text) for key, text in rule["annotations"].items()}}


def world(name, otherwise, firing, rules):
    values = {**{key: one["values"] for key, one in WELL.items()}, **otherwise}
    return {"name": name, "interval": "1m",
            "input_series": [WELL[key] | {"values": values[key]} for key in WELL],
            "alert_rule_test": [{"eval_time": f"{HOURS}h", "alertname": alert, "exp_alerts": [expected(rule, firing[alert])] if alert in firing else []}
                                for alert, rule in rules.items()]}


def promtool():
    """On the path, or where `make deps` puts Debian's."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    found = shutil.which("promtool") or os.path.join(cache, "rubato-e2e", "prometheus", "usr", "bin", "promtool")
    return found if os.access(found, os.X_OK) else None


def main():
    with open(RULES, encoding="utf-8") as file:
        rules = {rule["alert"]: rule for group in yaml.safe_load(file)["groups"] for rule in group["rules"]}
    untested = sorted(rules.keys() - {alert for alert, *_ in CASES})
    if untested:
        sys.exit(f"tests/check-alerts.py: no case for {', '.join(untested)}")
    tool = promtool()
    if not tool:
        print("  SKIP   the alerts: promtool is not here; make deps fetches it")
        return
    worlds = [world("all is well", {}, {}, rules)]
    worlds += [world(alert, otherwise, {name: labels for name in [alert, *ALSO.get(alert, [])]}, rules) for alert, otherwise, labels in CASES]
    with tempfile.TemporaryDirectory() as home:
        path = os.path.join(home, "test.yaml")
        with open(path, "w", encoding="utf-8") as file:
            yaml.safe_dump({"rule_files": [os.path.abspath(RULES)], "evaluation_interval": "1m", "tests": worlds}, file)
        for argv in (["check", "rules", RULES], ["test", "rules", path]):
            done = subprocess.run([tool, *argv], capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(f"promtool {' '.join(argv)}:\n{done.stdout}{done.stderr}")
    print(f"  CHECK  {len(rules)} alerts in {len(worlds)} worlds")


if __name__ == "__main__":
    main()
