#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""readme.py [--check]: write charts/rubato/README.md from its template and values.yaml, or say whether it is current.

A comment that begins with "# --" describes the value that follows it, with all that is in it; what has none of its own
and is in none that has one is an error.
"""

import json
import os
import re
import sys

import yaml

CHART = os.path.join(os.path.dirname(os.path.abspath(__file__)), "rubato")


def read(name):
    with open(os.path.join(CHART, name), encoding="utf-8") as file:
        return file.read()


def comments(text):
    """{path of a value: what is said of it}, in order."""
    found, path, said = {}, [], None
    for line in text.splitlines():
        comment = re.match(r"\s*# (-- )?(.*)", line)
        key = re.match(r"( *)(\w+):", line)
        if comment:
            if comment[1]:
                said = [comment[2]]
            elif said is not None:
                said.append(comment[2])
        elif key and len(key[1]) % 2 == 0:
            path = [*path[:len(key[1]) // 2], key[2]]
            if said:
                found[".".join(path)] = " ".join(said)
            said = None
    return found


def value_of(values, path):
    for key in path.split("."):
        values = values[key]
    return values


def undescribed(values, described, path=""):
    """Values with no comment, at or above them."""
    for key, value in values.items():
        at = f"{path}{key}"
        if at in described:
            continue
        if isinstance(value, dict) and value:
            yield from undescribed(value, described, f"{at}.")
        else:
            yield at


def table(text):
    described, values = comments(text), yaml.safe_load(text)
    missing = list(undescribed(values, described))
    if missing:
        sys.exit(f"charts/rubato/values.yaml: no comment says what these are: {', '.join(missing)}")
    yield "| value | default | |"
    yield "|---|---|---|"
    for path, said in described.items():
        default = json.dumps(value_of(values, path)).replace("|", "\\|")
        yield f"| `{path}` | `{default}` | {said} |"


def main():
    page = read("README.md.in").replace("@VALUES@", "\n".join(table(read("values.yaml"))))
    if "--check" in sys.argv:
        if page != read("README.md"):
            sys.exit("charts/rubato/README.md is not that of values.yaml; run charts/readme.py")
        return
    with open(os.path.join(CHART, "README.md"), "w", encoding="utf-8") as file:
        file.write(page)


if __name__ == "__main__":
    main()
