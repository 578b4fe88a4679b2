"""Find the patterns of the catalogue in a text.

A pattern is the log's own text, not a regular expression: `…` stands for up to 400 characters of
one line, `¶` for the rest of a line and what the next begins with, `#` for a digit, `{a|b}` for
either, `{name}` for one of VARIABLES, and a space for any white space, also where Terraform has
wrapped a line. What a variable stands for is in the match.
"""

import re
from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from typing import NamedTuple

GAP = 400
# A text that repeats one word is not searched for ever.
MOST_PLACES = 2000
MOST_MATCHES = 20
LONGEST_VARIABLE = 200
SHORTEST_WORD = 4  # that a text is first searched for
# Such a beginning is found as fast as a plain text.
PLAIN_START = re.compile(r"[^\s'\"{#]")
LINE_BREAK = re.compile(r"\n|\\n")
SPACE = r"(?:[\s│]|\\n)+"
MARKS = "\"'`\u2018\u2019\u201c\u201d"
QUOTE = rf"(?:\\*[{MARKS}])"
ACCOUNT = r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+"
# What Google's sentences say of this one failure, and how it looks. Each may stand in quotes.
VARIABLES = {
    "permission": r"[a-z][A-Za-z]*(?:\.[A-Za-z]+){2,3}",
    "resource": rf"[^\s{MARKS},;()\[\]]*[^\s{MARKS},;:.()\[\]\\]",
    "principal": rf"(?:(?:serviceAccount|user|group|principal(?:Set)?):(?://)?)?{ACCOUNT}",
    "account": ACCOUNT,
    "constraint": r"(?:constraints/)?(?:[a-z][A-Za-z]*|custom)\.[A-Za-z]\w*(?:\.[A-Za-z]\w*)*",
    "service": r"[a-z][a-z0-9-]*\.googleapis\.com",
    "api": r"[A-Z][\w() /-]{1,60}?",
    "project": r"[a-z0-9][\w:-]*(?:\.[\w:-]+)*",
    "number": r"[0-9]+",
    "role": r"roles/[\w.]+",
    "region": r"[a-z]+-[a-z]+[0-9]+",
    "bucket": r"[a-z0-9][\w.-]*\w",
    "host": r"[A-Za-z0-9][\w-]*(?:\.[\w-]+)+",
    "range": r"[0-9]+(?:\.[0-9]+){3}/[0-9]+",
    "provider": r"[\w.-]+/[\w-]+(?:/[\w-]+)?",
    "version": r"v?[0-9][\w.+-]*",
    "package": r"[A-Za-z0-9][\w.-]*(?:\[[\w,.-]+\])?(?:[=<>~!]=?[^\s,;:'\"]+)?",
    "metric": r"[A-Za-z][\w .:/()-]*\w",
    "unique_id": r"[\w-]{8,}",
    "revision": r"[a-z][\w-]*-[0-9]{5}-[a-z]{3}|[\w-]+",
    "module": r"[A-Za-z_][\w.]*",
    "reason": r"[A-Z][A-Z_]{5,}",
    "policy": r"[A-Za-z]\w*(?:\.[A-Za-z]\w*)+",
    "agent": r"[A-Z][\w/]*(?: [A-Z][\w/]*){0,2}",
    "file": r"[^\s'\"]+",
    "word": r"[\w.-]+",
}
TOKEN = re.compile(r"\{([^{}\s]+|[^{}]*\|[^{}]*)\}")


class Match(NamedTuple):
    """Where a pattern begins and ends in a text, and what its variables stand for there."""

    start: int
    end: int
    values: dict[str, str]


def compile_pattern(text: str) -> list["Pattern"]:
    """Return what finds a pattern: several, where it begins with one of several words."""
    first = re.split("[…¶]", text)[0]
    choices = [found for found in TOKEN.finditer(first) if "|" in found[1]]
    if len(longest_word(first)) >= SHORTEST_WORD or not choices:
        return [Pattern(text)]
    widest = max(choices, key=lambda found: len(found[1]))
    begin, end = widest.span()
    options = (f"{text[:begin]}{option}{text[end:]}" for option in widest[1].split("|"))
    return [pattern for option in options for pattern in compile_pattern(option)]


