#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check-docs.py PROGRAM...: fail when code and documents disagree about an option, a metric, a reason or a link."""

import glob
import os
import re
import subprocess
import sys

DOCS = ["README.md", "CONTRIBUTING.md", "kube/README.md", "charts/rubato/README.md", *sorted(glob.glob("docs/*.md"))]


def read(*paths):
    texts = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            texts.append(file.read())
    return "\n".join(texts)


def sources(*folders):
    return [path for folder in folders for path in sorted(glob.glob(f"{folder}/**/*.c", recursive=True))]


def differences(what, code, documents, text):
    """What only one of them has; a side without anything means that this test looks in the wrong place."""
    if not code or not documents:
        yield f"no {what} found in {'the code' if not code else text}"
    for name in sorted(code - documents):
        yield f"{text}: lacks the {what} {name}"
    for name in sorted(documents - code):
        yield f"{text}: there is no {what} {name}"


def check_options(program):
    name = os.path.basename(program)
    help_text = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
    reference = read("docs/reference.md")
    common, own = reference.split("\n## ")[0], re.search(rf"\n## {name}\n(.*?)(\n## |$)", reference, re.S)[1]
    rows = "\n".join(line.split("|")[1] for line in own.splitlines() if line.startswith("| `"))
    documents = set(re.findall(r"`(--[a-z-]+)", common + rows))
    yield from differences(f"option of {name}", set(re.findall(r"^  (--[a-z-]+)", help_text, re.M)), documents | {"--help"},
                           "docs/reference.md")


def metrics_of_code():
    names = set(re.findall(r'"(rubato_(?:agent|controller)_[a-z_]+)"', read(*sources("kube", "controller", "agent"))))
    for suffix in re.findall(r'xasprintf\("%s(_[a-z_]+)", prefix\)', read(*sources("lib"))):
        names |= {f"rubato_agent{suffix}", f"rubato_controller{suffix}"}
    return names


def check_metrics():
    pattern = r"\b(rubato_(?:agent|controller)_[a-z_]+[a-z])"
    code = metrics_of_code()
    yield from differences("metric", code, set(re.findall(pattern, read("docs/reference.md"))), "docs/reference.md")
    for path in DOCS:
        if path == "docs/reference.md":
            continue
        for name in sorted(set(re.findall(pattern, read(path))) - code):
            yield f"{path}: there is no metric {name}"


def check_words(what, source, pattern, document, heading):
    """Each word that the pattern finds in the source stands as `word` below the heading."""
    words = set(re.findall(pattern, read(source), re.S))
    section = read(document).split(f"\n## {heading}\n")[1].split("\n## ")[0]
    if not words:
        yield f"no {what} found in {source}"
    for word in sorted(words - set(re.findall(r"`(\w+)`", section))):
        yield f"{document}: lacks the {what} {word}"


def check_reasons():
    conditions = "docs/troubleshooting.md", "What the conditions mean"
    refused = "docs/troubleshooting.md", "An agent is refused"
    yield from check_words("condition", "controller/core/status/status.c", r'condition_add\(\w*&?\w+, "(\w+)"', *conditions)
    yield from check_words("reason", "controller/core/status/status.c", r'\{\s*(?:true|false),\s*"(\w+)"', *conditions)
    yield from check_words("event", "controller/core/status/policy_event.c", r'\{ "(?:Normal|Warning)", "\w+", "(\w+)" \}', "docs/cluster.md",
                           "What one sees")
    yield from check_words("reason", "controller/core/identity/token_review.c", r'\[TOKEN_(?!GOOD)\w+\] = "(\w+)"', *refused)
    yield from check_words("reason", "controller/hub/hub_auth.c", r'(?:TOO_LONG |cert_name, )"(\w+)"', *refused)


def limits_of_code():
    """{name: value} of lib/core/limits.h."""
    text = re.sub(r"/\*.*?\*/|\\\n", "", read("lib/core/limits.h"), flags=re.S)
    return {name: eval(re.sub(r"(?<=\d)[UL]+", "", value), {}) for name, value in re.findall(r"^#define (LIMIT_\w+)\s+(.+?)\s*$", text, re.M)}


