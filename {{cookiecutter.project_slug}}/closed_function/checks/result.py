"""What a check or a line of the status page says."""

from collections.abc import Mapping
from typing import NamedTuple

OK, PROBLEM, UNKNOWN = "ok", "problem", "could not tell"


class Result(NamedTuple):
    """What one check found.

    `check` is the claim that was checked, `verdict` one of OK, PROBLEM and UNKNOWN, `seen` a
    sentence with the values that were found (for UNKNOWN: why it could not be told), `command` what
    to type to see the same, and `symptom` the id in the catalogue of what a PROBLEM means. An
    UNKNOWN that is `optional` is no reason to worry. `values` says the same as `seen` for machines.
    """

    check: str
    verdict: str
    seen: str
    command: str = ""
    symptom: str = ""
    optional: bool = False
    values: Mapping[str, object] = {}
