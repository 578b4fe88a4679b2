"""The template: its questions, its choices, its files."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from tests.support.repositories import git

TEMPLATE = Path(__file__).resolve().parents[2]
PRODUCT = TEMPLATE / "{{cookiecutter.project_slug}}"
QUESTIONS = json.loads((TEMPLATE / "cookiecutter.json").read_text(encoding="utf-8"))
# What is typed for each question in order; an empty line takes the default.
QUESTION_NAMES = [name for name in QUESTIONS if not name.startswith("_")]
CHOICES = {name: value for name, value in QUESTIONS.items() if isinstance(value, list)}
CHOICES = {name: value for name, value in CHOICES.items() if not name.startswith("_")}
KINDS = CHOICES["function_kind"]
# For a test that takes a second for each kind: the first in the fast tier, the others not.
KINDS_FIRST_FAST = [KINDS[0], *(pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS[1:])]


def combinations() -> list[dict[str, str]]:
    """Return every combination of choices that cookiecutter.json offers."""
    values = itertools.product(*CHOICES.values())
    return [dict(zip(CHOICES, chosen, strict=True)) for chosen in values]


def files_of_git(*options: str) -> list[str]:
    """The template's files as Git lists them with `options`, those not yet added included."""
    listed = git(TEMPLATE, "ls-files", "--cached", "--others", "--exclude-standard", "-z", *options)
    return list(filter(None, listed.split("\0")))
