"""Read a log of any form and size, and find the causes that it shows."""

import codecs
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO, NamedTuple

from closed_function.redaction import CREDENTIAL
from closed_function.symptoms import last_resort
from closed_function.symptoms.catalogue import KINDS, Catalogue, Group, Symptom
from closed_function.symptoms.forms import ESCAPE_SEQUENCE, Text, encoding_of, normalise, unwrap
from closed_function.symptoms.grammar import complete
from closed_function.symptoms.patterns import Match, compile_pattern
from closed_function.symptoms.ranking import (
    ISOLATED_CAUSE,
    Finding,
    Sighting,
    isolated_builds,
    rank,
)
from closed_function.symptoms.tracebacks import cause_of, find_tracebacks

PIECE = 16 << 20  # bytes read and searched at a time
OVERLAP = 1 << 13  # characters of the piece before, for a text that spans two
LONGEST_UNWRAPPED = 1 << 20
LONGEST_EXCERPT = 300
HIDDEN = "\0"
SUCCESS_WORDS = (
    *("Successfully installed", "Apply complete!", "\nDONE", "status: SUCCESS", 'status "SUCCESS"'),
    *(
        "Destroy complete!",
        "Successfully built",
        "state: ACTIVE",
        "No changes. Your infrastructure",
    ),
    *(
        "Default STARTUP TCP probe succeeded",
        "Successful update operation",
        "No broken requirements",
    ),
)
ERROR_WORDS = ("ERROR", "Error", "error:", "FATAL", "fatal:", "denied", "make: ***")
# Terraform draws a box around an error and its details.
BOX_BEGIN, BOX_SENTENCE = "╷", "│ Error: "
# Terraform names the build that failed and shows nothing of its log.
BUILD = re.compile(r"cloud-build/builds[;/](?:region=)?[a-z0-9-]+/([0-9a-f-]{36})")


class Explanation(NamedTuple):
    cause: Symptom | Group
    sighting: Sighting
    values: dict[str, str]


class Unknown(NamedTuple):
    """The first real error of a log that shows no known cause, and what is around it."""

    sighting: Sighting
    context: list[Sighting]
    report: last_resort.Report


class Explained(NamedTuple):
    """What a log shows: causes, the first of which is the reason, and whether it ends well."""

    explanations: list[Explanation]
    build: str | None
    unknown: Unknown | None
    last_line: Sighting | None
    lines: int
    succeeded: bool


def read_pieces(log: BinaryIO) -> Iterator[tuple[int, str]]:
    """Yield the number of the first line and the text of each piece; pieces overlap a little."""
    content = read(log)
    decoder = codecs.getincrementaldecoder(encoding_of(content))("replace")
    line, overlap = 1, ""
    while content:
        following = read(log)
        piece = overlap + decoder.decode(content, final=not following)
        if following:
            cut = piece.rfind("\n", len(piece) - OVERLAP) + 1 or len(piece)
            piece, rest = piece[:cut], piece[cut:]
        else:
            rest = ""
        yield line, piece
        overlap = piece[-OVERLAP:] + rest if following else ""
        line += piece.count("\n", 0, max(0, len(piece) - OVERLAP))
        content = following


def read(log: BinaryIO) -> bytes:
    """Return the next piece of `log`; a pipe gives less at a time."""
    parts = []
    size = 0
    while size < PIECE and (part := log.read(PIECE - size)):
        parts.append(part)
        size += len(part)
    return b"".join(parts)


