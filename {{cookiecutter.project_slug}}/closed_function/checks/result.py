"""Define what a check or a line of the status page says."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from closed_function.redaction import one_line

OK, PROBLEM, UNKNOWN = "ok", "problem", "could not tell"


Content = Any  # as deep as an API's answer


class Result(NamedTuple):
    """What one check found.

    `check` is the claim, `verdict` one of OK, PROBLEM and UNKNOWN, `seen` a sentence with the
    values that were found (for UNKNOWN: why the claim could not be checked), `command` shows the
    same to a user, and `symptom` is the id in the catalogue of what a PROBLEM means. An UNKNOWN
    that is `optional` does not count as a failure. `values` holds what `seen` says, for machines.
    """

    check: str
    verdict: str
    seen: str
    command: str = ""
    symptom: str = ""
    optional: bool = False
    values: Mapping[str, object] = {}

    def presentable(self) -> "Result":
        """Return the result with each text in one line: most hold what came from outside."""
        return Result(*map(presentable, self))


def presentable(value: Content) -> Content:
    """Return `value` with each text in it as part of a line."""
    if isinstance(value, str):
        return one_line(value)
    if isinstance(value, list):
        return [presentable(each) for each in value]
    if isinstance(value, Mapping):
        return {one_line(str(name)): presentable(each) for name, each in value.items()}
    return value


class Check(NamedTuple):
    """A claim, and the command that shows a user the same; its methods make the results."""

    claim: str
    command: str = ""

    def ok(self, seen: str) -> Result:
        return Result(self.claim, OK, seen, self.command)

    def problem(self, symptom: str, seen: str, **values: str) -> Result:
        """Return a problem; `values` replace placeholders of the catalogue."""
        return Result(self.claim, PROBLEM, seen, self.command, symptom, values=values)

    def unknown(self, why: str, *, optional: bool = False) -> Result:
        return Result(self.claim, UNKNOWN, why, self.command, optional=optional)
