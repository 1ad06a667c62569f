# SPDX-License-Identifier: Apache-2.0
"""What a kubeconfig may say: credential plugins, proxies, names of servers, lists of files; and what a list looks like
on the wire."""

import asyncio
import base64
import gzip
import json
import os
import re
import shutil
import subprocess
import time

from rubato import scope
from rubato.api_server import Pki
from rubato.client_rig import Client
from rubato.kube_scripted import POLICIES
from rubato.proxies import Proxy
from . import until

NEEDS_KERNEL = False
PATIENCE_S = 25
V1 = "client.authentication.k8s.io/v1"
PLUGIN = """#!/bin/sh
echo "$A_WORD $*" >> runs
printf %s "$KUBERNETES_EXEC_INFO" > info
ls /proc/self/fd > fds
. ./behaviour
"""


def encoded(path):
    with open(path, "rb") as file:
        return base64.b64encode(file.read()).decode()


def credential(token, seconds=None):
    """Shell that prints one that ends in so many seconds."""
    end = '"expirationTimestamp": "$(date -u -d "%+d seconds" +%%FT%%TZ)", ' % seconds if seconds else ""
    return f"""cat <<END
{{"apiVersion": "{V1}", "kind": "ExecCredential", "status": {{{end}"token": "{token}"}}}}
END
"""


class WithPlugin(Client):
    """Its plugin does what the file `behaviour` says (shell)."""

    def __init__(self, name, behaviour, **exec_more):
        super().__init__(name)
        self.write("plugin", PLUGIN.replace("./", self.home + "/").replace("> ", f"> {self.home}/"), 0o755)
        self.behave(behaviour)
        self.world.admits = lambda authorization: authorization == "Bearer good"
        self.kubeconfig = self.config({"exec": {
            "apiVersion": V1, "interactiveMode": "Never", "command": "./plugin", "args": ["--of", "me"],
            "env": [{"name": "A_WORD", "value": "hello"}]} | exec_more})

    def behave(self, shell):
        self.write("behaviour", shell)

    def good(self, token="good", seconds=None):
        self.behave(credential(token, seconds))

    def runs(self):
        try:
            with open(self.path("runs"), encoding="ascii") as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()


async def a_plugin_gives_the_token(checks):
    client = WithPlugin("plugin", "", provideClusterInfo=True)
    client.good()
    client.spawn("--kubeconfig", client.kubeconfig, env={"A_WORD": "ours"})
    checks.check("the token of a plugin is used", await until(lambda: client.knows(1), PATIENCE_S),
                 client.controller.last_lines(2))
    checks.check("it gets its arguments, and the kubeconfig's environment before ours", client.runs() == ["hello --of me"],
                 str(client.runs()))
    info = json.loads(client.read("info"))
    checks.check("... and is told of the cluster", info["apiVersion"] == V1 and not info["spec"]["interactive"]
                 and info["spec"]["cluster"] == {"server": client.world.url}, json.dumps(info))
    checks.check("... and inherits no connection", client.read("fds").split() == ["0", "1", "2", "3"],  # 3 is ls's own
                 client.read("fds").split())
    client.world.admits = lambda authorization: authorization == "Bearer better"
    client.good("better")
    client.world.put("b")
    checks.check("refused (401), it is run again", await until(lambda: client.knows(2), PATIENCE_S),
                 client.controller.last_lines(2))
    checks.check("... once", len(client.runs()) == 2, str(len(client.runs())))
    client.finish()


async def a_credential_ends(checks):
    client = WithPlugin("plugin-ends", credential("good", -5))
    client.spawn("--kubeconfig", client.kubeconfig)
    began = time.monotonic()
    said = await until(lambda: "is over already" in client.why_not_ready(), 10)
    await asyncio.sleep(3)
    checks.check("one that is over when it comes is no credential, and not asked for in a loop",
                 said and len(client.runs()) <= 1 + (time.monotonic() - began) / 5, f"{len(client.runs())} runs")
    client.good(seconds=14)
    # Failed runs are further and further apart, and so are the watches' attempts.
    checks.check("one that ends in 14 s serves", await until(lambda: client.knows(1), 2 * PATIENCE_S),
                 client.controller.last_lines(2))
    client.good(seconds=3600)
    before = len(client.runs())
    for name in "bcdefgh":  # each is a status to write, with a token that must be good
        await asyncio.sleep(2)
        client.world.put(name)
    checks.check("... and is fetched anew in time", await until(lambda: client.knows(8), PATIENCE_S)
                 and len(client.runs()) == before + 1, f"{len(client.runs()) - before} runs")
    client.finish()


