"""The causes that symptoms.json knows, and which of them a log shows.

A pattern is the log's own text, not a regular expression: `…` stands for up to 400 characters of
one line, `¶` for the rest of a line and what the next begins with, `#` for a digit, and a space for
any white space, also where Terraform has wrapped a line.
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

from closed_function.upstreams import CREDENTIAL

SYMPTOMS = Path(__file__).with_name("symptoms.json")

CHUNK = 1 << 20  # characters that are read and searched at a time
OVERLAP = 1 << 13  # of the chunk before, for a text that lies across
GAP = 400
SHOWN_CHARACTERS = 300
HIDDEN = "\0"
SUCCESS_WORDS = (
    "Successfully installed",
    "Apply complete!",
    "\nDONE",
    "status: SUCCESS",
    'status "SUCCESS"',
)
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
    error, how many lines it has, and whether it ends well after all that.
    """

    explanations: list[Explanation]
    build: str | None
    last_error: Sighting | None
    lines: int
    succeeded: bool


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


class Pattern:
    """A pattern of the catalogue, ready to be searched for.

    Its pieces are looked for one after the other, each where it comes first, so that no log takes
    longer than its length.
    """

    def __init__(self, pattern: str) -> None:
        first, *rest = re.split("([…¶])", pattern)
        self.first = expression(first)
        pairs = zip(rest[::2], rest[1::2], strict=True)
        self.rest = [(gap, expression(piece)) for gap, piece in pairs]
        # A word of each piece without which the pattern is nowhere: the longest.
        pieces = [re.split("[ #]+", piece) for piece in (first, *rest[1::2])]
        self.words = [max(words, key=len) for words in pieces]

    def search(self, text: str) -> tuple[int, int] | None:
        """Where the pattern first begins in `text` and where it ends there."""
        if not all(word in text for word in self.words):
            return None
        for begin in self.first.finditer(text):
            end = self.follow(text, begin.end())
            if end is not None:
                return begin.start(), end
        return None

    def follow(self, text: str, end: int) -> int | None:
        """Where the pattern ends when its first piece ends at `end`, if the rest is there."""
        for gap, piece in self.rest:
            start = next_line(text, end) if gap == "¶" else end
            found = None if start is None else after(piece, text, start)
            if found is None:
                return None
            end = found
        return end


def expression(piece: str) -> re.Pattern[str]:
    words = (re.escape(word).replace(re.escape("#"), "[0-9]") for word in piece.split(" "))
    return re.compile(r"[\s│]+".join(words))


def next_line(text: str, position: int) -> int | None:
    """Where the next line begins, in JSON too, where a line break is written out."""
    breaks = [(text.find(mark, position, position + GAP), mark) for mark in ("\n", "\\n")]
    return min((at + len(mark) for at, mark in breaks if at >= 0), default=None)


def after(piece: re.Pattern[str], text: str, position: int) -> int | None:
    """Where `piece` ends when it begins on this line, or on one that Terraform has wrapped."""
    match = piece.search(text, position, position + 2 * GAP)
    if not match or match.start() > position + GAP:
        return None
    return None if re.search(r"\n(?!│)", text[position : match.start()]) else match.end()


def pieces(log: BinaryIO) -> Iterator[tuple[int, str]]:
    """Yield the number of the first line and the text of each piece of `log`, overlapping a little.

    Bytes that are no text are replaced, UTF-16 with its mark is read, colours are removed.
    """
    buffered = io.BufferedReader(log) if isinstance(log, io.RawIOBase) else log
    start = buffered.peek(3)[:3] if isinstance(buffered, io.BufferedReader) else b""
    encoding = next((name for mark, name in BYTE_ORDER_MARKS.items() if start.startswith(mark)), "")
    text = io.TextIOWrapper(buffered, encoding or "utf-8", errors="replace")
    line, before = 1, ""
    try:
        while chunk := text.read(CHUNK):
            chunk += text.readline(OVERLAP)
            if "\x1b" in chunk:
                chunk = ESCAPE_SEQUENCE.sub("", chunk)
            piece = before + chunk
            yield line, piece
            before = piece[-OVERLAP:]
            line += piece.count("\n", 0, len(piece) - len(before))
    finally:
        text.detach()


class Search:
    """Where a log first shows each of some patterns, and what else it tells."""

    def __init__(self, log: BinaryIO, patterns: Iterable[str]) -> None:
        self.found: dict[str, Sighting] = {}
        self.build: str | None = None
        self.last_error: Sighting | None = None
        self.success = 0
        self.lines = 0
        wanted = {pattern: Pattern(pattern) for pattern in patterns}
        for first_line, text in pieces(log):
            for pattern, compiled in list(wanted.items()):
                if place := compiled.search(text):
                    self.found[pattern] = sighting(text, *place, first_line)
                    del wanted[pattern]
            if not self.build and "cloud-build/builds" in text:
                named = BUILD.search(text)
                self.build = named[1] if named else None
            error = max(text.rfind(word) for word in ERROR_WORDS)
            if error >= 0:
                self.last_error = sighting(text, error, error, first_line)
            success = max(text.rfind(word) for word in SUCCESS_WORDS)
            if success >= 0:
                self.success = first_line + text.count("\n", 0, success)
            self.lines = first_line + text.count("\n") - text.endswith("\n")


def sighting(text: str, start: int, end: int, first_line: int) -> Sighting:
    """The line of `text` from before `start` to after `end`, or as much as a screen shows."""
    line = first_line + text.count("\n", 0, start)
    half = SHOWN_CHARACTERS // 2
    # Secrets are hidden before anything is cut, for half of one looks like none.
    since, until = max(0, start - OVERLAP), end + OVERLAP
    hidden = CREDENTIAL.sub(lambda found: HIDDEN * len(found[0]), text[since:until])
    start, end = start - since, end - since
    begin = hidden.rfind("\n", 0, start) + 1
    stop = hidden.find("\n", end)
    stop = len(hidden) if stop < 0 else stop
    if stop - begin > SHOWN_CHARACTERS:
        begin, stop = max(begin, start - half // 2), min(stop, end + half // 2)
    if stop - begin > SHOWN_CHARACTERS:
        shown = f"{hidden[begin : begin + half]} … {hidden[stop - half : stop]}"
    else:
        shown = hidden[begin:stop]
    shown = re.sub(f"{HIDDEN}+", "[hidden]", shown)
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
    trouble = [each.sighting.line for each in causes]
    trouble += [search.last_error.line] if search.last_error else []
    succeeded = search.success > max(trouble, default=0)
    return Explained(causes, search.build, search.last_error, search.lines, succeeded)
