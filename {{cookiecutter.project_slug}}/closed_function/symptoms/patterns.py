"""The patterns of the catalogue, and how one is found in a text.

A pattern is the log's own text, not a regular expression: `…` stands for up to 400 characters of
one line, `¶` for the rest of a line and what the next begins with, `#` for a digit, and a space for
any white space, also where Terraform has wrapped a line.
"""

import re

GAP = 400


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
        split = [re.split("[ #]+", piece) for piece in (first, *rest[1::2])]
        self.words = [max(words, key=len) for words in split]

    def search(self, text: str) -> tuple[int, int] | None:
        """Return where the pattern first begins in `text` and where it ends there."""
        if not all(word in text for word in self.words):
            return None
        for begin in self.first.finditer(text):
            end = self.follow(text, begin.end())
            if end is not None:
                return begin.start(), end
        return None

    def follow(self, text: str, end: int) -> int | None:
        """Return where the pattern ends if its first piece ends at `end` and the rest follows."""
        for gap, piece in self.rest:
            start = next_line(text, end) if gap == "¶" else end
            found = None if start is None else match_on_line(piece, text, start)
            if found is None:
                return None
            end = found
        return end


def expression(piece: str) -> re.Pattern[str]:
    words = (re.escape(word).replace(re.escape("#"), "[0-9]") for word in piece.split(" "))
    return re.compile(r"[\s│]+".join(words))


def next_line(text: str, position: int) -> int | None:
    """Return where the next line begins, in JSON too, where a line break is written out."""
    breaks = [(text.find(mark, position, position + GAP), mark) for mark in ("\n", "\\n")]
    return min((at + len(mark) for at, mark in breaks if at >= 0), default=None)


def match_on_line(piece: re.Pattern[str], text: str, position: int) -> int | None:
    """Return where `piece` ends if it begins on this line, or on one that Terraform wrapped."""
    match = piece.search(text, position, position + 2 * GAP)
    if not match or match.start() > position + GAP:
        return None
    return None if re.search(r"\n(?!│)", text[position : match.start()]) else match.end()
