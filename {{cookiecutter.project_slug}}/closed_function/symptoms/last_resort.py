"""Say of a log that shows no known cause what its first real error is, and how to go on.

A wrapper's error (`exit status 1`) says only that something else has failed.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from closed_function.symptoms.catalogue import substitute

PROGRAMS = Path(__file__).with_name("programs.json")
WORDS = (
    *("ERROR", "Error", "error", "FATAL", "fatal", "Fatal", "denied", "Denied", "failed", "Failed"),
    *("FAILED", "FAILURE", "failure", "Exception", "exception", "annot ", "ould not", "nable to"),
    *("refused", "nvalid", "not found", "NOT_FOUND", "orbidden", "timed out", "imeout", "panic:"),
    *("CRITICAL", "Killed", "killed", "unexpected", "Unexpected", "missing", "not allowed"),
    *("***", "exit status", "exit code", "xited with", "aborted", "ABORTED", "not exist"),
)
MOST_PLACES = 300  # of each word
CROSS = "\u00d7"  # pip and uv begin an error with it
# A line that begins so says what is wrong.
SENTENCE = re.compile(
    rf"^[\s│{CROSS}✗✘❌*>-]*(?:[\w.-]+: )?(?:ERROR|Error|error|FATAL|Fatal|fatal|CRITICAL|panic|E"
    r"|denied|[A-Za-z_][\w.]*(?:Error|Exception)|Sorry)\b ?(?:\[[^\]]*\] ?)?[:(!]"
)
# A program that only passes on that another one failed.
WRAPPERS = (
    r"exit(?:ed)?(?: with)?(?: (?:non-zero )?(?:status|code))?:? ?\(?(?:code )?-?[0-9]+\)?\W*$",
    r"\(exit code [0-9]+\)|exit (?:status|code):? [0-9]+|non-zero exit|returned a non-zero code",
    r"subprocess-exited-with-error|This error originates from|did not run successfully",
    r"^make(?:\[[0-9]+\])?: |\*\*\* \[|local-exec provisioner error|See above for output",
    r"^[\s│]*ERROR:?\s*$|errored?\W*$|FAILURE\W*$|ERRORS?: *$|failed\.?\W*$",
    r"failed to build: (?:exit|for more)|build step [0-9]+ .*failed|BUILD FAIL|step exited with",
    r"^Build failed[;.]? ?$|Build failed; check build logs|Finished Step",
    r"Process completed with|script returned exit|Operation failed: failed running terraform",
    r"Failed to exec|ailed to run command|command failed|For more (?:details|information)",
    r"ERROR: No matching distribution|^There was an error",
)
WRAPPER = re.compile("|".join(WRAPPERS), re.IGNORECASE | re.MULTILINE)
# A line that has the word of an error and is none.
HARMLESS = (
    r"\b(?:0|no|without) (?:errors?|failures?|problems?)\b",
    r"error[-_]?reporting|errors?\.(?:py|go|js)",
    r"^\s*(?:Collecting|Downloading|Using cached|Requirement already|Installing collected) ",
    r"^\s*(?:Found link|Skipping link|Looking in|Obtaining|Saved|Attempting|Successfully) ",
    r"^\s*(?:[Cc]opying|adding|creating|writing|npm warn|DeprecationWarning|hint:|note:) ",
    r"\bWARN(?:ING)?\b|^\s*[Ww]arning\b|\bwarn:|Retrying|continuing|will retry|ignor(?:ed|ing)",
    r"--?\w*error|if-errors|on_error|onerror|[Ee]rror[- ]?handl|set -e|failOn|fail-?fast|_errors?=",
    r"^\s*\"?(?:type|domain|reason|errors?|error_?code)\"?\s*:\s*[\[{]?\s*$",
)
NOISE = re.compile("|".join(HARMLESS), re.MULTILINE)
CONTEXT = 2  # lines above and below
LOOK_BACK = 60  # lines in which a program says what it does


class Report(NamedTuple):
    """The first real error: its line among all, the program that speaks, and what comes next."""

    line: int
    program: str
    doing: str
    next: list[str]


@cache
def programs() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(PROGRAMS.read_text(encoding="utf-8"))
    return content


def error_lines(text: str) -> list[int]:
    """Return where lines begin that have a word of an error, in order, not too many."""
    places = set()
    for word in WORDS:
        place = -1
        for _ in range(MOST_PLACES):
            place = text.find(word, place + 1)
            if place < 0:
                break
            places.add(text.rfind("\n", 0, place) + 1)
            place = text.find("\n", place)
            if place < 0:
                break
    return sorted(places)


def first_error(text: str) -> int:
    """Return where the line of the first real error begins, or -1."""
    weak = wrapper = -1
    for start in error_lines(text):
        end = text.find("\n", start)
        line = text[start : end if end >= 0 else len(text)][:2000]
        if NOISE.search(line):
            continue
        if WRAPPER.search(line):
            wrapper = start if wrapper < 0 else wrapper
        elif SENTENCE.match(line):
            return start
        elif weak < 0 and not line.startswith("Traceback"):
            weak = start
    return weak if weak >= 0 else wrapper


def report(text: str, start: int, values: Mapping[str, str]) -> Report:
    """Return who speaks at `start`, what it was doing, and the two commands that help most."""
    line = text.count("\n", 0, start)
    since = start
    for _ in range(LOOK_BACK):
        since = text.rfind("\n", 0, max(0, since - 1)) + 1
        if since == 0:
            break
    before = text[since:start].split("\n")
    after = text[start : start + 4000].split("\n")[: 2 * CONTEXT + 1]
    program = speaker(after, before)
    entry = programs()[program]
    nearest = [*after, *reversed(before)]
    doing = next(
        (
            found["what"].strip()
            for line in nearest
            for pattern in entry["does"]
            if (found := re.search(pattern, line))
        ),
        "",
    )
    return Report(line, program, doing, [substitute(each, values) for each in entry["next"]])


def speaker(after: list[str], before: list[str]) -> str:
    """Return the program whose marks are on the line, else nearest to it."""
    for lines in (after[:1], after, before[-CONTEXT - 1 :], before):
        for name, entry in programs().items():
            marks = [mark for mark in entry["speaks"] if mark]
            if any(re.search(mark, line) for mark in marks for line in lines):
                return name
    return next(reversed(programs()))


def context(lines: list[str], index: int) -> Iterator[int]:
    """Yield the indexes of the lines around an error that are worth showing."""
    for near in range(max(0, index - CONTEXT), min(len(lines), index + CONTEXT + 1)):
        if near == index or lines[near].strip(" │╷╵"):
            yield near
