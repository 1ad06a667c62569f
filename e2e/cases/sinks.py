# SPDX-License-Identifier: Apache-2.0
"""Profiles that are pushed: backends that answer as a script says, and the agent's files beside as the measure.  (The agents of
cases that run at the same time see each other's pods, as "_unknown".)"""

import asyncio
import os
import re
import subprocess
import time

from rubato import scope
from rubato.daemons import BUILD, REPO
from rubato.rig import NODE, Rig
from rubato.sink_server import SinkServer, identity, reset, server_tls, trickle
from . import until

OK = (200, {}, b"{}")
LABELS = {"__name__": "process_cpu", "service_name": "payments/app", "namespace": "payments", "pod": "p", "container": "app",
          "node": NODE, "cluster": "e2e", "workload": "settlement"}


def metric(rig, name, **labels):
    inside = ",".join(f'{key}="{value}"' for key, value in labels.items())
    return rig.agent.metrics().get(f"rubato_agent_push_{name}{{{inside}}}", 0)


def same(rig, backend, namespaces):
    """(missing, twice): what the files have and the backend has not, and what it has more than once."""
    took = [identity(p) for p in backend.profiles() if p.namespace in namespaces]
    files = {identity(p) for p in rig.profiles() if p.namespace in namespaces}
    return len(files - set(took)), len(took) - len(set(took))


def check_same(checks, sentence, rig, backend, *namespaces):
    missing, twice = same(rig, backend, namespaces)
    nr = sum(p.namespace in namespaces for p in backend.profiles())
    checks.check(sentence, missing == 0 and twice == 0 and nr > 0, f"{nr} profiles, {missing} missing, {twice} twice")


# --- each answer by its rule ---

TROUBLE = {
    "limited": lambda nr: (429, {"Retry-After": "3"}, b"") if nr < 2 else (204, {}, b""),
    "content": lambda nr: (400, {}, b'{"code":"invalid_argument","message":"bad"}') if nr == 0 else OK,
    "unusable": lambda nr: (422, {}, b"no") if nr == 0 else OK,
    "aged": lambda nr: (400, {}, b'{"code":"invalid_argument","message":"outside of ingestion window"}') if nr == 0 else OK,
    "large": lambda nr: (413, {}, b"") if nr == 0 else OK,
    "broken": lambda nr: (500, {}, b"oops") if nr < 2 else OK,
    "moved": lambda nr: (307, {"Location": "http://127.0.0.1:1/"}, b""),
    "denied": lambda nr: (401, {}, b""),
    "fine": lambda nr: OK,
}


async def each_answer_by_its_rule(checks):
    backend = SinkServer(lambda request, nr: TROUBLE.get(request.tenant, TROUBLE["fine"])(nr))
    rig = Rig("sinks-answers", window="1s", extra=["--sink-pyroscope", backend.url, "--sink-pyroscope-tenant", "{namespace}"]).start()
    for namespace in TROUBLE:
        rig.pod(namespace, "p").burn(8)
    await until(lambda: len(backend.of("broken")) > 4 and len(backend.of("limited")) > 3, 40)
    await asyncio.sleep(2)
    dropped = {why: metric(rig, "dropped_total", sink="pyroscope", reason=why) for why in ("rejected", "too_old", "too_large")}
    limited = metric(rig, "requests_total", sink="pyroscope", result="rate_limited")
    rig.finish()
    check_same(checks, "one that takes everything has every profile, once", rig, backend, "fine")
    check_same(checks, "429 with Retry-After, twice: nothing is lost", rig, backend, "limited")
    check_same(checks, "500, twice: nothing is lost", rig, backend, "broken")
    checks.check("... and 429s are counted", limited == 2, f"{limited:g}")
    waits = [later.at - one.at for one, later in zip(backend.of("limited"), backend.of("limited")[1:3])]
    checks.check("... and each is waited for as it said, 3 s", all(3 <= wait < 6 for wait in waits), ", ".join(f"{wait:.2f} s" for wait in waits))
    refused = {"content": "rejected", "unusable": "rejected", "aged": "too_old", "large": "too_large"}
    wanted = dict.fromkeys(dropped, 0)
    for namespace, why in refused.items():
        missing, twice = same(rig, backend, {namespace})
        wanted[why] += missing
        first = len(backend.of(namespace)[0].series)
        checks.check(f"{namespace}: what is refused by itself is dropped and not sent again; the others are there",
                     missing == (1 if first == 1 else 0) and twice == 0, f"{missing} missing, {twice} twice, the first request had {first}")
    checks.check("... and counted by reason", dropped == wanted and sum(wanted.values()) > 0, str(dropped))
    times = {namespace: len(backend.of(namespace)) for namespace in ("moved", "denied")}
    checks.check("a redirect is not followed, and 401 not hammered at", times == {"moved": 1, "denied": 1}, str(times))
    checks.check("a request is of one tenant", all(r.namespaces == {r.tenant} for r in backend.requests))
    text = rig.agent.log_text()
    checks.check("the log says it in words", "HTTP 429" in text or "HTTP 400" in text or "HTTP 401" in text or "HTTP 307" in text
                 or "HTTP 500" in text or "HTTP 413" in text or "HTTP 422" in text)


