"""The files of the page on engines, as they stand there, in a folder."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "engines.md"
FILE = re.compile(r"^`([\w./-]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FOLDER = "/srv/engines"  # where the page puts its files


def write_files(folder: Path) -> None:
    """Write them, with this folder in place of the page's."""
    for name, content in FILE.findall(PAGE.read_text()):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content.replace(FOLDER, str(folder)))
