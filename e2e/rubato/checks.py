# SPDX-License-Identifier: Apache-2.0
"""One line for each check, and the closing line."""


class Checks:
    """Lines are kept until print_lines(), so that those of cases that run at the same time do not mix."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self._lines = []

    def print_lines(self, title):
        print("\n".join([f"{title}:", *self._lines]), flush=True)

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def check(self, sentence, good, detail=""):
        """Record one fact; `detail` says what was seen.  Returns whether it is good."""
        if good:
            self.passed += 1
        else:
            self.failed += 1
        seen = f"  ({detail})" if detail else ""
        self._lines.append(f"  {'ok    ' if good else 'FAILED'} {sentence}{seen}")
        return bool(good)

    def near(self, sentence, value, goal, tolerance, unit=""):
        """`value` is within tolerance of goal, all in the same unit."""
        return self.check(sentence, abs(value - goal) <= tolerance,
                          f"{value:.3g}{unit}, wanted {goal:.3g} +- {tolerance:.3g}{unit}")

    def skip(self, sentence, why):
        self.skipped += 1
        self._lines.append(f"  skip   {sentence}: {why}")

    def closing_line(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"