# --- away, and back; the agent with it ---

def _awkward():
    """The first three requests: no answer, an answer that breaks off, one that comes late and piece by piece."""
    seen = []

    def script(request, nr, handler):
        seen.append(nr)
        if len(seen) == 1:
            time.sleep(33)
            return None
        if len(seen) == 2:
            reset(handler)
            return None
        if len(seen) == 3:
            trickle(handler)
        return OK
    return script


async def a_backend_that_is_away(checks):
    spare = SinkServer()  # a port that nobody else takes meanwhile
    port, url = spare.port, spare.url
    spare.stop()
    spool = scope.temp_dir("rubato-spool-")
    rig = Rig("sinks-away", window="1s", extra=["--sink-pyroscope", url, "--sink-spool", spool])
    rig.start()
    rig.pod("payments", "p").burn(8)
    rig.pod("shop", "s").burn(8)
    await asyncio.sleep(8)
    checks.check("nobody listens: the agent samples, and is ready", rig.agent.ready() and len(rig.profiles("payments")) > 3)
    waiting = metric(rig, "queue_profiles", sink="pyroscope")
    unreachable = metric(rig, "requests_total", sink="pyroscope", result="unreachable")
    checks.check("... profiles wait, and are counted; so are attempts, which are few", waiting > 6 and 1 <= unreachable < 12,
                 f"{waiting:g} profiles, {unreachable:g} attempts")
    rig.agent.stop()
    left = os.listdir(f"{spool}/pyroscope")
    checks.check("the agent ends: they lie in the spool", len(left) >= waiting, f"{len(left)} files")
    with open(f"{spool}/pyroscope/notes.txt", "w", encoding="ascii") as file:
        file.write("not a profile\n")
    backend = SinkServer(_awkward(), port=port)
    rig.agent.start()
    await until(lambda: metric(rig, "profiles_total", sink="pyroscope") > waiting, 100)
    await until(lambda: metric(rig, "queue_profiles", sink="pyroscope") < 5, 20)
    rig.finish()
    check_same(checks, "a new agent, and a backend that hangs and breaks off first: every profile arrives, once", rig, backend,
               "payments", "shop")
    checks.check("... the spool is empty but for what is not ours", os.listdir(f"{spool}/pyroscope") == ["notes.txt"])
    checks.check("... the log says when it was over", "the backend takes profiles again" in rig.agent.log_text())


# --- who we are ---

