"""Turn the records of Cloud Logging and of other programs (JSON or YAML) into lines of text."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from closed_function.files import as_mapping, as_text, text_at

# Where a record has its text, first of all; the rest of such a record is about where it comes from.
TEXTS = (
    *("textPayload", "jsonPayload.message", "jsonPayload.MESSAGE", "jsonPayload.msg"),
    *("jsonPayload.status.message", "@message", "log", "message", "msg", "error.message"),
)
# Beside the text: what else says why.
DETAILS = (
    *(
        "jsonPayload.exception",
        "jsonPayload.stack_trace",
        "jsonPayload.error",
        "jsonPayload.reason",
    ),
    *("exception", "stack_trace", "diagnostic.detail"),
)
TIMES = ("timestamp", "receiveTimestamp", "@timestamp", "time", "ts")
START = re.compile(r'^(?=\[\s*\{|\{\s*")', re.MULTILINE)
SEPARATORS = re.compile(r"[\s,\[]*")
YAML_DOCUMENT = re.compile(r"^---[ \t]*\n", re.MULTILINE)
YAML_FIELD = re.compile(r"^(?:textPayload|jsonPayload|protoPayload|insertId):", re.MULTILINE)
BLOCK = re.compile(r"[|>][+-]?\d?")
# A record that was pasted without its beginning or end is not JSON, but its fields are.
FIELD = re.compile(
    r'^\s*"(?:textPayload|message|summary|detail|@message)": ("(?:[^"\\\n]|\\.)*"),?[ \t]*$',
    re.MULTILINE,
)
MOST_FAILURES = 50  # texts that begin as JSON does and are none


class Entry(NamedTuple):
    """What was written at one time: its lines, and the number of the line where it begins."""

    time: str
    number: int
    lines: list[str]


class LineNumbers:
    """Count the lines before one position in a text after the other."""

    def __init__(self, text: str) -> None:
        self.text, self.position, self.number = text, 0, 0

    def at(self, position: int) -> int:
        self.number += self.text.count("\n", self.position, position)
        self.position = position
        return self.number


def json_entries(text: str) -> Iterator[tuple[int, int, list[Entry]]]:
    """Yield where each JSON text begins and ends in `text`, and its entries."""
    decoder = json.JSONDecoder()
    numbers = LineNumbers(text)
    end = failures = 0
    for start in START.finditer(text):
        if start.start() < end or failures > MOST_FAILURES:
            continue
        try:
            content, end = decoder.raw_decode(text, start.start())
        except (ValueError, RecursionError):
            failures += 1
            continue
        contents = content if isinstance(content, list) else [content]
        if not contents or not all(isinstance(each, dict) and each for each in contents):
            continue
        entries, position = [], start.start()
        for each in contents:
            # A list is read again, element by element, for the lines on which they begin.
            if isinstance(content, list):
                position = SEPARATORS.match(text, position).end()  # type: ignore[union-attr]
            entries.append(Entry(time_of(each), numbers.at(position), lines_of(each)))
            if isinstance(content, list):
                position = decoder.raw_decode(text, position)[1]
        yield start.start(), end, entries


def yaml_entries(text: str) -> list[Entry]:
    """Return the entries of the YAML that `gcloud logging read` prints, or none."""
    if len(YAML_FIELD.findall(text[:20_000])) < 1 or not re.search(
        r"^(?:insertId|logName|timestamp|severity):", text, re.MULTILINE
    ):
        return []
    entries, position = [], 0
    for document in YAML_DOCUMENT.split(text):
        start = text.index(document, position)
        position = start + len(document)
        content = as_mapping(parse_yaml(document.splitlines()))
        if content:
            number = text.count("\n", 0, start)
            entries.append(Entry(time_of(content), number, lines_of(content)))
    return entries


def parse_yaml(lines: list[str]) -> object:
    """Return what gcloud's YAML says: mappings, lists and texts, each text possibly folded."""
    values: dict[str, object] = {}
    items: list[object] = []
    position = 0
    while position < len(lines):
        line = lines[position]
        position += 1
        if not line.strip():
            continue
        indent = len(line) - len(line.lstrip())
        below = []
        while position < len(lines) and belongs_to(lines[position], indent, line):
            below.append(lines[position])
            position += 1
        content = line.strip()
        if content.startswith("- ") or content == "-":
            items.append(parse_yaml([" " * (indent + 2) + content[2:], *below]))
            continue
        pair = re.match(r"('[^']*'|[\w.@/-]+):(?: +(.*)|$)", content)
        if not pair:
            return fold([content, *below])
        values[pair[1].strip("'")] = value_of(pair[2] or "", below)
    return items or values


