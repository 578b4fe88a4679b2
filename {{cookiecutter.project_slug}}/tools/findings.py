"""What the doctor's checks say."""

from __future__ import annotations

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
