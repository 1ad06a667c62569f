# SPDX-License-Identifier: Apache-2.0
"""The commands of a document, as they are printed."""

import os
import re

from .daemons import REPO


def shell_blocks(document, heading):
    """The texts of the ```sh blocks below a heading ("## Use it ...") of a Markdown file, in order."""
    with open(os.path.join(REPO, document), encoding="utf-8") as file:
        text = file.read()
    section = re.search(rf"^## {re.escape(heading)}.*?\n(.*?)(?=^## |\Z)", text, re.S | re.M)
    if not section:
        raise ValueError(f"{document} has no heading {heading}")
    blocks = re.findall(r"^```sh\n(.*?)^```", section[1], re.S | re.M)
    if not blocks:
        raise ValueError(f"{document}: no commands below {heading}")
    return blocks
