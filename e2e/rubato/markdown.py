# SPDX-License-Identifier: Apache-2.0
"""The commands of a document, as they are printed."""

import os
import re

from .daemons import REPO


def _section(document, heading):
    with open(os.path.join(REPO, document), encoding="utf-8") as file:
        text = file.read()
    if heading is None:
        return text
    section = re.search(rf"^## {re.escape(heading)}.*?\n(.*?)(?=^## |\Z)", text, re.S | re.M)
    if not section:
        raise ValueError(f"{document} has no heading {heading}")
    return section[1]


def _some(found, document, heading):
    if not found:
        raise ValueError(f"{document}: no commands below {heading}")
    return found


def shell_blocks(document, heading):
    """The texts of the ```sh blocks below a heading (how it begins, without "## "; None: of all) of a Markdown file, in order."""
    return _some(re.findall(r"^```sh\n(.*?)^```", _section(document, heading), re.S | re.M), document, heading)


def shell_session(document, heading):
    """The commands of a block that shows a session, those after "$ "."""
    return _some(re.findall(r"^\$ (.*)$", _section(document, heading), re.M), document, heading)
