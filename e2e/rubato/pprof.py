# SPDX-License-Identifier: Apache-2.0
"""A small reader of pprof files, independent of the code that writes them."""

import functools
import gzip
import os
import re
from collections import Counter


def _varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def fields(data):
    """(field number, int or bytes) of one message of protobuf."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        if key & 7 == 0:
            value, at = _varint(data, at)
        elif key & 7 == 2:
            size, at = _varint(data, at)
            value, at = data[at : at + size], at + size
            if len(value) != size:
                raise ValueError("a field ends behind the file")
        else:
            raise ValueError(f"wire type {key & 7}")
        yield key >> 3, value


def _numbers(value):
    """A repeated number, packed or not."""
    if isinstance(value, int):
        return [value]
    numbers, at = [], 0
    while at < len(value):
        number, at = _varint(value, at)
        numbers.append(number)
    return numbers


class Profile:
    """One file.  Stacks are tuples of function names, leaf first."""

    def __init__(self, path):
        self.path = path
        self.period = self.time_ns = self.duration_ns = 0
        self.default_type = 0
        self._strings, self._types, self._period_type = [], [], b""
        self._samples, self._lines, self._names, self.mappings = [], {}, {}, 0
        self._ids = {3: [], 4: [], 5: []}
        with gzip.open(path) as file:
            for number, value in fields(file.read()):
                self._top_level(number, value)

    def _top_level(self, number, value):
        if number == 1:
            self._types.append(dict(fields(value)))
        elif number == 2:
            self._samples.append(value)
        elif number in (3, 4, 5):
            self._ids[number].append(self._entry(number, value))
        elif number == 6:
            self._strings.append(value.decode("utf-8"))
        elif number == 9:
            self.time_ns = value
        elif number == 10:
            self.duration_ns = value
        elif number == 11:
            self._period_type = dict(fields(value))
        elif number == 12:
            self.period = value

    def _entry(self, number, value):
        found = list(fields(value))
        ident = dict(found)[1]
        if number == 4:
            self._lines[ident] = [dict(fields(v)).get(1, 0) for n, v in found if n == 4]
        elif number == 5:
            self._names[ident] = dict(found).get(2, 0)
        return ident

    # What the path says: DIR/NAMESPACE/POD/CONTAINER/TIME-ID-RATEhz.pb.gz
    @property
    def namespace(self):
        return self.path.split(os.sep)[-4]

    @property
    def pod(self):
        return self.path.split(os.sep)[-3]

    @property
    def container(self):
        return self.path.split(os.sep)[-2]

    @property
    def file_rate_hz(self):
        return int(re.search(r"-(\d+)hz\.pb\.gz$", self.path)[1])

    # What the contents say.
    @property
    def rate_hz(self):
        return round(1e9 / self.period)

    @property
    def end_ns(self):
        return self.time_ns + self.duration_ns

    @property
    def sample_types(self):
        return [(self._strings[t[1]], self._strings[t[2]]) for t in self._types]

    def samples(self):
        """(stack, value, labels) of each sample."""
        for raw in self._samples:
            locations, values, labels = [], [], {}
            for number, value in fields(raw):
                if number == 1:
                    locations += _numbers(value)
                elif number == 2:
                    values += _numbers(value)
                elif number == 3:
                    label = dict(fields(value))
                    labels[self._strings[label[1]]] = self._strings[label.get(2, 0)]
            stack = tuple(self._name(f) for loc in locations for f in self._lines[loc] or [0])
            yield stack, values[0], labels

    def _name(self, function):
        return self._strings[self._names[function]] if function else "?"

    @functools.cache
    def cpu_ns(self):
        return sum(value for _, value, _ in self.samples())

    def faults(self):
        """What a strict reader would object to."""
        found = []
        if not self._strings or self._strings[0] != "":
            found.append("string_table[0] is not empty")
        for kind, ids in zip(("mapping", "location", "function"), self._ids.values()):
            if ids != list(range(1, len(ids) + 1)):
                found.append(f"{kind} ids are not 1..N")
        if self.sample_types != [("cpu", "nanoseconds")]:
            found.append(f"sample types {self.sample_types}")
        if self.file_rate_hz != self.rate_hz:
            found.append(f"named {self.file_rate_hz} Hz but of period {self.period}")
        if self.duration_ns <= 0 or self.time_ns <= 0:
            found.append("no time or no duration")
        if any(value < 0 or value >= 1 << 63 for _, value, _ in self.samples()):
            found.append("a negative value")
        return found


def read_all(directory):
    """Every profile below the directory, in the order of time."""
    profiles = []
    for path, _, names in os.walk(directory):
        profiles += [Profile(os.path.join(path, n)) for n in names if n.endswith(".pb.gz")]
    return sorted(profiles, key=lambda p: (p.time_ns, p.path))


def cpu_seconds(profiles):
    return sum(p.cpu_ns() for p in profiles) / 1e9


def rates(profiles):
    """The rates in the order of time, repetitions left out."""
    seen = []
    for profile in profiles:
        if not seen or seen[-1] != profile.rate_hz:
            seen.append(profile.rate_hz)
    return seen


def span(profiles, rate_hz):
    """(first moment, last moment) in ns of what was sampled at that rate, or None."""
    at_rate = [p for p in profiles if p.rate_hz == rate_hz]
    if not at_rate:
        return None
    return min(p.time_ns for p in at_rate), max(p.end_ns for p in at_rate)


def flat(profiles):
    """CPU ns by leaf function."""
    counts = Counter()
    for profile in profiles:
        for stack, value, _ in profile.samples():
            counts[stack[0] if stack else "?"] += value
    return counts


def cumulative(profiles):
    """CPU ns by function, wherever it stands in the stack."""
    counts = Counter()
    for profile in profiles:
        for stack, value, _ in profile.samples():
            for name in set(stack):
                counts[name] += value
    return counts
