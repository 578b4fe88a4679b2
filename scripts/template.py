"""What the documents say of the template, read where the template says it."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = ROOT / "docs"
TERRAFORM = ROOT / "{{cookiecutter.project_slug}}" / "terraform"


def answers() -> dict[str, Any]:
    """The questions with their defaults."""
    content: dict[str, Any] = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    return content


@cache
def kind_settings(name: str) -> dict[str, Any]:
    """What a kind of function sets in its kind.jinja."""
    text = (ROOT / "templates" / name / "kind.jinja").read_text(encoding="utf-8")
    engine = Environment(**answers()["_jinja2_env_vars"])  # noqa: S701 - no page for a browser
    return vars(engine.from_string(text).module)


@cache
def stack_file(stack: str, name: str) -> str:
    """The text of a stack's file; the platform's folder has a condition in its name."""
    (path,) = TERRAFORM.glob(f"*{stack}*/{name}")
    return path.read_text(encoding="utf-8")


def setting(stack: str, path: str) -> str:
    """The default of a variable's attribute, such as `pool.name` of the platform, as it is written.

    KeyError when there is no such attribute or it has no default.
    """
    default = re.match(r'optional\(\w+, "?([^")]+)"?\)', declaration(stack, path))
    if not default:
        raise KeyError(path)
    return default[1]


def declaration(stack: str, path: str) -> str:
    """The file from where the attribute's type is declared; KeyError when it is not."""
    variable, *attributes = path.split(".")
    block = re.search(
        rf'^variable "{variable}" {{\n(.*?)^}}',
        stack_file(stack, "variables.tf"),
        re.MULTILINE | re.DOTALL,
    )
    text = block[1] if block else ""
    for attribute in attributes:
        declared = re.search(rf"^ +{attribute} += ", text, re.MULTILINE)
        text = text[declared.end() :] if declared else ""
    if not text:
        raise KeyError(path)
    return text
