"""Write docs/troubleshooting.md from the catalogue of causes: `make docs`."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = ROOT / "{{cookiecutter.project_slug}}"
CATALOGUE = PRODUCT / "closed_function" / "symptoms" / "catalogue.json"
PAGE = ROOT / "docs" / "troubleshooting.md"

HEAD = """\
# Troubleshooting

In a generated repository `make doctor` looks for these causes before a build. After it,
`make explain LOG=FILE` (or `BUILD=ID`) reads the log of a build, of Terraform or of gcloud, in
whatever form it was copied.
`make docs` generates this page from their list, `closed_function/symptoms/catalogue.json`.

The causes stand under what you see when they strike. In the texts `…` means any text, `¶` the end
of a line, `#` a digit, `{a|b}` either, and words in capitals a value of yours.
*Confidence* shows how certain it is that the text has this cause: high is documented or
reproduced with the real client, medium is reported by a user, low is inferred.
"""
TABLES = CATALOGUE.with_name("tables.json")


def page(catalogue: Mapping[str, Any]) -> str:
    """Return the page: a table of what is seen at each stage, then every cause by stage."""
    return "\n".join(lines(catalogue)) + "\n"


def lines(catalogue: Mapping[str, Any]) -> Iterator[str]:
    yield HEAD
    stages = catalogue["stages"]
    for title in stages.values():
        yield f"- [{title}](#{anchor(title)})"
    grouped = {name for group in catalogue["groups"] for name in group["symptoms"]}
    for stage, title in stages.items():
        groups = [each for each in catalogue["groups"] if each["stage"] == stage]
        symptoms = [each for each in catalogue["symptoms"] if each["stage"] == stage]
        yield f"\n## {title}\n"
        yield "| cause | what is wrong |\n| --- | --- |"
        for cause in (*groups, *symptoms):
            yield f"| [{cause['id']}](#{cause['id']}) | {capitals(cause['what'])} |"
        yield ""
        for group in groups:
            yield from group_lines(group)
        for symptom in symptoms:
            yield from symptom_lines(symptom, grouped)


def anchor(title: str) -> str:
    return re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")


def group_lines(group: Mapping[str, Any]) -> Iterator[str]:
    yield f"### {group['id']}\n"
    yield f"{capitals(group['what'])} Several causes print this text.\n"
    yield from texts(group)
    links = ", ".join(f"[{name}](#{name})" for name in group["symptoms"])
    yield f"One of these, the most likely first: {links}.\n"
    yield f"To distinguish them: {capitals(group['tell_apart'])}\n"


def symptom_lines(symptom: Mapping[str, Any], grouped: Collection[str]) -> Iterator[str]:
    yield f"### {symptom['id']}\n"
    yield f"{capitals(symptom['what'])}\n"
    yield f"{capitals(symptom['why'])}\n"
    yield from texts(symptom)
    if not symptom["patterns"]:
        yield f"{without_text(symptom['id'], grouped)}\n"
    if symptom["confirm"]:
        yield f"- Look: `{capitals(symptom['confirm'])}`: {capitals(symptom['shows'])}"
    yield f"- Cure: {capitals(symptom['cure'])}"
    yield f"- Source: {symptom['source']}; confidence: {symptom['confidence']}\n"


def without_text(name: str, grouped: Collection[str]) -> str:
    """Return how a cause is found that has no text of its own."""
    tables = json.loads(TABLES.read_text(encoding="utf-8"))
    constraints = [
        key for key, entry in tables["constraints"].items() if entry.get("cause") == name
    ]
    if constraints:
        return f"A text that names the constraint `{'` or `'.join(constraints)}` shows it."
    if name in TOLD_BY:
        return TOLD_BY[name]
    if name in grouped:
        return "A log cannot distinguish it from others that print the same text."
    return "Found by `make doctor`; no log shows it."


PERMISSION = "A text of [deployer-without-roles](#deployer-without-roles) shows it that names "
TRACEBACK = "The last frame of the function's own code in a traceback shows it."
# What recognises a cause by more than a text.
TOLD_BY = {
    "account-without-role": f"{PERMISSION}a service account.",
    "agent-without-role": f"{PERMISSION}an agent of Google's.",
    "code-fails": TRACEBACK,
    "code-fails-at-start": TRACEBACK,
    "import-name-missing": TRACEBACK,
}


def texts(cause: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a log shows: one of the patterns, and all texts that must be there, too."""
    if cause["patterns"]:
        yield "```text"
        yield from (capitals(text).strip() for text in cause["patterns"])
        yield "```\n"
    for text in cause["also"]:
        yield f"together with `{text.strip()}`\n"


def capitals(text: str) -> str:
    """Return `text` with each `{name}` in capitals, and each `{name:words}` as its words."""
    return re.sub(
        r"\{(\w+)(?::([^{}]*))?\}",
        lambda found: found[1].upper() if found[2] is None else found[2],
        text,
    )


def main() -> None:
    catalogue = json.loads(CATALOGUE.read_text(encoding="utf-8"))
    PAGE.write_text(page(catalogue), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
