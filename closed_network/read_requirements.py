"""Print, as JSON, what pip's own parser reads in a requirements file and in those that it names.

`python read_requirements.py FILE NAME...` runs with the Python, the pip and the variables of the
build, in the folder where pip runs; NAME are the variables whose values the build really has.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from pip._internal.req import constructors, req_file


def is_url(text: str) -> bool:
    return bool(urlsplit(text).scheme) and ":" in text[2:]  # not a drive of Windows


def slots(value: object) -> list[str]:
    return list(getattr(type(value), "__slots__", None) or vars(value))


def described(options: Any) -> dict[str, Any]:  # noqa: ANN401 - pip's own
    """Return the value of each option that is set, and for pip's own types what is in them."""
    plain = (str, int, float, bool, list, dict, type(None))
    return {
        name: value
        if isinstance(value, plain)
        else {slot: repr(getattr(value, slot)) for slot in slots(value)}
        for name, value in vars(options).items()
    }


def read_requirement(text: str) -> dict[str, Any]:
    """Return the name, address, marker and error of a requirement."""
    try:
        parts = constructors.parse_req_from_line(text, None)
    except Exception as error:  # noqa: BLE001 - pip refuses it, for whatever reason
        return {"error": str(error)}
    requirement = parts.requirement
    url = parts.link.url if parts.link else requirement and requirement.url
    marker = parts.markers or (requirement and requirement.marker)
    name = requirement.name if requirement else ""
    return {"name": name, "url": url or "", "marker": str(marker or "")}


def read(file: str, variables: set[str], seen: set[str]) -> Iterator[dict[str, Any]]:
    """Yield each logical line of `file`, and after one that names another file, those of that.

    But not those of files that were `seen`.
    """
    seen.add(os.path.realpath(file))
    _, content = req_file.get_file_content(file, session=None)  # type: ignore[arg-type]
    lines = req_file.ignore_comments(req_file.join_lines(enumerate(content.splitlines(), start=1)))
    raw = dict(lines)
    parse = req_file.get_line_parser(finder=None)
    unset = described(parse("")[1])
    for number, text in req_file.preprocess(content):
        found: dict[str, Any] = {"file": file, "line": number, "text": text}
        named = req_file.ENV_VAR_RE.findall(raw[number])
        found["variables"] = [name for _, name in named if name not in variables]
        try:
            requirement, options = parse(text)
        except req_file.OptionParsingError as error:
            yield {**found, "error": error.msg}
            continue
        values = described(options).items()
        found["options"] = given = {key: value for key, value in values if value != unset[key]}
        if requirement:
            found |= read_requirement(requirement)
        yield found
        if requirement:
            continue
        for nested in (given.get("requirements") or given.get("constraints") or [])[:1]:
            path = os.path.join(os.path.dirname(file), nested)  # noqa: PTH118, PTH120 - as pip does
            real = os.path.realpath(path)
            if not is_url(nested) and os.path.isfile(path) and real not in seen:  # noqa: PTH113
                yield from read(path, variables, seen)


if __name__ == "__main__":
    print(json.dumps(list(read(sys.argv[1], set(sys.argv[2:]), set()))))