async def credentials(checks):
    home = Rig("sinks-tls", window="1s")
    certs = f"{home.home}/certs"
    secured = SinkServer(lambda request, nr: OK if request.headers.get("Authorization") in allowed else (401, {}, b""),
                         tls=server_tls(certs, need_client=True))
    plain = SinkServer()
    allowed = ["Bearer first", "Bearer second"]
    secret = {name: f"{home.home}/{name}" for name in ("token", "password")}
    for path, text in ((secret["token"], "first\n"), (secret["password"], "open sesame\n")):
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
    home.agent.argv += ["--sink-pyroscope", secured.url, "--sink-pyroscope-tls-ca", f"{certs}/ca.crt",
                        "--sink-pyroscope-tls-cert", f"{certs}/{NODE}.crt", "--sink-pyroscope-tls-key", f"{certs}/{NODE}.key",
                        "--sink-pyroscope-token-file", secret["token"],
                        "--sink-parca", plain.url, "--sink-parca-user", "ali", "--sink-parca-password-file", secret["password"],
                        "--sink-parca-header", "X-Team: money", "--sink-parca-tenant", "all", "--sink-label", "cluster=e2e"]
    home.start()
    pod = home.pod("payments", "p", announce=False, labels={"pod-template-hash": "7d4b9c"}).burn(10)
    manifest = pod.manifest(NODE)
    manifest["metadata"]["ownerReferences"] = [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "settlement-7d4b9c", "uid": "1",
                                                "controller": True}]
    home.write("pod-payments-p", manifest)
    await until(lambda: len(secured.requests) > 1, 15)
    with open(secret["token"], "w", encoding="ascii") as file:
        file.write("second\n")
    allowed.remove("Bearer first")
    seen = len(secured.requests)
    await until(lambda: len(secured.requests) > seen + 2, 15)
    home.finish()
    check_same(checks, "TLS with a client certificate and a token that is rotated: every profile arrives, once", home, secured,
               pod.namespace)
    checks.check("... by the new token", secured.requests[-1].headers["Authorization"] == "Bearer second")
    check_same(checks, "two sinks at once beside the files: the other has every profile, too", home, plain, pod.namespace)
    headers = plain.requests[0].headers
    checks.check("... with basic authentication, the header and the tenant it was told",
                 (headers["Authorization"], headers["X-Team"], plain.requests[0].tenant) == ("Basic YWxpOm9wZW4gc2VzYW1l", "money", "all"))
    seen = [labels for request in secured.requests for labels, _ in request.series if labels["namespace"] == pod.namespace]
    checks.check("labels are those of the backends' conventions", seen and all(labels == LABELS for labels in seen), str(seen[:1]))
    checks.check("profiles bear no labels on their samples", not any(found for p in secured.profiles() for _, _, found in p.samples()))
    faults = [fault for p in [*secured.profiles(), *plain.profiles()] for fault in p.faults()]
    checks.check("a strict reader objects to nothing", not faults, str(faults[:3]))


async def the_configurations_of_the_documents_are_good(checks):
    with open(os.path.join(REPO, "docs", "backends.md"), encoding="utf-8") as file:
        blocks = re.findall(r"^```yaml\n(.*?)^```", file.read(), re.S | re.M)
    home = scope.temp_dir("rubato-backends-")
    for number, block in enumerate(blocks):
        for path in re.findall(r"/etc/rubato/[\w-]+", block):
            with open(os.path.join(home, os.path.basename(path)), "w", encoding="ascii") as file:
                file.write("secret\n")
        config = os.path.join(home, f"{number}.yaml")
        with open(config, "w", encoding="ascii") as file:
            file.write(block.replace("/etc/rubato", home))
        seen = subprocess.run([os.path.join(BUILD, "rubato-agent"), "--config", config, "--check"], capture_output=True, text=True, timeout=10,
                              check=False)
        checks.check(f"docs/backends.md, configuration {number + 1} of {len(blocks)}: --check finds it good",
                     seen.returncode == 0 and "the settings are good" in seen.stdout, seen.stderr.strip())


CASES = [the_configurations_of_the_documents_are_good, each_answer_by_its_rule, a_backend_that_is_away, credentials]
