# SPDX-License-Identifier: Apache-2.0
"""A table that is drawn again in place on a terminal, and line by line elsewhere."""

import os
import sys
import time


class Screen:
    def __init__(self, line_every_s=3):
        self.terminal = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.line_every_s = line_every_s
        self._drawn = self._last = 0

    def paint(self, text, code):
        return f"\033[{code}m{text}\033[0m" if self.terminal and "NO_COLOR" not in os.environ else text

    def bold(self, text):
        return self.paint(text, "1")

    def dim(self, text):
        return self.paint(text, "2")

    def hot(self, text):
        return self.paint(text, "1;33")

    def say(self, *lines):
        """Print for good; a table drawn later begins below."""
        self._drawn = 0
        for line in lines:
            print(line, flush=True)

    def draw(self, header, rows):
        """Draw the table over the one before; without a terminal only now and then, and the header once."""
        if self.terminal:
            up = f"\033[{self._drawn}A" if self._drawn else ""
            sys.stdout.write(up + "".join(f"\033[2K{line}\n" for line in (header, *rows)))
            self._drawn = 1 + len(rows)
        elif time.monotonic() - self._last >= self.line_every_s:
            lines = rows if self._drawn else (header, *rows)
            sys.stdout.write("".join(f"{line}\n" for line in lines))
            self._drawn, self._last = 1, time.monotonic()
        sys.stdout.flush()
