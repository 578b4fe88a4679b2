"""Turn what people paste into the lines that a program wrote, in the order in which it did.

Each form is a line of PREFIXES, or a kind of record (records.py).
"""

import codecs
import html
import json
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from closed_function.symptoms.records import FIELD, Entry, json_entries, yaml_entries

ESCAPE_SEQUENCE = re.compile(
    r"\x1b(?:\[[0-9;:?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)|[@-_])"
)
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
STAMP = (
    r"[\[(]?\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?"
    r"(?:Z|[+-]\d\d:?\d\d| ?(?:UTC|GMT|JST|CES?T|[ECMP][SD]T|IST))?[\])]?"
)
# What stands before a program's own text, by who puts it there.
PREFIXES = {
    "a job of GitHub Actions": rf"(?:[^\t\n]+\t)(?:[^\t\n]+\t)\ufeff?(?={STAMP})",
    "a time stamp": rf"\ufeff?{STAMP}(?:[ \t]\|)?(?:[ \t]|$)",
    "a stream of GitLab": r"[0-9a-f]{2}[OE]\+? ",
    "GitLab's sections": r"section_(?:start|end):\d+:\S+",
    "GitHub's marks": r"##\[(?:error|warning|group|endgroup|command|debug|section)\]|"
    r"::(?:error|warning|group|endgroup|notice|debug)(?: [^:\n]*)?::",
    "a level of Terraform": r"\[(?:TRACE|DEBUG|INFO|WARN|ERROR)\] {1,2}",
    "a provider of Terraform": r"(?:provider|plugin)\.terraform-provider-[\w.-]+: ",
    "a step of Cloud Build": r"Step #\d+(?: - \"[^\"\n]*\")?: ?",
    "a phase of buildpacks": r"\[(?:builder|build|detector|analyzer|restorer|exporter|creator)\] ?",
    "a container of Kubernetes": r"\[pod/[^\]\n]+\] ",
    "a step of docker": r"#\d+ (?:\d+\.\d+ )?",
    "a job of Buildkite": r"  \| ?",
    "a remote of Git": r"remote: ",
    "a quotation": r"> ",
}
COMPILED = {name: re.compile(rf"^(?:{text})", re.MULTILINE) for name, text in PREFIXES.items()}
HEADER = re.compile(r"^LEVEL +NAME .*TIME_UTC +LOG *$", re.MULTILINE)
# The console copies them between a time and a text.
SEVERITIES = {"Default", "Debug", "Info", "Notice", "Warning", "Error", "Critical", "Alert"}
# Lines of which the second follows the first, wherever they stand together.
ORDERS = (
    (re.compile(r"Traceback \(most recent call last\):"), re.compile(r'  File "')),
    (
        re.compile(r"ERROR: Could not find a version"),
        re.compile(r"ERROR: No matching distribution"),
    ),
    (re.compile(r"╷"), re.compile(r"│ Error")),
    (re.compile(r"Starting Step #"), re.compile(r"(?:Step #|Already have|Pulling)")),
)
SAMPLE = 40_000  # characters at the beginning, in the middle and at the end
MOST_ROUNDS = 6
# A terminal breaks lines at its width.
NARROWEST = 60
ALIKE = 8  # characters


class Text(NamedTuple):
    """Lines in the order in which they were written, and their numbers in the log, from 0."""

    text: str
    numbers: Sequence[int]


def encoding_of(content: bytes) -> str:
    """Return the encoding of a log: UTF-8, unless its mark or its zeros say UTF-16."""
    for mark, name in BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            return name
    sample = content[:4000]
    if len(sample) > 3 and sample.count(0) > len(sample) // 3:
        return "utf-16-be" if sample[0] == 0 else "utf-16-le"
    return "utf-8"


def normalise(text: str) -> Text:
    """Return the lines that a program wrote, out of any form in which a log is pasted."""
    text = clean(text)
    if re.search(r"&(?:quot|lt|gt|amp|#3[49]);", text[:SAMPLE]):
        text = html.unescape(text)
    entries = list(entries_of(text))
    if entries:
        if newest_first(entries):
            entries.reverse()
        lines = [(line, entry.number) for entry in entries for line in entry.lines]
        inner = ESCAPE_SEQUENCE.sub("", "\n".join(line for line, _ in lines))
        inner, _ = strip_prefixes(inner)
        return Text(inner, [number for _, number in lines])
    return in_order(text)


def clean(text: str) -> str:
    """Return `text` without colours, with one kind of line ends."""
    return ESCAPE_SEQUENCE.sub("", text).replace("\r\n", "\n").replace("\r", "\n")


def entries_of(text: str) -> Iterator[Entry]:
    """Yield the entries of a log of records, and what stands between them; nothing for others."""
    found = list(json_entries(text))
    if not found:
        yield from yaml_entries(text)
        return
    position = number = 0
    for start, end, entries in found:
        between = text[position:start]
        if between.strip():
            lines = between.strip("\n").split("\n")
            yield Entry("", number + leading_breaks(between), lines)
        yield from entries
        number += text.count("\n", position, end)
        position = end
    if text[position:].strip():
        rest = text[position:]
        yield Entry("", number + leading_breaks(rest), rest.strip("\n").split("\n"))


