"""Find the patterns of the catalogue in a text.

A pattern is the log's own text, not a regular expression: `…` stands for up to 400 characters of
one line, `¶` for the rest of a line and what the next begins with, `#` for a digit, and a space for
any white space, also where Terraform has wrapped a line.
"""

import re

GAP = 400
LINE_BREAK = re.compile(r"\n|\\n")


class Pattern:
    """A compiled pattern of the catalogue.

    Its parts are searched for one after the other, each at its first place, so the time grows only
    with the log's length.
    """

    def __init__(self, pattern: str) -> None:
        # A list such as ["first", "…", "second", "¶", "third"].
        texts = re.split("([…¶])", pattern)
        self.first, *parts = map(compile_part, texts[::2])
        self.rest = list(zip(texts[1::2], parts, strict=True))
        # The longest word of each part: a text without it does not have the pattern.
        self.words = [max(re.split("[ #]+", text), key=len) for text in texts[::2]]

    def search(self, text: str) -> tuple[int, int] | None:
        """Return where the pattern first begins in `text` and where it ends there."""
        if not all(word in text for word in self.words):
            return None
        for first in self.first.finditer(text):
            end = self.end_of_rest(text, first.end())
            if end is not None:
                return first.start(), end
        return None

    def end_of_rest(self, text: str, end: int) -> int | None:
        """Return where the pattern ends if its first part ends at `end` and the rest follows."""
        for gap, part in self.rest:
            start = next_line(text, end) if gap == "¶" else end
            part_end = None if start is None else match_on_line(part, text, start)
            if part_end is None:
                return None
            end = part_end
        return end


def compile_part(text: str) -> re.Pattern[str]:
    words = (re.escape(word).replace(re.escape("#"), "[0-9]") for word in text.split(" "))
    return re.compile(r"[\s│]+".join(words))


def next_line(text: str, position: int) -> int | None:
    """Return where the next line begins, also in JSON, which writes a line break as an escape."""
    line_break = LINE_BREAK.search(text, position, position + GAP)
    return line_break.end() if line_break else None


def match_on_line(part: re.Pattern[str], text: str, position: int) -> int | None:
    """Return where `part` ends if it begins on this line, or on one that Terraform wrapped."""
    match = part.search(text, position, position + 2 * GAP)
    if not match or match.start() > position + GAP:
        return None
    return None if re.search(r"\n(?!│)", text[position : match.start()]) else match.end()
