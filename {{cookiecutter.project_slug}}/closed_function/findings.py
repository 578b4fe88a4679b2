"""What the checks of doctor and status say, and how they speak."""

from __future__ import annotations

import io
import sys
from typing import NamedTuple

OK, PROBLEM, UNKNOWN = "ok", "problem", "could not tell"


class Result(NamedTuple):
    """What one check found.

    `check` is the claim that was checked, `verdict` one of OK, PROBLEM and UNKNOWN, `seen` a
    sentence with the values that were found (for UNKNOWN: why it could not be told), `command` what
    to type to see the same, and `symptom` the id in symptoms.json of what a PROBLEM means.
    """

    check: str
    verdict: str
    seen: str
    command: str = ""
    symptom: str = ""
    optional: bool = False


def progress(words: str) -> None:
    """Say what is being done, apart from what is found."""
    print(words, file=sys.stderr, flush=True)


def escape_what_cannot_be_shown() -> None:
    """A terminal that lacks a character gets its number instead of an end of the program."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
