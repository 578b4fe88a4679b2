"""The causes that symptoms.json knows, and which of them a log shows.

A pattern is the log's own text, not a regular expression: `…` stands for up to 400 characters of
one line, `#` for a digit, and a space for any white space, also where Terraform has wrapped a line.
A group holds causes that print the same text; what tells them apart is a command, not the log.
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
ERROR_WORDS = ("ERROR", "Error", "error:", "FATAL", "fatal:", "denied")

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
    """What a log shows.

    The causes, the most specific first, the build that it names, its last line that speaks of an
    error, and how many lines it has.
    """

    explanations: list[Explanation]
    build: str | None
    last_error: Sighting | None
    lines: int


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
    parts = [part.replace(re.escape("#"), "[0-9]") for part in parts]
    return re.compile(r"(?:[^\n]|\n│){0,400}?".join(parts))


def rarest_word(pattern: str) -> str:
    """A word of `pattern` without which it is nowhere: the longest, for want of statistics."""
    return max(re.split("[ …#]+", pattern), key=len)


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


class Search:
    """Where a log first shows each of some patterns, and what else it tells."""

    def __init__(self, log: BinaryIO, patterns: Iterable[str]) -> None:
        self.found: dict[str, Sighting] = {}
        self.build: str | None = None
        self.last_error: Sighting | None = None
        self.lines = 0
        wanted = {pattern: (rarest_word(pattern), expression(pattern)) for pattern in patterns}
        for first_line, text in pieces(log):
            for pattern, (word, regular) in list(wanted.items()):
                match = regular.search(text) if word in text else None
                if match:
                    self.found[pattern] = sighting(text, match.start(), match.end(), first_line)
                    del wanted[pattern]
            if not self.build and "cloud-build/builds" in text:
                named = BUILD.search(text)
                self.build = named[1] if named else None
            error = max(text.rfind(word) for word in ERROR_WORDS)
            if error >= 0:
                self.last_error = sighting(text, error, error, first_line)
            self.lines = first_line + text.count("\n") - text.endswith("\n")


def sighting(text: str, start: int, end: int, first_line: int) -> Sighting:
    """The line of `text` from before `start` to after `end`, or as much as a screen shows."""
    line = first_line + text.count("\n", 0, start)
    half = SHOWN_CHARACTERS // 2
    begin = max(text.rfind("\n", 0, start) + 1, start - half // 2)
    stop = text.find("\n", end)
    stop = min(len(text) if stop < 0 else stop, end + half // 2)
    if stop - begin > SHOWN_CHARACTERS:
        shown = f"{text[begin : begin + half]} … {text[stop - half : stop]}"
    else:
        shown = text[begin:stop]
    return Sighting(line, re.sub(r"[\s│]+", " ", shown).strip())


def explain(log: BinaryIO, catalogue: Catalogue) -> Explained:
    """What `log` shows: single causes before groups, each in the catalogue's order."""
    entries: list[Symptom | Group] = [*catalogue.symptoms.values(), *catalogue.groups.values()]
    patterns = {pattern for entry in entries for pattern in (*entry.patterns, *entry.also)}
    search = Search(log, patterns)
    found = search.found
    seen = []
    for entry in entries:
        sightings = [found[pattern] for pattern in entry.patterns if pattern in found]
        if sightings and all(pattern in found for pattern in entry.also):
            seen.append(Explanation(entry, min(sightings, key=lambda each: each.line)))
    replaced = {name for explanation in seen for name in explanation.cause.instead_of}
    causes = [each for each in seen if each.cause.id not in replaced]
    return Explained(causes, search.build, search.last_error, search.lines)
