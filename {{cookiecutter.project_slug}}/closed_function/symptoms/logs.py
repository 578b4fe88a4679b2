"""Read a log of any form and size, and find the causes that it shows."""

import codecs
import io
import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

from closed_function.redaction import CREDENTIAL
from closed_function.symptoms.catalogue import Catalogue, Group, Symptom
from closed_function.symptoms.patterns import Pattern

CHUNK = 1 << 20  # characters read and searched at a time
OVERLAP = 1 << 13  # of the chunk before, for a text that spans two
LONGEST_EXCERPT = 300
HIDDEN = "\0"
SUCCESS_WORDS = (
    "Successfully installed",
    "Apply complete!",
    "\nDONE",
    "status: SUCCESS",
    'status "SUCCESS"',
)
ERROR_WORDS = ("ERROR", "Error", "error:", "FATAL", "fatal:", "denied")
# A line of Terraform, gcloud or pip that says what is wrong; what follows it explains.
ERROR_SENTENCE = re.compile(
    r"^(?:[ \t│]|Step #[0-9]+(?: - \"[^\"\n]*\")?: )*(?=(?:Error|ERROR|error|FATAL|fatal): )",
    re.MULTILINE,
)
# Terraform draws a box around an error and its details.
BOX_BEGIN, BOX_SENTENCE = "╷", "│ Error: "
MAKE_LINE = re.compile(r"^make(?:\[[0-9]+\])?: \*\*\* .*", re.MULTILINE)
ESCAPE_SEQUENCE = re.compile(
    r"\x1b(?:\[[0-9;:?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)|[@-_])"
)
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# Terraform names the build that failed and shows nothing of its log.
BUILD = re.compile(r"cloud-build/builds[;/](?:region=)?[a-z0-9-]+/([0-9a-f-]{36})")


class Sighting(NamedTuple):
    """Where a log shows something: the number of the line, the first being 1, and its text."""

    line: int
    text: str


class Explanation(NamedTuple):
    cause: Symptom | Group
    sighting: Sighting


class Explained(NamedTuple):
    """What a log shows: causes, the most specific first, and whether it ends in success."""

    explanations: list[Explanation]
    build: str | None
    last_error: Sighting | None
    lines: int
    succeeded: bool


def read_chunks(log: BinaryIO) -> Iterator[tuple[int, str]]:
    """Yield the number of the first line and the text of each chunk; chunks overlap a little.

    Bytes that are not text are replaced, UTF-16 with its mark is decoded, colours are removed.
    """
    buffered = io.BufferedReader(log) if isinstance(log, io.RawIOBase) else log
    start = buffered.peek(3)[:3] if isinstance(buffered, io.BufferedReader) else b""
    encodings = [name for mark, name in BYTE_ORDER_MARKS.items() if start.startswith(mark)]
    text = io.TextIOWrapper(buffered, encodings[0] if encodings else "utf-8", errors="replace")
    line, overlap = 1, ""
    try:
        while chunk := text.read(CHUNK):
            chunk += text.readline(OVERLAP)
            chunk = overlap + ESCAPE_SEQUENCE.sub("", chunk)
            yield line, chunk
            overlap = chunk[-OVERLAP:]
            line += chunk.count("\n", 0, len(chunk) - len(overlap))
    finally:
        text.detach()


class Search:
    """Where a log first shows each of some patterns, its last error, failure and success.

    The last error says what is wrong; the last failure may be make's line, which says only that.
    """

    def __init__(self, log: BinaryIO, patterns: Iterable[str]) -> None:
        self.found: dict[str, Sighting] = {}
        self.build: str | None = None
        self.last_error: Sighting | None = None
        self.failure = 0
        self.success = 0
        self.lines = 0
        wanted = {pattern: Pattern(pattern) for pattern in patterns}
        for first_line, text in read_chunks(log):
            for pattern, compiled in list(wanted.items()):
                if place := compiled.search(text):
                    self.found[pattern] = sighting(text, *place, first_line)
                    del wanted[pattern]
            self.build = self.build or find_build(text)
            error = max(text.rfind(word) for word in ERROR_WORDS)
            if error >= 0:
                self.failure = first_line + text.count("\n", 0, error)
            cause = find_last_error(text)
            if cause >= 0:
                self.last_error = sighting(text, cause, cause, first_line)
            elif error >= 0 and not self.last_error:
                self.last_error = sighting(text, error, error, first_line)
            success = max(text.rfind(word) for word in SUCCESS_WORDS)
            if success >= 0:
                self.success = first_line + text.count("\n", 0, success)
            self.lines = first_line + text.count("\n") - text.endswith("\n")


