# SPDX-License-Identifier: Apache-2.0
"""What is in an image, for scanners: a CycloneDX bill of materials from the package database, and an OpenVEX document.

Fixed are the CVEs that the packages' own Debian changelogs name; vex.json says which others do not touch us, and why."""

import glob
import gzip
import hashlib
import json
import os
import re
import uuid
from datetime import datetime, timezone

HERE = os.path.dirname(os.path.abspath(__file__))


def _time(epoch):
    return datetime.fromtimestamp(epoch, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _sha256(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def _one_name(path):
    """Debian's /lib is /usr/lib, whatever a package's list says."""
    return re.sub(r"^/lib", "/usr/lib", path)


class Packages:
    """The package database of a Debian below `root`."""

    def __init__(self, root):
        self.root = root
        with open(f"{root}/var/lib/dpkg/status", encoding="utf-8") as file:
            stanzas = file.read().strip().split("\n\n")
        fields = (dict(re.findall(r"^([A-Za-z-]+): (.*)$", stanza, re.M)) for stanza in stanzas)
        self.by_name = {f["Package"]: f for f in fields if f.get("Status", "").endswith(" installed")}
        self._owner = {}
        for path in glob.glob(f"{root}/var/lib/dpkg/info/*.list"):
            name = os.path.basename(path)[:-5].split(":")[0]
            with open(path, encoding="utf-8") as file:
                for line in file.read().splitlines():
                    self._owner.setdefault(_one_name(line), name)

    def of(self, path):
        """The package that a file is of, or None.  A library may be there under the name of a link to it."""
        if owner := self._owner.get(_one_name(path)):
            return owner
        real = os.path.realpath(self.root + path)
        return self._owner.get(_one_name(real[len(self.root):])) if real.startswith(self.root) else None

    def source(self, name):
        return self.by_name[name].get("Source", name).split()[0]

    def purl(self, name):
        fields = self.by_name[name]
        version = fields["Version"].replace(":", "%3A").replace("+", "%2B").replace("~", "~")
        return f"pkg:deb/debian/{name.replace('+', '%2B')}@{version}?arch={fields['Architecture']}&distro=debian-13&upstream={self.source(name)}"

    def _doc(self, name, file):
        return f"{self.root}/usr/share/doc/{name}/{file}"

    def licenses(self, name):
        try:
            with open(self._doc(name, "copyright"), encoding="utf-8", errors="replace") as file:
                return sorted(set(re.findall(r"^License: *(\S.*)$", file.read(), re.M)))
        except OSError:
            return []

    def fixed(self, name):
        """The CVEs that its changelog says are fixed."""
        for file in ("changelog.Debian.gz", "changelog.gz"):
            if os.path.exists(path := self._doc(name, file)):
                with gzip.open(path, "rt", encoding="utf-8", errors="replace") as text:
                    return sorted(set(re.findall(r"CVE-\d{4}-\d{4,}", text.read())))
        return []


def contents(tree):
    """The files of an image, as they are called in it, in order."""
    return sorted(os.path.join(at, name)[len(tree):] for at, _, names in os.walk(tree) for name in names
                  if not os.path.islink(os.path.join(at, name)))


class Bill:
    def __init__(self, packages, tree, image, version, epoch):
        self.packages, self.tree, self.image, self.version, self.epoch = packages, tree, image, version, epoch
        self.files = contents(tree)
        self.names = sorted({name for path in self.files if (name := packages.of(path))})

    def unknown(self):
        """Files that are neither ours nor a package's."""
        return [path for path in self.files if not self.packages.of(path) and not self._is_made(path)]

    def _is_made(self, path):
        """By our build, or by a package's installation (the bundle of authorities)."""
        return path.startswith("/usr/bin/rubato-") or path == "/etc/ssl/certs/ca-certificates.crt"

    def purl(self):
        return f"pkg:oci/{self.image}@{self.version}"

    def cyclonedx(self):
        own = [{"type": "file", "name": path, "hashes": [{"alg": "SHA-256", "content": _sha256(self.tree + path)}]}
               for path in self.files if self._is_made(path)]
        debian = [{"type": "library", "name": name, "version": self.packages.by_name[name]["Version"],
                   "bom-ref": self.packages.purl(name), "purl": self.packages.purl(name),
                   "supplier": {"name": self.packages.by_name[name]["Maintainer"]},
                   "licenses": [{"license": {"name": text}} for text in self.packages.licenses(name)],
                   "properties": [{"name": "file", "value": path} for path in self.files if self.packages.of(path) == name]}
                  for name in self.names]
        image = {"type": "container", "name": self.image, "version": self.version, "bom-ref": self.purl(), "purl": self.purl(),
                 "licenses": [{"license": {"id": "Apache-2.0"}}]}
        bill = {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
                "metadata": {"timestamp": _time(self.epoch), "component": image}, "components": own + debian,
                "dependencies": [{"ref": self.purl(), "dependsOn": [c["bom-ref"] for c in debian]}]}
        digest = hashlib.sha256(json.dumps(bill, sort_keys=True).encode()).hexdigest()
        return {**bill, "serialNumber": f"urn:uuid:{uuid.UUID(digest[:32], version=4)}"}

    def _statement(self, cve, names, **status):
        return {"vulnerability": {"name": cve}, "products": [
            {"@id": self.purl(), "subcomponents": [{"@id": self.packages.purl(name)} for name in names]}], **status}

    def openvex(self):
        with open(os.path.join(HERE, "vex.json"), encoding="utf-8") as file:
            notes = json.load(file)
        statements, fixed = [], {}
        for name in self.names:
            for cve in self.packages.fixed(name):
                fixed.setdefault(cve, []).append(name)
        for note in notes:
            names = [name for name in self.names if self.packages.source(name) == note["source"]]
            for cve in note["cves"] if names else ():
                if cve not in fixed:
                    statements.append(self._statement(cve, names, status="not_affected", justification=note["justification"],
                                                      impact_statement=note["why"]))
        statements += [self._statement(cve, names, status="fixed") for cve, names in sorted(fixed.items())]
        return {"@context": "https://openvex.dev/ns/v0.2.0", "@id": f"urn:rubato:vex:{self.image}:{self.version}",
                "author": "rubato", "timestamp": _time(self.epoch), "version": 1, "statements": statements}