def belongs_to(line: str, indent: int, parent: str) -> bool:
    """Return whether a line of YAML continues the value of its `parent`."""
    own = len(line) - len(line.lstrip())
    is_item = line.lstrip().startswith("- ") and not parent.lstrip().startswith("- ")
    return not line.strip() or own > indent or (own == indent and is_item)


def value_of(text: str, below: list[str]) -> object:
    if BLOCK.fullmatch(text):
        margin = min((len(line) - len(line.lstrip()) for line in below if line.strip()), default=0)
        return "\n".join(line[margin:] for line in below)
    if text or not below:
        return fold([text, *below])
    return parse_yaml(below)


def fold(lines: list[str]) -> str:
    """Return a text that YAML has folded: an empty line is a line break, any other a space."""
    text = ""
    for line in (each.strip() for each in lines):
        text += line if not text or text.endswith(("\n", "\\")) else f" {line}" if line else "\n"
    if text.startswith("'") and text.endswith("'"):
        return text[1:-1].replace("''", "'")
    if text.startswith('"') and text.endswith('"'):
        try:
            return str(json.loads(re.sub(r"\\ ", " ", text.replace("\n", "\\n"))))
        except ValueError:
            return text[1:-1]
    return text


def time_of(content: object) -> str:
    return next((text for name in TIMES if (text := text_at(content, name))), "")


def lines_of(content: object) -> list[str]:
    """Return the lines of text of a record."""
    record = as_mapping(content)
    if payload := as_mapping(record.get("protoPayload")):
        return list(audit_lines(payload))
    texts = [text for name in TEXTS if (text := value_at(record, name))][:1]
    if summary := text_at(record, "diagnostic.summary"):
        texts = [f"Error: {summary}\n"]
    texts += [text for name in DETAILS if (text := value_at(record, name)) and text not in texts]
    error = as_mapping(record.get("error"))
    if error and texts:
        texts[0] = f"Error {as_string(error.get('code'))}: {texts[0]}"
        texts += leaves(error.get("details")) + leaves(error.get("errors"))
    if not texts:
        texts = leaves(record.get("jsonPayload", record))
        texts += [line for line in [refused_request(record)] if line]
    return [line for text in texts for line in text.rstrip("\n").split("\n")]


def value_at(record: Mapping[str, object], name: str) -> str:
    """Return the text at a dotted name; a name of the record's own may have dots, too."""
    return as_text(record.get(name)) or text_at(record, name)


def as_string(value: object) -> str:
    return "" if value is None else str(value)


def refused_request(record: Mapping[str, object]) -> str:
    """Return what a request's record says of it, where it was refused."""
    request = as_mapping(record.get("httpRequest"))
    status = as_string(request.get("status"))
    if not re.fullmatch("[45][0-9][0-9]", status):
        return ""
    return f"HTTP {status} for {request.get('requestMethod', '')} {request.get('requestUrl', '')}"


def audit_lines(payload: Mapping[str, object]) -> Iterator[str]:
    """Yield who called what, why it was refused, and for what a permission was missing."""
    principal = text_at(payload, "authenticationInfo.principalEmail")
    called = f"{principal or 'somebody'} called {as_text(payload.get('methodName'))}"
    status = as_mapping(payload.get("status"))
    message = as_text(status.get("message"))
    code = as_string(status.get("code"))
    yield f"{called}: {message or 'no error'}"
    if reason := text_at(payload, "metadata.violationReason"):
        yield f"VPC Service Controls refused {principal or 'somebody'}: {reason}"
    authorization = payload.get("authorizationInfo")
    for each in authorization if isinstance(authorization, list) and code == "7" else []:
        asked = as_mapping(each)
        permission, resource = as_text(asked.get("permission")), as_text(asked.get("resource"))
        if asked.get("granted") is not True and permission and permission not in message:
            denied = f"Permission '{permission}' denied on resource '{resource}'"
            yield f"{denied} for {principal}" if principal else denied
    yield from leaves(status.get("details"))
    yield from leaves(payload.get("metadata"))


def leaves(content: object, name: str = "") -> list[str]:
    """Return each text in a JSON value, after its name."""
    if isinstance(content, dict):
        return [line for key, each in content.items() for line in leaves(each, key)]
    if isinstance(content, list):
        return [line for each in content for line in leaves(each, name)]
    text = as_string(content)
    return [f"{name}: {text}" if name and "\n" not in text else text] if text else []
