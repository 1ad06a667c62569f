# SPDX-License-Identifier: Apache-2.0
"""The CRDs in a real API server: it takes them, and refuses what is wrong with the sentence that is meant."""

import json

from rubato import api_server, scope, tools

ONE_BY_ONE, NEEDS_KERNEL = True, False
API = "profiling.rubato.dev/v1alpha1"
DURATION = "write a duration like 90s, 15m or 1h30m"
BOUNDS = "a duration is at least 10s and at most 24h"
VALUES = "In and NotIn need values; Exists and DoesNotExist take none"
TERMS = "a selector has at most 64 terms, matchLabels and matchExpressions together"
LABELS = {f"k{i}": "v" for i in range(64)}
EXISTS = {"key": "app", "operator": "Exists"}

# (kind, a spec that passes, a spec that fails, what the refusal says)
RULES = [
    ("ProfilingPolicy", {"capabilities": {"drop": ["kernel"]}}, {"reason": "none"},
     "set sampleRateHz, capabilities or both; a policy without them changes nothing"),
    ("ProfilingPolicy", {"sampleRateHz": 0}, {"sampleRateHz": 201}, "less than or equal to 200"),
    ("ProfilingPolicy", {"sampleRateHz": 100, "duration": "1h30m"},
     {"sampleRateHz": 100, "duration": "15 minutes"}, DURATION),
    ("ProfilingPolicy", {"sampleRateHz": 100, "duration": "1.5m"},
     {"sampleRateHz": 100, "duration": ".5m"}, DURATION),
    ("ProfilingPolicy", {"sampleRateHz": 100, "duration": "15s"},
     {"sampleRateHz": 100, "duration": "+15s"}, DURATION),
    ("ProfilingPolicy", {"sampleRateHz": 100, "duration": "15000000us"},
     {"sampleRateHz": 100, "duration": "15000000\u00b5s"}, DURATION),
    ("ProfilingPolicy", {"sampleRateHz": 100, "duration": "24h"},
     {"sampleRateHz": 100, "duration": "24h1s"}, BOUNDS),
    ("ProfilingPolicy", {"sampleRateHz": 100, "duration": "10s"},
     {"sampleRateHz": 100, "duration": "9.5s"}, BOUNDS),
    ("ProfilingPolicy", {"sampleRateHz": 9, "selector": {"matchExpressions": [EXISTS]}},
     {"sampleRateHz": 9, "selector": {"matchExpressions": [{"key": "app", "operator": "In"}]}}, VALUES),
    ("ProfilingPolicy",
     {"sampleRateHz": 9, "selector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}},
     {"sampleRateHz": 9, "selector": {"matchExpressions": [EXISTS | {"values": ["b"]}]}}, VALUES),
    ("ProfilingPolicy", {"sampleRateHz": 9, "selector": {"matchLabels": LABELS}},
     {"sampleRateHz": 9, "selector": {"matchLabels": LABELS, "matchExpressions": [EXISTS]}}, TERMS),
    ("ProfilingPolicy", {"capabilities": {"add": ["native"]}}, {"capabilities": {}}, "set add, drop or both"),
    ("ProfilingPolicy", {"capabilities": {"add": ["native"], "drop": ["kernel"]}},
     {"capabilities": {"add": ["native"], "drop": ["native"]}},
     "a capability is either added or dropped, not both"),
    ("ClusterProfilingPolicy", {"limits": {"maxSampleRateHz": 0}}, {"nodeSelector": {}},
     "set defaults, limits or both; a policy without them changes nothing"),
    ("ClusterProfilingPolicy", {"limits": {"maxDuration": "1h"}}, {"limits": {"maxDuration": "one"}}, DURATION),
    ("ClusterProfilingPolicy", {"limits": {"maxDuration": "24h"}}, {"limits": {"maxDuration": "25h"}}, BOUNDS),
    ("ClusterProfilingPolicy", {"limits": {"maxSampleRateHz": 49, "maxContinuousSampleRateHz": 49}},
     {"limits": {"maxSampleRateHz": 49, "maxContinuousSampleRateHz": 50}},
     "maxContinuousSampleRateHz cannot be above maxSampleRateHz"),
    *(("ClusterProfilingPolicy", {"defaults": {"sampleRateHz": 19}, field: {"matchExpressions": [EXISTS]}},
       {"defaults": {"sampleRateHz": 19}, field: {"matchExpressions": [{"key": "a", "operator": "NotIn"}]}}, VALUES)
      for field in ("namespaceSelector", "nodeSelector")),
    *(("ClusterProfilingPolicy", {"defaults": {"sampleRateHz": 19}, field: {"matchLabels": LABELS}},
       {"defaults": {"sampleRateHz": 19}, field: {"matchLabels": LABELS, "matchExpressions": [EXISTS]}}, TERMS)
      for field in ("namespaceSelector", "nodeSelector")),
]


def refusal(server, kind, spec):
    """What the API server says against the object, "" when it takes it."""
    where = f"/apis/{API}/" + ("clusterprofilingpolicies" if kind.startswith("Cluster") else
                               "namespaces/default/profilingpolicies")
    body = {"apiVersion": API, "kind": kind, "metadata": {"name": "rule"}, "spec": spec}
    status, answer = server.request("POST", where + "?dryRun=All&fieldValidation=Strict", body)
    return "" if status == 201 else answer.get("message") or str(status)


def check_rules(checks, server):
    for kind, good, bad, sentence in RULES:
        said = refusal(server, kind, good)
        checks.check(f"{kind} {json.dumps(good)[:70]} is taken", said == "", said)
        said = refusal(server, kind, bad)
        checks.check(f"{kind} {json.dumps(bad)[:70]}: {sentence}", sentence in said, said[:200])


def check_fields(checks, server):
    said = refusal(server, "ProfilingPolicy", {"sampelRateHz": 100})
    checks.check("an unknown field is refused", "unknown field" in said, said)
    said = refusal(server, "ProfilingPolicy", {"capabilities": {"add": ["jit"]}})
    checks.check("a capability that is not built yet is refused", "Unsupported value" in said, said)
    text = server.kubectl("explain", "profilingpolicy.spec.duration")
    checks.check("kubectl explain is the manual", "boost" in text)
    text = server.kubectl("get", "profiling", "--all-namespaces")
    checks.check("both kinds are of the category profiling", text == "", text)


async def the_api_server_checks_what_the_crds_say(checks):
    try:
        server = api_server.ApiServer(scope.temp_dir("rubato-crds-"))
    except tools.Missing as why:
        checks.skip("the CRDs in a real API server", str(why))
        return
    server.start()
    server.install_crds()
    checks.check("the API server takes both CRDs", True)
    check_rules(checks, server)
    check_fields(checks, server)
    server.stop()


CASES = [the_api_server_checks_what_the_crds_say]
