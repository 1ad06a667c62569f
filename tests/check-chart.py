#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check-chart.py: what can be said of charts/rubato without Helm.  (With Helm and an API server: e2e/cases/chart.py.)"""

import glob
import json
import os
import re
import subprocess
import sys

import yaml

CHART = "charts/rubato"


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def load(path):
    return yaml.safe_load(read(path))


def check_readme():
    done = subprocess.run(["charts/readme.py", "--check"], capture_output=True, text=True, check=False)
    if done.returncode:
        yield done.stderr.strip()


def resolve(schema, whole):
    reference = schema.get("$ref")
    return whole["$defs"][reference.rsplit("/", 1)[1]] if reference else schema


def schema_differences(values, schema, whole, path=""):
    """Every value has its place in the schema, and the reverse; maps that a person fills are open on both sides."""
    schema = resolve(schema, whole)
    if "properties" not in schema:
        return
    if schema.get("additionalProperties") is not False and path != "global.":
        yield f"values.schema.json: {path or 'the top'} takes any name"
    for key in sorted({*values} | {*schema["properties"]}):
        if key not in values:
            yield f"values.yaml: lacks {path}{key} of the schema"
        elif key not in schema["properties"]:
            yield f"values.schema.json: lacks {path}{key} of the values"
        elif isinstance(values[key], dict):
            yield from schema_differences(values[key], schema["properties"][key], whole, f"{path}{key}.")


def check_schema():
    whole = json.loads(read(f"{CHART}/values.schema.json"))
    yield from schema_differences(load(f"{CHART}/values.yaml"), whole, whole)


def check_crds():
    """crds/ holds links to the chart's: there is one copy."""
    ours, theirs = ({os.path.basename(path): path for path in glob.glob(f"{where}/*.yaml")} for where in ("crds", f"{CHART}/crds"))
    if not ours or ours.keys() != theirs.keys():
        yield f"crds/ has {sorted(ours)}, {CHART}/crds has {sorted(theirs)}"
    for name in ours.keys() & theirs.keys():
        if not os.path.samefile(ours[name], theirs[name]):
            yield f"{ours[name]} is not a link to {theirs[name]}"


def rules_of(text, kind):
    document = re.search(rf"^kind: {kind}$.*?^rules:\n(.*?)(?=^---|^\{{)", text, re.S | re.M)
    return yaml.safe_load(document[1]) if document else None


def check_role():
    """The chart's roles are those that the end-to-end tests run the controller with."""
    for item in load("e2e/manifests/clusterrole.yaml")["items"]:
        if "rules" in item and rules_of(read(f"{CHART}/templates/controller/rbac.yaml"), item["kind"]) != item["rules"]:
            yield f"{CHART}: the {item['kind']} is not that of e2e/manifests/clusterrole.yaml"


def check_capabilities():
    table = re.search(r"capabilities\[\] = \{(.*?)\n\};", read("agent/probe.c"), re.S)[1]
    probed = re.findall(r'\{ \d+, "(\w+)"', table)
    security = load(f"{CHART}/values.yaml")["agent"]["containerSecurityContext"]
    if not probed or sorted(security["capabilities"]["add"]) != sorted(probed) or security["capabilities"]["drop"] != ["ALL"]:
        yield f"{CHART}/values.yaml: the agent's capabilities are not those of rubato-agent --probe"


def check_version():
    chart, made = load(f"{CHART}/Chart.yaml"), re.search(r"^VERSION\s*:= (\S+)", read("Makefile"), re.M)[1]
    if chart["appVersion"] != made:
        yield f"{CHART}/Chart.yaml: appVersion is {chart['appVersion']}, the programs are {made}"


def anchors(path):
    """As GitHub makes them of headings."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in re.findall(r"^#+ (.*)", read(path), re.M)}


def check_alerts():
    """Every alert leads to a heading of its own."""
    headings = anchors("docs/troubleshooting.md")
    for rule in (rule for group in load(f"{CHART}/files/alerts.yaml")["groups"] for rule in group["rules"]):
        page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        if page != "docs/troubleshooting.md" or anchor not in headings:
            yield f"{CHART}/files/alerts.yaml: {rule['alert']} links to {page}#{anchor}, which is not there"


def check_metrics():
    """What alerts and dashboard ask for is in docs/reference.md, which check-docs.py compares with the code."""
    known = set(re.findall(r"\b(?:rubato_(?:agent|controller)|process)_[a-z_]+", read("docs/reference.md")))
    for path in (f"{CHART}/files/alerts.yaml", f"{CHART}/files/dashboard.json"):
        used = {re.sub("_(bucket|sum|count)$", "", name) for name in re.findall(r"\b(?:rubato|process)_[a-z_]+", read(path))}
        if not used:
            yield f"{path}: no metrics found"
        for name in sorted(used - known):
            yield f"{path}: there is no metric {name}"


def main():
    complaints = [*check_readme(), *check_schema(), *check_crds(), *check_role(), *check_capabilities(),
                  *check_version(), *check_alerts(), *check_metrics()]
    print("".join(f"{line}\n" for line in complaints), end="", file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