class Search:
    """What a log shows, piece by piece: findings, its first error, its last failure and success."""

    def __init__(self, catalogue: Catalogue, values: Mapping[str, str]) -> None:
        self.causes = catalogue.causes()
        self.values = values
        texts = {text for each in self.causes.values() for text in (*each.patterns, *each.also)}
        self.patterns = {text: compile_pattern(text) for text in texts}
        self.found: set[str] = set()
        self.findings: list[Finding] = []
        self.isolated: list[range] = []
        self.build: str | None = None
        self.unknown: Unknown | None = None
        self.last_line: Sighting | None = None
        self.failure = self.success = self.lines = 0

    def add(self, first_line: int, text: Text) -> None:
        """Search a piece of the log that begins with `first_line`."""
        page = Page(first_line, text)
        # A long log repeats its lines; the words of a pattern are in one of each.
        distinct = "\n".join(dict.fromkeys(text.text.split("\n")))
        present: dict[str, bool] = {}
        matches: dict[str, list[Match]] = {}
        for name, patterns in self.patterns.items():
            for pattern in patterns:
                if has_all(distinct, pattern.words, present):
                    matches.setdefault(name, []).extend(pattern.matches(text.text))
        self.found |= {name for name, found in matches.items() if found}
        for cause in self.causes.values():
            for name in cause.patterns:
                for match in matches.get(name, []):
                    self.note(page, cause.id, match)
        for traceback in find_tracebacks(text.text):
            name, values = cause_of(traceback)
            if name:
                self.note(page, name, Match(traceback.start, traceback.end, values))
        for start, end in isolated_builds(text.text):
            self.isolated.append(range(page.index(start), page.index(end) + 1))
            self.note(page, ISOLATED_CAUSE, Match(start, start, {}))
        self.build = self.build or find_build(text.text)
        self.note_end(page, text.text)

    def note(self, page: "Page", cause: str, match: Match) -> None:
        name, values = complete(cause, match.values, self.values)
        lines = range(page.index(match.start), page.index(max(match.start, match.end - 1)) + 1)
        where = page.sighting(match.start, match.end)
        self.findings.append(Finding(self.causes[name], lines, where, values))

    def note_end(self, page: "Page", text: str) -> None:
        failure = max(text.rfind(word) for word in ERROR_WORDS)
        if failure >= 0:
            self.failure = page.index(failure) + 1
        success = max(text.rfind(word) for word in SUCCESS_WORDS)
        if success >= 0:
            self.success = page.index(success + 1) + 1
        last = text.rstrip()
        if last:
            self.last_line = page.sighting(len(last) - 1, len(last) - 1)
        self.lines = page.first_line + len(page.text.numbers) - 1
        if self.unknown is None and (start := last_resort.first_error(text)) >= 0:
            report = last_resort.report(text, start, self.values)
            lines = text.split("\n")
            starts = {report.line: start}
            near = list(last_resort.context(lines, report.line))
            for index in near:
                offset = sum(len(line) + 1 for line in lines[min(index, report.line) : report.line])
                ahead = sum(len(line) + 1 for line in lines[report.line : index])
                starts[index] = start - offset + ahead
            around = [page.sighting(starts[index], starts[index]) for index in near]
            self.unknown = Unknown(page.sighting(start, start), around, report)

    def explained(self) -> Explained:
        ranked = rank(self.complete_findings(), self.isolated)
        explanations = [Explanation(each.cause, each.sighting, each.values) for each in ranked]
        failures = [self.failure, *(each.lines.start + 1 for each in ranked)]
        succeeded = self.success > max(failures)
        return Explained(
            explanations, self.build, self.unknown, self.last_line, self.lines, succeeded
        )

    def complete_findings(self) -> list[Finding]:
        """Return the findings of those causes whose further texts are in the log, too."""
        return [each for each in self.findings if self.found >= set(each.cause.also)]


class Page:
    """A piece of a log, and where its lines are in the whole."""

    def __init__(self, first_line: int, text: Text) -> None:
        self.first_line, self.text = first_line, text

    def index(self, position: int) -> int:
        """Return the index of a position's line among all lines in the order of writing."""
        return self.first_line - 1 + self.text.text.count("\n", 0, position)

    def sighting(self, start: int, end: int) -> Sighting:
        """Return what is there, after the sentence above it that Terraform begins with."""
        quoted = self.excerpt(start, end)
        text = self.text.text
        since = max(0, start - OVERLAP)
        line = text.rfind("\n", since, start) + 1
        sentence = text.rfind(BOX_SENTENCE, since, start + len(BOX_SENTENCE))
        in_box = text.startswith("│", line) and sentence > text.rfind(BOX_BEGIN, since, start)
        if not in_box or quoted.text.startswith("Error: "):
            return quoted
        first = self.excerpt(sentence, sentence)
        return Sighting(first.line, f"{first.text} … {quoted.text}")

    def excerpt(self, start: int, end: int) -> Sighting:
        """Return the line around `start` and `end`, or as much as a screen holds."""
        text = self.text.text
        index = text.count("\n", 0, start)
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
        number = self.first_line + self.text.numbers[min(index, len(self.text.numbers) - 1)]
        return Sighting(number, re.sub(r"[\s│]+", " ", quoted).strip())


def has_all(text: str, words: Iterable[str], present: dict[str, bool]) -> bool:
    """Return whether every word is in `text`; `present` holds what is known already."""
    for word in words:
        if word not in present:
            present[word] = word in text
        if not present[word]:
            return False
    return True


def find_build(text: str) -> str | None:
    """Return the id in the first link to a build."""
    build = BUILD.search(ESCAPE_SEQUENCE.sub("", text))
    return build[1] if build else None


def explain(log: BinaryIO, catalogue: Catalogue, values: Mapping[str, str]) -> Explained:
    """Return what `log` shows; `values` are those of this repository's files."""
    search = Search(catalogue, values)
    piece = ""
    for first_line, piece in read_pieces(log):
        search.add(first_line, normalise(piece))
    explained = search.explained()
    joined = unwrap(piece) if len(piece) <= LONGEST_UNWRAPPED else None
    if not joined:
        return explained
    search = Search(catalogue, values)
    search.add(1, joined)
    again = search.explained()
    return again if says_more(again, explained) else explained


def says_more(one: Explained, other: Explained) -> bool:
    """Return whether the first cause of `one` is more certain than that of `other`."""
    if not one.explanations or not other.explanations:
        return bool(one.explanations)
    first, second = one.explanations[0].cause, other.explanations[0].cause
    more_certain = KINDS.index(first.kind) < KINDS.index(second.kind)
    return more_certain or second.id in first.instead_of
