"""Write docs/troubleshooting.md from the causes that the product's doctor knows: `make docs`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = ROOT / "{{cookiecutter.project_slug}}"
CATALOGUE = PRODUCT / "closed_function" / "symptoms" / "catalogue.json"
PAGE = ROOT / "docs" / "troubleshooting.md"

HEAD = """\
# Troubleshooting

In a generated repository `make doctor` looks for these causes before a build, and
`make explain LOG=FILE` (or `BUILD=ID`) reads the log of a build, of Terraform or of gcloud after
it. This page is made by `make docs` from the same list, `closed_function/symptoms/catalogue.json`.

`…` stands for any text, `¶` for the end of a line, `#` for a digit, and words in capitals for what
is yours. *Confidence* says how sure it is that the text means the cause: high is documented or
reproduced with the real client, medium was reported by somebody who met it, low is inferred.
"""


def page(catalogue: Mapping[str, Any]) -> str:
    """The page's text: the groups of causes that look alike, then every cause."""
    return "\n".join(lines(catalogue)) + "\n"


def lines(catalogue: Mapping[str, Any]) -> Iterator[str]:
    yield HEAD
    yield "| cause | what is wrong |\n| --- | --- |"
    for symptom in catalogue["symptoms"]:
        yield f"| [{symptom['id']}](#{symptom['id']}) | {capitals(symptom['what'])} |"
    yield "\n## What looks alike\n"
    grouped = {name for group in catalogue["groups"] for name in group["symptoms"]}
    for group in catalogue["groups"]:
        yield f"### {group['id']}\n"
        yield f"{capitals(group['what'])}\n"
        yield from texts(group)
        links = ", ".join(f"[{name}](#{name})" for name in group["symptoms"])
        yield f"One of, the most likely first: {links}.\n"
        yield f"To tell them apart: {capitals(group['tell_apart'])}\n"
    yield "## Every cause\n"
    for symptom in catalogue["symptoms"]:
        yield f"### {symptom['id']}\n"
        yield f"{capitals(symptom['what'])}\n"
        yield f"{capitals(symptom['why'])}\n"
        yield from texts(symptom)
        if not symptom["patterns"]:
            alike = "A log does not tell it from others: see *What looks alike*.\n"
            yield (
                alike if symptom["id"] in grouped else "Found by `make doctor`; no log shows it.\n"
            )
        if symptom["confirm"]:
            yield f"- Look: `{capitals(symptom['confirm'])}`: {capitals(symptom['shows'])}"
        yield f"- Cure: {capitals(symptom['cure'])}"
        yield f"- Source: {symptom['source']}; confidence: {symptom['confidence']}\n"


def texts(cause: Mapping[str, Any]) -> Iterator[str]:
    """What a log shows: one of the patterns, and all of what must be there, too."""
    if cause["patterns"]:
        yield "```text"
        yield from (text.strip() for text in cause["patterns"])
        yield "```\n"
    for text in cause["also"]:
        yield f"together with `{text.strip()}`\n"


def capitals(text: str) -> str:
    """`text` with each `{name}` in capitals."""
    return re.sub(r"\{(\w+)\}", lambda found: found[1].upper(), text)


def main() -> None:
    catalogue = json.loads(CATALOGUE.read_text(encoding="utf-8"))
    PAGE.write_text(page(catalogue), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
