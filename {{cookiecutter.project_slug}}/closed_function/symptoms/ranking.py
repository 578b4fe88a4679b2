"""Order what a log shows: causes above consequences, what is certain above what is vague.

A finding of a lower kind is no news beside one of a higher kind:

cause        the sentence has one reason;
general      the sentence is of a family, whose reason its variable parts tell;
vague        the sentence says little more than that something was refused or not found;
consequence  something else is the reason;
passing      it may have been overcome.

What happens while pip builds a package in isolation follows from there being no wheel.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from closed_function.symptoms.catalogue import KINDS, Group, Symptom

# pip builds a package with a second pip, whose failures are consequences.
ISOLATED = re.compile(
    r"Running command (?:pip subprocess to install|installing) build dependencies"
    r"|Installing build dependencies: started"
)
ISOLATED_END = re.compile(r"Installing build dependencies: finished with status 'done'")
ISOLATED_CAUSE = "source-distribution"
# What a sentence of a family may say of this one failure.
SAYING = {"permission", "resource", "principal", "constraint", "service", "metric", "number"}
FAILS = re.compile(r"\bERROR\b|\berror:")


class Sighting(NamedTuple):
    """Where a log shows something: the number of the line, the first being 1, and its text."""

    line: int
    text: str


class Finding(NamedTuple):
    """A cause that a log shows, where, and what the sentence says."""

    cause: Symptom | Group
    lines: range
    sighting: Sighting
    values: dict[str, str]


def isolated_builds(text: str) -> Iterator[tuple[int, int]]:
    """Yield where a build in isolation begins that fails, and where it ends."""
    position = 0
    while begin := ISOLATED.search(text, position):
        done = ISOLATED_END.search(text, begin.end())
        following = ISOLATED.search(text, begin.end())
        if done and not (following and following.start() < done.start()):
            position = done.end()
            continue
        if FAILS.search(text, begin.end()):
            yield begin.start(), len(text)
            return
        position = begin.end()


def rank(findings: Sequence[Finding], failed_builds: Iterable[range]) -> list[Finding]:
    """Return the findings that explain the log, the first of which is its cause."""
    kept = within_isolation(list(findings), list(failed_builds))
    replaced = {name for each in kept for name in each.cause.instead_of}
    kept = [each for each in kept if each.cause.id not in replaced]
    best = min((KINDS.index(each.cause.kind) for each in kept), default=0)
    kept = [each for each in kept if KINDS.index(each.cause.kind) == best]
    kept = one_for_each_line(kept) if best else kept
    return sorted(one_for_each_cause(kept), key=lambda each: isinstance(each.cause, Group))


def within_isolation(findings: list[Finding], builds: list[range]) -> list[Finding]:
    """Return the findings without those of a second pip, where there is its cause."""
    if not any(each.cause.id == ISOLATED_CAUSE for each in findings):
        return findings
    return [
        each
        for each in findings
        if each.cause.id == ISOLATED_CAUSE
        or not any(build.start <= each.lines.start < build.stop for build in builds)
    ]


def one_for_each_line(findings: list[Finding]) -> list[Finding]:
    """Return, of the findings on one line, the one that says most."""
    taken: set[int] = set()
    kept: list[Finding] = []
    for each in sorted(findings, key=lambda each: -len(SAYING & each.values.keys())):
        if taken.isdisjoint(each.lines):
            taken.update(each.lines)
            kept.append(each)
    return kept


def one_for_each_cause(findings: list[Finding]) -> list[Finding]:
    """Return of each cause the finding that says most, in the order of the log."""
    kept: dict[tuple[str, str], Finding] = {}
    ordered = sorted(
        findings,
        key=lambda each: (not {"permission", "constraint"} & each.values.keys(), each.lines.start),
    )
    for each in ordered:
        known = [key for key in kept if key[0] == each.cause.id]
        if not known or "constraint" in each.values:
            kept.setdefault((each.cause.id, each.values.get("constraint", "")), each)
    return sorted(kept.values(), key=lambda each: each.lines.start)
