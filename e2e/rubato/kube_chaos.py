# SPDX-License-Identifier: Apache-2.0
"""A small cluster of every kind of object, and what happens to it at random, the same for the same seed.

Few names, so that objects are often replaced by others of the same name."""

from . import kube_objects
from .kube_mischief import FLEETING, silent, times
from .kube_objects import CLUSTER_POLICIES, KINDS, NAMESPACES, NODES, POLICIES, PODS

TEAMS = ["a", "b", "c"]
PLACES = ["payments", "search"]
MACHINES = ["n1", "n2", None]


class Chaos:
    def __init__(self, world, random):
        self.world, self.random, self.made = world, random, 0

    def fresh(self):
        self.made += 1
        return self.made

    def uid(self, resource, key):
        """The same while the object is there; now and then it was deleted and made anew meanwhile."""
        old = self.world.things[resource].get(key)
        if old and self.random.random() < 0.9:
            return old["metadata"]["uid"]
        return f"uid-{self.fresh()}"

    def labels(self):
        return {key: self.random.choice("xyz") for key in ("app", "tier") if self.random.random() < 0.7}

    def pod(self):
        pick, name, ns = self.random.choice, f"pod-{self.random.randrange(12)}", self.random.choice(PLACES)
        return kube_objects.pod(name, ns, pick(MACHINES), self.uid(PODS, f"{ns}/{name}"), self.labels(),
                                [pick([None, "0a", "0b"]) for _ in range(self.random.randrange(1, 4))],
                                pick(["Pending", "Running", "Running", "Succeeded"]), pick([None, "t\u00e9mpo"]))

    def policy(self):
        name, more = f"policy-{self.random.randrange(6)}", {}
        if self.random.random() < 0.5:
            more = {"selector": {"matchLabels": {"app": self.random.choice("xyz")}}, "reason": "\u00e9\U0001f600" * 20}
        return kube_objects.policy(name, generation=self.fresh(), uid=self.uid(POLICIES, name),
                                   sampleRateHz=self.random.randrange(200), **more)

    def make(self, resource):
        if resource == PODS:
            return self.pod()
        if resource == POLICIES:
            return self.policy()
        if resource == CLUSTER_POLICIES:
            return kube_objects.cluster_policy(f"cluster-{self.random.randrange(3)}", self.fresh(), self.labels())
        name = self.random.choice(PLACES + TEAMS) if resource == NAMESPACES else f"n{self.random.randrange(4)}"
        return kube_objects.body(resource, name, uid=self.uid(resource, name), labels=self.labels())

    def change(self, resource):
        """Something is made, changed or deleted."""
        with self.world.lock:
            things = self.world.things[resource]
            if things and self.random.random() < 0.25:
                self.world.remove(resource, self.random.choice(sorted(things)))
            else:
                self.world.add(resource, self.make(resource))

    def change_all(self, nr):
        for resource in KINDS:
            for _ in range(nr):
                self.change(resource)

    def disturb(self):
        """The server does something to one resource.  Returns what."""
        resource = self.random.choice(list(KINDS))
        if self.random.random() < 0.15:
            self.world.mute(resource)
            return f"{resource}: the stream says nothing any more"
        sentence, fault = self.random.choice([*FLEETING, ("200 and nothing more", lambda: times(1, silent))])
        self.world.faults[resource] = fault()
        self.world.cut(resource)
        return f"{resource}: {sentence}"