def fails_in(seconds, what, behaviour, *words, **more):
    return seconds, what, behaviour, words, more


FAILURES = [
    fails_in(5, "is not there", "", "no such file", "get it from example.com", command="rubato-no-such-plugin",
             installHint="get it from example.com"),
    fails_in(5, "fails", "echo 'please log in' >&2; exit 3", "exit status 3", "please log in"),
    fails_in(5, "writes no JSON", "echo '<html>'", "credential plugin", "JSON"),
    fails_in(5, "prints a megabyte", "head -c 1000000 /dev/zero | tr '\\0' x", "wrote more than"),
    fails_in(5, "prints for ever", "yes", "wrote more than"),
    fails_in(34, "hangs, with a child", "sleep 12345 & sleep 12345", "did not end within 30 s"),
]


async def one_failure(checks, seconds, what, behaviour, words, more):
    client = WithPlugin("plugin-fails", behaviour, **more)
    client.spawn("--kubeconfig", client.kubeconfig)
    good = await until(lambda: all(word in client.why_not_ready() for word in words), seconds + 10)
    checks.check(f"a plugin that {what}: /readyz says so", good, client.why_not_ready())
    lag = client.controller.metrics().get("rubato_controller_loop_lag_max_seconds", 9)
    checks.check("... and nothing waited for it", lag < 1, f"{lag:.3f} s")
    if "command" not in more:
        client.good()
        checks.check("... once it works, all is well", await until(lambda: client.knows(1), 2 * seconds + 30),
                     client.controller.last_lines(2))
    client.finish()


def processes_with(word):
    done = subprocess.run(["pgrep", "-fx", word], capture_output=True, text=True, check=False)
    return done.stdout.split()


async def plugins_that_fail(checks):
    await asyncio.gather(*(one_failure(checks, *failure) for failure in FAILURES))
    checks.check("no process of a plugin is left", not processes_with("sleep 12345"), str(processes_with("sleep 12345")))


async def through(checks, client, what, proxy, config, env=None, wanted=True):
    """One start.  `wanted`: by the proxy, or past it."""
    proxy.targets.clear()
    client.spawn("--kubeconfig", config, env=env)
    known = await until(lambda: client.knows(1), PATIENCE_S)
    checks.check(what, known and bool(proxy.targets) == wanted,
                 f"the proxy was asked for {proxy.targets[:2]}; {client.controller.last_lines(2)}")
    client.stop()


async def by_a_proxy(checks):
    client = Client("proxy", tls=True)
    client.world.admits = lambda authorization: authorization == "Bearer secret-token"
    proxy = Proxy({"kubernetes.test": client.world.port}, password="me:pass-word")
    url, named = f"http://me:pass-word@127.0.0.1:{proxy.port}", f"https://kubernetes.test:{client.world.port}"
    how = {"certificate_authority": client.pki.path("ca.crt")}
    user = {"token": "secret-token"}
    plain = client.config(user, "plain", server=named, **how)
    local = client.config(user, "local", server=f"https://127.0.0.1:{client.world.port}",
                          tls_server_name="kubernetes.test", **how)
    own = client.config(user, "own", server=named, proxy_url=url, **how)
    socks = client.config(user, "socks", server=named, proxy_url=f"socks5://127.0.0.1:{proxy.port}", **how)
    await through(checks, client, "$HTTPS_PROXY, with a password", proxy, plain, {"HTTPS_PROXY": url})
    await through(checks, client, "the own machine is reached without", proxy, local, {"HTTPS_PROXY": url}, False)
    await through(checks, client, "proxy-url, whatever $NO_PROXY says", proxy, own, {"NO_PROXY": "*"})
    await through(checks, client, "a SOCKS 5 proxy, which resolves the name", proxy, socks)
    checks.check("the proxy saw no token", "secret-token" not in "".join(proxy.heads))
    text = client.controller.log_text()
    checks.check("the log names the proxy, not its password", f"http://127.0.0.1:{proxy.port}" in text
                 and "pass-word" not in text)
    client.finish()


async def starts(checks, what, client, *argv, env=None):
    client.spawn(*argv, env=env)
    checks.check(what, await until(lambda: client.knows(1), PATIENCE_S), client.controller.last_lines(2))
    client.stop()


