"""The causes that catalogue.json knows.

A group holds causes that print the same text; what tells them apart is a command, not the log.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

# What is of use only where a log is searched.
FOR_LOGS = {"patterns", "also", "instead_of"}
CATALOGUE = Path(__file__).with_name("catalogue.json")


class Symptom(NamedTuple):
    """One cause: what is wrong, how a log shows it, why it stops the build, and the cure."""

    id: str
    what: str
    patterns: tuple[str, ...]
    also: tuple[str, ...]
    instead_of: tuple[str, ...]
    why: str
    confirm: str
    shows: str
    cure: str
    source: str
    confidence: str


class Group(NamedTuple):
    """Causes that print the same text, the most likely first, and the command to go on with."""

    id: str
    what: str
    patterns: tuple[str, ...]
    also: tuple[str, ...]
    instead_of: tuple[str, ...]
    symptoms: tuple[str, ...]
    tell_apart: str


class Catalogue(NamedTuple):
    """All causes by their ids, in the order in which they are told."""

    symptoms: dict[str, Symptom]
    groups: dict[str, Group]


def load(path: Path = CATALOGUE) -> Catalogue:
    """Return the causes of `path`. TypeError or KeyError when an entry is not as it must be."""
    content = json.loads(path.read_text(encoding="utf-8"))
    symptoms = [Symptom(**with_tuples(entry)) for entry in content["symptoms"]]
    groups = [Group(**with_tuples(entry)) for entry in content["groups"]]
    return Catalogue({each.id: each for each in symptoms}, {each.id: each for each in groups})


def with_tuples(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}


def fill_in(text: str, values: Mapping[str, str]) -> str:
    """Return `text` with `{name}` replaced by its value, or in capitals where that is not known."""
    return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1]) or found[1].upper(), text)


def cause_as_json(cause: Symptom | Group, values: Mapping[str, str]) -> dict[str, object]:
    """Return a cause for machines: what is printed for people, with its commands filled in."""
    return {
        name: fill_in(value, values) if isinstance(value, str) else value
        for name, value in cause._asdict().items()
        if name not in FOR_LOGS
    }


def print_cause(symptom: Symptom, values: Mapping[str, str]) -> None:
    print(f"    Why:  {fill_in(symptom.why, values)}")
    if symptom.confirm:
        print(f"    Look: {fill_in(symptom.confirm, values)}")
        print(f"          {fill_in(symptom.shows, values)}")
    print(f"    Cure: {fill_in(symptom.cure, values)}")
