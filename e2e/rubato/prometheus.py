# SPDX-License-Identifier: Apache-2.0
"""A real Prometheus (Debian's) that scrapes daemons, on loopback."""

import json
import os
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import yaml

from . import scope
from .daemons import REPO, free_port, wait_until


def directory():
    """Where prometheus and promtool lie, or None."""
    done = subprocess.run([os.path.join(REPO, "tests", "prometheus.sh")], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=180, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


class Prometheus:
    def __init__(self, home, targets, rules):
        """`targets` is {job: port}."""
        self.port = free_port()
        config = {"global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "rule_files": [rules],
                  "scrape_configs": [{"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{port}"], "labels": {"namespace": "rubato-system"}}],
                                      "honor_labels": True} for job, port in targets.items()]}
        path = os.path.join(home, "prometheus.yaml")
        with open(path, "w", encoding="utf-8") as file:
            yaml.safe_dump(config, file)
        with open(os.path.join(home, "prometheus.log"), "wb") as log:
            self.process = subprocess.Popen([os.path.join(directory(), "prometheus"), f"--config.file={path}", f"--storage.tsdb.path={home}/tsdb",
                                             f"--web.listen-address=127.0.0.1:{self.port}"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        scope.on_exit(self.stop)
        if not wait_until(lambda: self._get("/-/ready") is not None, 30, 0.2):
            raise RuntimeError(f"prometheus does not become ready; its log is in {home}")

    def stop(self):
        scope.end_process(self.process, 10)

    def _get(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.read().decode() if error.code == 400 else None
        except OSError:
            return None

    def query(self, text):
        """([the samples], what is wrong with it or "")."""
        answer = json.loads(self._get("/api/v1/query?" + urllib.parse.urlencode({"query": text})) or "{}")
        if answer.get("status") != "success":
            return [], answer.get("error", "no answer")
        return answer["data"]["result"], ""

    def rules(self):
        """{alert: its state and health}"""
        answer = json.loads(self._get("/api/v1/rules"))
        return {rule["name"]: rule for group in answer["data"]["groups"] for rule in group["rules"]}