def find_build(text: str) -> str | None:
    """Return the id in the first link to a build."""
    build = BUILD.search(ESCAPE_SEQUENCE.sub("", text))
    return build[1] if build else None


def find_last_error(text: str) -> int:
    """Return where the last error is: a line that begins as one, else a word of one, else -1.

    What make prints in the end says only that a command failed.
    """
    text = MAKE_LINE.sub(lambda found: " " * len(found[0]), text)
    sentences = [found.end() for found in ERROR_SENTENCE.finditer(text)]
    return sentences[-1] if sentences else max(text.rfind(word) for word in ERROR_WORDS)


def sighting(text: str, start: int, end: int, first_line: int) -> Sighting:
    """Return what `text` shows there, after the sentence above it that Terraform begins with."""
    quoted = excerpt(text, start, end, first_line)
    since = max(0, start - OVERLAP)
    line = text.rfind("\n", since, start) + 1
    sentence = text.rfind(BOX_SENTENCE, since, start + len(BOX_SENTENCE))
    in_box = text.startswith("│", line) and sentence > text.rfind(BOX_BEGIN, since, start)
    if not in_box or quoted.text.startswith("Error: "):
        return quoted
    first = excerpt(text, sentence, sentence, first_line)
    return Sighting(first.line, f"{first.text} … {quoted.text}")


def excerpt(text: str, start: int, end: int, first_line: int) -> Sighting:
    """Return the line of `text` around `start` and `end`, or as much as a screen holds."""
    line = first_line + text.count("\n", 0, start)
    half = LONGEST_EXCERPT // 2
    # Secrets are hidden before anything is cut: half of one is not recognised.
    since, until = max(0, start - OVERLAP), end + OVERLAP
    hidden = CREDENTIAL.sub(lambda found: HIDDEN * len(found[0]), text[since:until])
    start, end = start - since, end - since
    begin = hidden.rfind("\n", 0, start) + 1
    stop = hidden.find("\n", end)
    stop = len(hidden) if stop < 0 else stop
    if stop - begin > LONGEST_EXCERPT:
        begin, stop = max(begin, start - half // 2), min(stop, end + half // 2)
    quoted = hidden[begin:stop]
    if len(quoted) > LONGEST_EXCERPT:
        quoted = f"{quoted[:half]} … {quoted[-half:]}"
    quoted = re.sub(f"{HIDDEN}+", "[hidden]", quoted)
    return Sighting(line, re.sub(r"[\s│]+", " ", quoted).strip())


def explain(log: BinaryIO, catalogue: Catalogue) -> Explained:
    """Return what `log` shows: single causes before groups, each in the catalogue's order."""
    entries: list[Symptom | Group] = [*catalogue.symptoms.values(), *catalogue.groups.values()]
    search = Search(log, {text for entry in entries for text in (*entry.patterns, *entry.also)})
    explanations = []
    for entry in entries:
        sightings = [search.found[each] for each in entry.patterns if each in search.found]
        if sightings and search.found.keys() >= set(entry.also):
            explanations.append(Explanation(entry, min(sightings, key=lambda each: each.line)))
    replaced = {name for explanation in explanations for name in explanation.cause.instead_of}
    explanations = [each for each in explanations if each.cause.id not in replaced]
    failures = [search.failure, *(each.sighting.line for each in explanations)]
    succeeded = search.success > max(failures)
    return Explained(explanations, search.build, search.last_error, search.lines, succeeded)