async def kubeconfigs(checks):
    client = Client("kubeconfig", tls=True)
    client.serving.load_verify_locations(client.pki.path("ca.crt"))
    client.serving.verify_mode = 2  # a client without a certificate is hung up on
    client.pki.sign("me", "/CN=me")
    server = f"https://127.0.0.1:{client.world.port}"
    ca, certificate = client.pki.path("ca.crt"), {"client-certificate": "pki/me.crt", "client-key": "pki/me.key"}
    as_data = {f"{name}-data": encoded(client.path(path)) for name, path in certificate.items()}
    data = client.config(as_data, "data", server=server, tls_server_name="kubernetes.test",
                         certificate_authority_data=encoded(ca))
    files = client.config(certificate, "files", server=server, tls_server_name="kubernetes.test",
                          certificate_authority="pki/ca.crt")
    os.makedirs(client.path("linked/pki"))
    client.write("elsewhere/real", client_text(files))
    os.symlink(client.path("elsewhere/real"), client.path("linked/config"))
    for name in ("ca.crt", "me.crt", "me.key"):
        os.symlink(client.pki.path(name), client.path(f"linked/pki/{name}"))
    insecure = client.config(as_data, "insecure", server=server, insecure_skip_tls_verify=True)
    first = client.write("first", json.dumps({"clusters": [{"name": "x", "cluster": {
        "server": server, "tls-server-name": "kubernetes.test", "certificate-authority": "pki/ca.crt"}}]}))
    second = client.config(certificate, "second", server="https://127.0.0.1:1")
    await starts(checks, "certificates in the file, and another name for the server", client, "--kubeconfig", data)
    await starts(checks, "certificates beside it", client, "--kubeconfig", files)
    await starts(checks, "... beside the link, not beside what it points at", client,
                 "--kubeconfig", client.path("linked/config"))
    await starts(checks, "insecure-skip-tls-verify", client, "--kubeconfig", insecure)
    await starts(checks, "a list in $KUBECONFIG: the first file wins, one that is not there is left out", client,
                 env={"KUBECONFIG": f"{client.path('nowhere')}:{first}:{second}"})
    away = client.write("away", json.dumps({
        "current-context": "away", "contexts": [{"name": "away", "context": {"cluster": "away"}}],
        "clusters": [{"name": "away", "cluster": {"server": "https://127.0.0.1:1"}}]}))
    await starts(checks, "--context wins over current-context", client, "--context", "x",
                 env={"KUBECONFIG": f"{away}:{first}:{second}"})
    checks.check("no key is in the log", "PRIVATE" not in client.controller.log_text())
    client.finish()


async def authorities(checks):
    if os.geteuid() != 0:
        checks.skip("the cluster's authorities and the system's", "a mount namespace needs root")
        return
    client, other = Client("authorities", tls=True), Pki(scope.temp_dir("rubato-other-"), "other")
    system = client.path("system")
    os.makedirs(system)
    for name in ("ca-certificates.crt", "one.pem"):
        shutil.copy(client.pki.path("ca.crt"), f"{system}/{name}")
    subprocess.run(["openssl", "rehash", system], check=True, capture_output=True)
    wrap = ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/ssl/certs && exec "$@"', system]
    how = {"server": f"https://127.0.0.1:{client.world.port}", "tls_server_name": "kubernetes.test"}
    client.spawn("--kubeconfig", client.config(name="none", **how), wrap=wrap)
    checks.check("without an authority in the kubeconfig, the system's are trusted",
                 await until(lambda: client.knows(1), PATIENCE_S), client.controller.last_lines(2))
    client.stop()
    client.spawn("--kubeconfig", client.config(name="other", certificate_authority=other.path("ca.crt"), **how), wrap=wrap)
    checks.check("with one, they are not", await until(lambda: "certificate" in client.why_not_ready(), PATIENCE_S)
                 and not client.knows(1), client.why_not_ready())
    client.finish()


