"""Read and print the causes in catalogue.json.

A group holds causes that print the same text; a command distinguishes them, not the log.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from closed_function.redaction import one_line

# The fields with which a log is searched and its causes are ordered.
SEARCH_FIELDS = {"patterns", "also", "instead_of", "stage", "kind"}
CATALOGUE = Path(__file__).with_name("catalogue.json")
# Of how much weight a cause is: see ranking.py.
KINDS = ("cause", "general", "vague", "consequence", "passing")


class Symptom(NamedTuple):
    """One cause: what is wrong, how a log shows it, why it stops the build, and the cure.

    `stage` is one of the catalogue's; a `{name}` in the texts is a value of the repository or of
    the log, or what follows it after a colon.
    """

    id: str
    stage: str
    what: str
    patterns: list[str]
    also: list[str]
    instead_of: list[str]
    why: str
    confirm: str
    shows: str
    cure: str
    source: str
    confidence: str
    kind: str = KINDS[0]


class Group(NamedTuple):
    """Causes that print the same text, the most likely first, and the command to go on with."""

    id: str
    stage: str
    what: str
    patterns: list[str]
    also: list[str]
    instead_of: list[str]
    symptoms: list[str]
    tell_apart: str
    kind: str = KINDS[0]


class Catalogue(NamedTuple):
    """All causes by their ids, in the order in which they are printed."""

    symptoms: dict[str, Symptom]
    groups: dict[str, Group]

    def causes(self) -> dict[str, Symptom | Group]:
        return {**self.symptoms, **self.groups}


def load() -> Catalogue:
    content = json.loads(CATALOGUE.read_text(encoding="utf-8"))
    return Catalogue(
        {entry["id"]: Symptom(**entry) for entry in content["symptoms"]},
        {entry["id"]: Group(**entry) for entry in content["groups"]},
    )


def substitute(text: str, values: Mapping[str, str]) -> str:
    """Return `text` with `{name}` replaced by its value.

    Where that is not known, `{name:words}` becomes the words and `{name}` NAME.
    """

    def value(found: re.Match[str]) -> str:
        unknown = found[1].upper() if found[2] is None else found[2]
        return one_line(values.get(found[1], "")) or unknown

    return re.sub(r"\{(\w+)(?::([^{}]*))?\}", value, text)


def cause_as_json(cause: Symptom | Group, values: Mapping[str, str]) -> dict[str, object]:
    """Return what is printed of a cause, with its commands filled in."""
    return {
        name: substitute(value, values) if isinstance(value, str) else value
        for name, value in cause._asdict().items()
        if name not in SEARCH_FIELDS
    }


def print_cause(symptom: Symptom, values: Mapping[str, str]) -> None:
    print(f"    Why:  {substitute(symptom.why, values)}")
    if symptom.confirm:
        print(f"    Look: {substitute(symptom.confirm, values)}")
        print(f"          {substitute(symptom.shows, values)}")
    print(f"    Cure: {substitute(symptom.cure, values)}")
