"""The causes that symptoms.json knows, and which of them a log shows.

A pattern is the log's own text, not a regular expression: `…` stands for up to 400 characters of
one line, and a space for any white space, also where Terraform has wrapped a line. A group holds
causes that print the same text; what tells them apart is a command, not the log.
"""

from __future__ import annotations

import codecs
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

SYMPTOMS = Path(__file__).with_name("symptoms.json")

CHUNK = 1 << 20  # characters that are read and searched at a time
OVERLAP = 1 << 13  # of the chunk before, for a text that lies across
SHOWN_CHARACTERS = 300

ESCAPE_SEQUENCE = re.compile(
    r"\x1b(?:\[[0-9;:?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)|[@-_])"
)
BYTE_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16"}
BYTE_ORDER_MARKS[codecs.BOM_UTF16_BE] = "utf-16"
# Terraform names the build that failed and shows nothing of its log.
BUILD = re.compile(r"cloud-build/builds[;/](?:region=)?[a-z0-9-]+/([0-9a-f-]{36})")


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


class Sighting(NamedTuple):
    """Where a log shows something: the number of the line, the first being 1, and its text."""

    line: int
    text: str


class Explanation(NamedTuple):
    cause: Symptom | Group
    sighting: Sighting


class Explained(NamedTuple):
    """What a log shows: the causes, the most specific first, and the build that it names."""

    explanations: list[Explanation]
    build: str | None


def load(path: Path = SYMPTOMS) -> Catalogue:
    """Return the causes of `path`. TypeError or KeyError when an entry is not as it must be."""
    content = json.loads(path.read_text(encoding="utf-8"))
    symptoms = [Symptom(**frozen(entry)) for entry in content["symptoms"]]
    groups = [Group(**frozen(entry)) for entry in content["groups"]]
    return Catalogue({each.id: each for each in symptoms}, {each.id: each for each in groups})


def frozen(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}


def filled(text: str, values: Mapping[str, str]) -> str:
    """`text` with `{name}` replaced by its value, or in capitals where that is not known."""
    return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1]) or found[1].upper(), text)


def expression(pattern: str) -> re.Pattern[str]:
    """The regular expression of a pattern."""
    parts = [r"[\s│]+".join(map(re.escape, part.split(" "))) for part in pattern.split("…")]
    return re.compile(r"(?:[^\n]|\n│){0,400}?".join(parts))


def rarest_word(pattern: str) -> str:
    """A word of `pattern` without which it is nowhere: the longest, for want of statistics."""
    return max(re.split("[ …]+", pattern), key=len)


def pieces(log: BinaryIO) -> Iterator[tuple[int, str]]:
    """Yield the number of the first line and the text of each piece of `log`, overlapping a little.

    Bytes that are no text are replaced, UTF-16 with its mark is read, colours are removed.
    """
    buffered = io.BufferedReader(log) if isinstance(log, io.RawIOBase) else log
    start = buffered.peek(3)[:3] if isinstance(buffered, io.BufferedReader) else b""
    encoding = next((name for mark, name in BYTE_ORDER_MARKS.items() if start.startswith(mark)), "")
    text = io.TextIOWrapper(buffered, encoding or "utf-8", errors="replace")
    line, before = 1, ""
    while chunk := text.read(CHUNK):
        chunk += text.readline(OVERLAP)
        if "\x1b" in chunk:
            chunk = ESCAPE_SEQUENCE.sub("", chunk)
        piece = before + chunk
        yield line, piece
        before = piece[-OVERLAP:]
        line += piece.count("\n", 0, len(piece) - len(before))


def search(log: BinaryIO, patterns: Iterable[str]) -> tuple[dict[str, Sighting], str | None]:
    """Where `log` first shows each of `patterns`, and the id of the build that it names."""
    wanted = {pattern: (rarest_word(pattern), expression(pattern)) for pattern in patterns}
    found: dict[str, Sighting] = {}
    build = None
    for first_line, text in pieces(log):
        for pattern, (word, regular) in list(wanted.items()):
            match = regular.search(text) if word in text else None
            if match:
                found[pattern] = sighting(text, match, first_line)
                del wanted[pattern]
        if not build and "cloud-build/builds" in text:
            named = BUILD.search(text)
            build = named[1] if named else None
    return found, build


def sighting(text: str, match: re.Match[str], first_line: int) -> Sighting:
    """The line in which `match` begins, or as much around it as a screen shows."""
    line = first_line + text.count("\n", 0, match.start())
    begin = max(text.rfind("\n", 0, match.start()) + 1, match.start() - SHOWN_CHARACTERS // 2)
    end = text.find("\n", match.end())
    shown = text[begin : len(text) if end < 0 else end]
    return Sighting(line, re.sub(r"[\s│]+", " ", shown).strip()[:SHOWN_CHARACTERS])


def explain(log: BinaryIO, catalogue: Catalogue) -> Explained:
    """What `log` shows: single causes before groups, each in the catalogue's order."""
    entries: list[Symptom | Group] = [*catalogue.symptoms.values(), *catalogue.groups.values()]
    patterns = {pattern for entry in entries for pattern in (*entry.patterns, *entry.also)}
    found, build = search(log, patterns)
    seen = [
        Explanation(entry, min(found[pattern] for pattern in entry.patterns if pattern in found))
        for entry in entries
        if any(pattern in found for pattern in entry.patterns)
        and all(pattern in found for pattern in entry.also)
    ]
    replaced = {name for explanation in seen for name in explanation.cause.instead_of}
    return Explained([each for each in seen if each.cause.id not in replaced], build)