def client_text(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def says(client, config, env=None):
    """What the controller says when it cannot start."""
    done = subprocess.run(client.argv(*(("--kubeconfig", config) if config else ())), capture_output=True, text=True,
                          timeout=20, check=False, env=os.environ | (env or {}))
    return done.stderr + done.stdout if done.returncode else "it did start"


async def wrong_kubeconfigs(checks):
    client = Client("wrong", tls=True)
    client.pki.sign("me", "/CN=me")
    client.pki.sign("you", "/CN=you")
    ca, me = client.pki.path("ca.crt"), client.pki.path("me.crt")
    empty = client.write("empty", "")
    for words, user, cluster in (
            ("auth-provider: is no longer supported.*use exec", {"auth-provider": {"name": "gcp"}}, {}),
            ("insecure-skip-tls-verify and a certificate-authority.*take one of them out", {},
             {"insecure_skip_tls_verify": True, "certificate_authority": ca}),
            ("nowhere.crt", {}, {"certificate_authority": "nowhere.crt"}),
            ("there is no certificate", {}, {"certificate_authority": client.pki.path("ca.key")}),
            ("the client's key is not that of", {"client-certificate": me, "client-key": client.pki.path("you.key")}, {}),
            ("token", {"tokenFile": empty}, {}),
            ("proxy-url: is not", {}, {"proxy_url": "ftp://x"}),
            ("a daemon has nobody to ask",
             {"exec": {"apiVersion": V1, "command": "x", "interactiveMode": "Always"}}, {})):
        text = says(client, client.config(user, "wrong", **cluster))
        checks.check(f"refused at the start: {words.split('.*')[0]}", re.search(words, text), text.strip()[-250:])
    text = says(client, None, {"KUBECONFIG": f"{client.path('a')}:{client.path('b')}"})
    checks.check("refused at the start: no file of a list is there", "none of these files is there" in text, text[-250:])
    text = says(client, None, {"HOME": client.home, "KUBECONFIG": "", "KUBERNETES_SERVICE_HOST": ""})
    checks.check("refused at the start: no kubeconfig at all", "there is no kubeconfig" in text, text[-250:])
    client.finish()


def pages(busy_at, requests):
    """No streams; a list in pages of one item, and the server is too busy for one of them, once."""
    busy = [True]

    def fault(request):
        world = request.server.world
        if request.query("sendInitialEvents"):
            request.refuse(422, "Invalid")
            return True
        if request.query("watch"):
            return False
        at = int(request.query("continue") or 0)
        requests.append((at, time.monotonic(), request.headers["Accept-Encoding"]))
        if at == busy_at and busy:
            busy.clear()
            request.refuse(429, "TooManyRequests", Retry_After="3")
            return True
        with world.lock:
            items, version = list(world.objects.values()), str(world.version)
        more = {"continue": str(at + 1)} if at + 1 < len(items) else {}
        reply_gzip(request, {"metadata": {"resourceVersion": version} | more, "items": items[at:at + 1]})
        return True
    return fault


def reply_gzip(request, body):
    data = json.dumps(body).encode()
    packed = "gzip" in (request.headers["Accept-Encoding"] or "")
    data = gzip.compress(data) if packed else data
    request.send_response(200)
    request.send_header("Content-Length", str(len(data)))
    if packed:
        request.send_header("Content-Encoding", "gzip")
    request.end_headers()
    request.wfile.write(data)


async def lists_on_the_wire(checks):
    client, requests = Client("lists"), []
    for name in "bcde":
        client.world.put(name)
    client.world.fault = pages(3, requests)
    client.spawn("--kubeconfig", client.config())
    checks.check("a paged list is read", await until(lambda: client.knows(5), PATIENCE_S), client.controller.last_lines(2))
    checks.check("a page that was refused (429) is asked for again, and none before it",
                 [at for at, _, _ in requests] == [0, 1, 2, 3, 3, 4], str([at for at, _, _ in requests]))
    waited = requests[4][1] - requests[3][1] if len(requests) > 4 else 0
    checks.check("... after Retry-After", waited >= 2.9, f"{waited:.1f} s")
    checks.check("lists come compressed", all(how == "gzip" for _, _, how in requests), str(requests[:1]))
    client.stop()
    requests.clear()
    client.world.fault = pages(None, requests)
    client.spawn("--kubeconfig", client.config(disable_compression=True))
    checks.check("... unless the kubeconfig says disable-compression", await until(lambda: client.knows(5), PATIENCE_S)
                 and not any(how for _, _, how in requests), str(requests[:1]))
    client.finish()


async def a_token_file_is_read_every_minute(checks):
    client = Client("minute")
    token = client.write("token", "old\n")
    client.spawn("--kubeconfig", client.config({"tokenFile": "token"}))
    await until(lambda: client.knows(1), PATIENCE_S)
    os.unlink(token)
    began = time.monotonic()
    seen = client.world.seen
    for nr in range(70):  # each makes the controller write a status
        if nr == 5:
            client.write("token", "new\n")
        if seen and seen[-1][1]["Authorization"] == "Bearer new":
            break
        client.world.put("a", hz=10 + nr)
        client.world.objects["a"]["metadata"]["generation"] = nr + 2
        await asyncio.sleep(1)
    took = time.monotonic() - began
    checks.check("a new token is used within a minute, without a refusal", seen[-1][1]["Authorization"] == "Bearer new"
                 and took < 62, f"{took:.0f} s")
    client.finish()


CASES = [a_plugin_gives_the_token, a_credential_ends, plugins_that_fail, by_a_proxy, kubeconfigs, authorities,
         wrong_kubeconfigs, lists_on_the_wire, a_token_file_is_read_every_minute]
