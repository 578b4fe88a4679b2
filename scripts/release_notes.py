"""Print what CHANGELOG.md says of a release: `python scripts/release_notes.py 2026.11.0`.

Exit status 1, and one line on standard error, unless the version has a section with a date and an
upgrade note in it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

CHANGELOG = Path(__file__).resolve().parent.parent / "CHANGELOG.md"
VERSION = re.compile(r"20\d\d\.(0[1-9]|1[0-2])\.(0|[1-9]\d*)")


class NotesError(Exception):
    """There are no notes with which the version could be released; the text says why."""


def notes(version: str, changelog: str) -> str:
    """The version's section of the changelog's text, without its heading. Raises NotesError."""
    if not VERSION.fullmatch(version):
        raise NotesError(f"{version!r} is no version: YYYY.MM.N, for example 2026.11.0")
    heading = rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d\n"
    found = re.search(rf"{heading}(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    if not found:
        raise NotesError(f"CHANGELOG.md has no section: ## [{version}] - YYYY-MM-DD")
    section = found[1].strip() + "\n"
    if not re.search(r"^### Upgrade\n+(?!#)\S", section, re.MULTILINE):
        raise NotesError(f"CHANGELOG.md says nothing under ### Upgrade of {version}")
    return section


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("Usage: python scripts/release_notes.py VERSION", file=sys.stderr)
        return 2
    try:
        section = notes(arguments[0], CHANGELOG.read_text(encoding="utf-8"))
    except NotesError as error:
        print(error, file=sys.stderr)
        return 1
    print(section, end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