def leading_breaks(text: str) -> int:
    return len(text) - len(text.lstrip("\n"))


def newest_first(entries: Sequence[Entry]) -> bool:
    """Return whether later entries stand above earlier ones."""
    times = [entry.time for entry in entries if entry.time]
    pairs = [(one, other) for one, other in pairwise(times) if one != other]
    down = sum(one > other for one, other in pairs)
    if pairs:
        return down * 2 > len(pairs)
    return backwards("\n".join(entry.lines[0] if entry.lines else "" for entry in entries))


def backwards(text: str) -> bool:
    """Return whether lines that follow each other stand the other way round."""
    lines = (
        text.split("\n") if len(text) < 4 * SAMPLE else (text[:SAMPLE] + text[-SAMPLE:]).split("\n")
    )
    forward = backward = 0
    for first, second in ORDERS:
        for one, other in pairwise(lines):
            forward += bool(first.match(one) and second.match(other))
            backward += bool(second.match(one) and first.match(other))
    last = next((line for line in reversed(lines) if line.strip()), "")
    # A traceback alone ends with its title when it is read upwards.
    backward += last.startswith("Traceback (most recent call last):") and forward == 0
    return backward > forward


def in_order(text: str) -> Text:
    """Return a log of plain lines without prefixes, the oldest line first."""
    if '": "' in text[:SAMPLE]:
        text = FIELD.sub(lambda field: str(json.loads(field[1])).replace("\n", "\\n"), text)
    stripped, times = strip_prefixes(strip_columns(text))
    stamps = [time for time in times if time]
    pairs = [(one, other) for one, other in pairwise(stamps) if one != other]
    reverse = sum(one > other for one, other in pairs) * 2 > len(pairs)
    reverse = reverse if pairs else backwards(stripped)
    lines = stripped.split("\n") if reverse or stamps else []
    alone = {number for number, time in enumerate(times) if time and not lines[number].strip()}
    alone = alone if len(alone) > 1 else set()
    if not reverse and not alone:
        return Text(stripped, range(stripped.count("\n") + 1))
    alone |= {number - 1 for number in alone if number and lines[number - 1] in SEVERITIES}
    groups: list[list[int]] = []
    for number in range(len(lines) - (not lines[-1])):
        if groups and pairs and not times[number]:
            groups[-1].append(number)
        else:
            groups.append([number])
    if reverse:
        groups.reverse()
    order = [number for group in groups for number in group if number not in alone]
    return Text("\n".join(lines[number] for number in order), order)


def strip_columns(text: str) -> str:
    """Return the table of `gcloud functions logs read` without what is left of the time."""
    header = HEADER.search(text)
    if not header:
        return text
    time, log = header[0].index("TIME_UTC"), header[0].index("LOG")
    lines = text.split("\n")
    first = text.count("\n", 0, header.start())
    for number, line in enumerate(lines[first + 1 :], start=first + 1):
        stamped = re.match(STAMP, line[time:])
        if stamped:
            lines[number] = f"{stamped[0]} {line[log:]}"
        elif not line[:log].strip():
            lines[number] = line[log:]
    lines[first] = ""
    return "\n".join(lines)


def strip_prefixes(text: str) -> tuple[str, list[str]]:
    """Return `text` without what stands before a program's lines, and the times of the lines.

    No line is added or lost. The times are those of the first prefix that has any.
    """
    half = max(0, len(text) // 2 - SAMPLE // 2)
    sample = "\n".join((text[:SAMPLE], text[half : half + SAMPLE], text[-SAMPLE:]))
    times: list[str] = []
    for _ in range(MOST_ROUNDS):
        used = {name: prefix for name, prefix in COMPILED.items() if prefix.search(sample)}
        if not used:
            break
        for name, prefix in used.items():
            if name == "a time stamp" and not times:
                stamp = re.compile(f"\ufeff?({STAMP})").match
                found = [stamp(line) for line in text.split("\n")]
                times = [each[1] if each else "" for each in found]
            sample, text = prefix.sub("", sample), prefix.sub("", text)
    return text, times


def unwrap(text: str) -> Text | None:
    """Return the lines of a text that a terminal has broken at its width, or None."""
    lines = clean(text).split("\n")
    width = max(map(len, lines))
    full = [len(line) == width for line in lines]
    # Lines of one length that begin alike are lines of a program.
    alike = any(
        full[index] and full[index + 1] and line[:ALIKE] == lines[index + 1][:ALIKE]
        for index, line in enumerate(lines[:-1])
    )
    if width < NARROWEST or full[-1] or alike:
        return None
    joined: list[str] = []
    numbers: list[int] = []
    for index, line in enumerate(lines):
        if index and full[index - 1]:
            joined[-1] += line
        else:
            joined.append(line)
            numbers.append(index)
    normal = normalise("\n".join(joined))
    return Text(normal.text, [numbers[number] for number in normal.numbers])
