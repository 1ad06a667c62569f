# SPDX-License-Identifier: Apache-2.0
"""One line for each check, and the closing line."""


class Checks:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def check(self, sentence, good, detail=""):
        """Record one fact; `detail` says what was seen.  Returns whether it is good."""
        if good:
            self.passed += 1
        else:
            self.failed += 1
        seen = f"  ({detail})" if detail else ""
        print(f"  {'ok    ' if good else 'FAILED'} {sentence}{seen}", flush=True)
        return bool(good)

    def near(self, sentence, value, goal, tolerance, unit=""):
        """`value` is within tolerance of goal, all in the same unit."""
        return self.check(sentence, abs(value - goal) <= tolerance,
                          f"{value:.3g}{unit}, wanted {goal:.3g} +- {tolerance:.3g}{unit}")

    def within(self, sentence, value, goal, percent):
        ratio = value / goal if goal else float("inf")
        return self.check(sentence, abs(ratio - 1) * 100 <= percent,
                          f"{value:.2f} of {goal:.2f}, {100 * (ratio - 1):+.1f} %")

    def skip(self, sentence, why):
        self.skipped += 1
        print(f"  skip   {sentence}: {why}", flush=True)

    def closing_line(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"
