"""Write docs/troubleshooting.md from the catalogue of causes: `make docs`."""

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

In a generated repository `make doctor` looks for these causes before a build. After it,
`make explain LOG=FILE` (or `BUILD=ID`) reads the log of a build, of Terraform or of gcloud.
`make docs` generates this page from their list, `closed_function/symptoms/catalogue.json`.

`…` means any text, `¶` the end of a line, `#` a digit; replace words in capitals with your values.
*Confidence* shows how certain it is that the text has this cause: high is documented or
reproduced with the real client, medium is reported by a user, low is inferred.
"""


def page(catalogue: Mapping[str, Any]) -> str:
    """Return the page: the groups of causes that look alike, then every cause."""
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
        yield f"One of these, the most likely first: {links}.\n"
        yield f"To distinguish them: {capitals(group['tell_apart'])}\n"
    yield "## Every cause\n"
    for symptom in catalogue["symptoms"]:
        yield f"### {symptom['id']}\n"
        yield f"{capitals(symptom['what'])}\n"
        yield f"{capitals(symptom['why'])}\n"
        yield from texts(symptom)
        if not symptom["patterns"]:
            alike = "A log cannot distinguish it from others: see *What looks alike*.\n"
            yield (
                alike if symptom["id"] in grouped else "Found by `make doctor`; no log shows it.\n"
            )
        if symptom["confirm"]:
            yield f"- Look: `{capitals(symptom['confirm'])}`: {capitals(symptom['shows'])}"
        yield f"- Cure: {capitals(symptom['cure'])}"
        yield f"- Source: {symptom['source']}; confidence: {symptom['confidence']}\n"


def texts(cause: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a log shows: one of the patterns, and all texts that must be there, too."""
    if cause["patterns"]:
        yield "```text"
        yield from (text.strip() for text in cause["patterns"])
        yield "```\n"
    for text in cause["also"]:
        yield f"together with `{text.strip()}`\n"


def capitals(text: str) -> str:
    """Return `text` with each `{name}` in capitals."""
    return re.sub(r"\{(\w+)\}", lambda found: found[1].upper(), text)


def main() -> None:
    catalogue = json.loads(CATALOGUE.read_text(encoding="utf-8"))
    PAGE.write_text(page(catalogue), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