def limit_value(text):
    """"1 MiB", "10,000", "24h" as limits.h has it."""
    number, unit = re.fullmatch(r"([\d,]+) ?([A-Za-z]*)", text).groups()
    return int(number.replace(",", "")) * {"": 1, "Hz": 1, "bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20, "s": 10**9, "h": 3600 * 10**9}[unit]


def check_limits():
    code, path = limits_of_code(), "docs/reference.md"
    section = read(path).split("\n## Limits\n")[1].split("\n## ")[0]
    documents = dict(re.findall(r"^\| `(LIMIT_\w+)` \| ([^|]*?) \|", section, re.M))
    yield from differences("limit", set(code), set(documents), path)
    for name in sorted(set(code) & set(documents)):
        if limit_value(documents[name]) != code[name]:
            yield f"{path}: {name} is {code[name]}, not {documents[name]}"


def anchors(path):
    """As GitHub makes them of headings."""
    for heading in re.findall(r"^#+ (.*)", read(path), re.M):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def check_links():
    for path in DOCS:
        for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", read(path)):
            file, _, anchor = target.partition("#")
            there = os.path.normpath(os.path.join(os.path.dirname(path), file)) if file else path
            if not os.path.exists(there):
                yield f"{path}: there is no {target}"
            elif anchor and anchor not in anchors(there):
                yield f"{path}: {there} has no heading for #{anchor}"


# What a test does step by step, in other words.
RUN_OTHERWISE = {"docs/images.md"}


def check_commands():
    """Each block of commands stands below a heading whose blocks a test runs as they are printed."""
    tests = read(*glob.glob("e2e/**/*.py", recursive=True))
    run = re.findall(r'shell_blocks\("([^"]+)", (?:"([^"]+)"|None)\)', tests)
    for path in sorted({*DOCS} - RUN_OTHERWISE - {"CONTRIBUTING.md"}):
        for heading, section in re.findall(r"^## ([^\n]*)\n(.*?)(?=^## |\Z)", "## \n" + read(path), re.S | re.M):
            if "\n```sh\n" in section and not any(file == path and heading.startswith(begin) for file, begin in run):
                yield f"{path}: no test runs the commands below \"{heading}\""


def check_example():
    """The README's program is the one that is linked."""
    source = read("kube/example/follow_pods.c").split("\n", 1)[1]
    if f"```c\n{source}```" not in read("kube/README.md"):
        yield "kube/README.md: its example is not kube/example/follow_pods.c"


def rooms():
    """{folder: its modules}, of everything that is compiled into the programs."""
    found = {}
    for top in ("lib", "kube", "controller", "agent", "bpf"):
        for at, _, names in os.walk(top):
            modules = {name.split(".")[0] for name in names if name.endswith((".c", ".h"))}
            if modules:
                found[at] = modules
    return found


def check_map():
    """The map is the tree: a row for each room, and in it the room's modules."""
    path = "docs/architecture.md"
    rows = re.findall(r"^\| `([a-z/]+)/` \| .* \| ([a-z0-9_ ]+) \|$", read(path), re.M)
    drawn, built = {room: set(modules.split()) for room, modules in rows}, rooms()
    yield from differences("room", set(built), set(drawn), path)
    for room in sorted(set(built) & set(drawn)):
        yield from differences(f"module of {room}/", built[room], drawn[room], path)


def check_files():
    """A file that a document names is there: by its path, or by its name alone."""
    there = {os.path.normpath(os.path.join(at, name)) for at, folders, names in os.walk(".")
             if not at.startswith(("./build", "./.git")) for name in names}
    names = {os.path.basename(path) for path in there}
    for path in sorted({*DOCS} - {"CONTRIBUTING.md"}):  # which speaks of any x.c
        for file in sorted(set(re.findall(r"`([a-z0-9_/.-]+\.(?:[ch]|py|sh|proto))`", read(path)))):
            beside = os.path.normpath(os.path.join(os.path.dirname(path), file))
            if not {file, beside} & there and ("/" in file or file not in names):
                yield f"{path}: there is no file {file}"


def check_functions():
    """A function that the data paths name is there."""
    code = read(*(path for top in ("lib", "kube", "controller", "agent") for path in glob.glob(f"{top}/**/*.[ch]", recursive=True)))
    for name in sorted(set(re.findall(r"`(\w+)\(\)`", read("docs/architecture.md")))):
        if not re.search(rf"\b{name}\(", code):
            yield f"docs/architecture.md: there is no function {name}()"


def main():
    complaints = [*check_metrics(), *check_reasons(), *check_limits(), *check_links(), *check_commands(), *check_map(), *check_files(), *check_functions(), *check_example()]
    for program in sys.argv[1:]:
        complaints += check_options(program)
    print("".join(f"{line}\n" for line in complaints), end="", file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