class Pattern:
    """A compiled pattern of the catalogue.

    Its parts are searched for one after the other, each at its first place around a word of it, so
    the time grows only with the log's length.
    """

    def __init__(self, pattern: str) -> None:
        # A list such as ["first", "…", "second", "¶", "third"].
        self.texts = re.split("([…¶])", pattern)
        # The longest word of each part: a text without it does not have the pattern.
        self.words = [longest_word(text) for text in self.texts[::2]]

    @cached_property
    def first(self) -> re.Pattern[str]:
        return re.compile(part_expression(self.texts[0]))

    @cached_property
    def rest(self) -> list[tuple[str, re.Pattern[str]]]:
        """Each further part after the gap before it."""
        parts = (re.compile(part_expression(text)) for text in self.texts[2::2])
        return list(zip(self.texts[1::2], parts, strict=True))

    def matches(self, text: str) -> Iterator[Match]:
        """Yield where the pattern is in `text`."""
        end = found = 0
        for first in islice(self.first_parts(text), MOST_PLACES):
            match = self.whole_match(text, first) if first.start() >= end else None
            if match:
                yield match
                end, found = match.end, found + 1
            if found == MOST_MATCHES:
                return

    def first_parts(self, text: str) -> Iterator[re.Match[str]]:
        """Yield where the first part is in `text`."""
        if PLAIN_START.match(self.texts[0]):
            yield from self.first.finditer(text)
            return
        # An expression that begins with anything is slow: it is tried around its longest word.
        word, *others = sorted(literal_words(self.texts[0]), key=len, reverse=True)
        place, tried = text.find(word), 0
        while place >= 0 and tried < MOST_PLACES:
            since = max(0, place - LONGEST_VARIABLE, text.rfind("\n", 0, place) + 1)
            near = text[since : place + LONGEST_VARIABLE]
            if all(other in near for other in others):
                tried += 1
                first = self.first.search(text, since, place + 2 * GAP)
                if first and first.start() <= place < first.end():
                    yield first
            place = text.find(word, place + len(word))

    def whole_match(self, text: str, first: re.Match[str]) -> Match | None:
        """Return the match whose first part is `first`, if the rest follows."""
        end, values = first.end(), dict(first.groupdict(""))
        for gap, part in self.rest:
            start = next_line(text, end) if gap == "¶" else end
            found = None if start is None else match_on_line(part, text, start)
            if found is None:
                return None
            end = found.end()
            values |= found.groupdict("")
        return Match(first.start(), end, {name: value for name, value in values.items() if value})


def part_expression(text: str) -> str:
    """Return the regular expression for a part of a pattern."""
    expression = ""
    for index, token in enumerate(TOKEN.split(text)):
        if index % 2 == 0:
            expression += literal(token)
        elif "|" in token:
            expression += (
                f"(?:{'|'.join(map(literal, sorted(token.split('|'), key=len, reverse=True)))})"
            )
        elif token in VARIABLES:
            expression += f"{QUOTE}?(?P<{token}>{VARIABLES[token]}){QUOTE}?"
        else:
            expression += literal("{" + token + "}")
    return expression


def literal(text: str) -> str:
    words = (re.escape(word).replace(re.escape("#"), "[0-9]") for word in text.split(" "))
    return re.sub("[\"']", lambda _: QUOTE, SPACE.join(words))


def literal_words(text: str) -> list[str]:
    return re.split("[ #'\"]+", TOKEN.sub(" ", text))


def longest_word(text: str) -> str:
    return max(literal_words(text), key=len)


def next_line(text: str, position: int) -> int | None:
    """Return where the next line begins, also in JSON, which writes a line break as an escape."""
    line_break = LINE_BREAK.search(text, position, position + GAP)
    return line_break.end() if line_break else None


def match_on_line(part: re.Pattern[str], text: str, position: int) -> re.Match[str] | None:
    """Return the match of `part` if it begins on this line, or on one that Terraform wrapped."""
    match = part.search(text, position, position + 2 * GAP)
    if not match or match.start() > position + GAP:
        return None
    return None if re.search(r"\n(?!│)", text[position : match.start()]) else match
