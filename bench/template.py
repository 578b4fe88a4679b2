"""What the template itself costs: a bake, and what its rehearsal asks of Artifact Registry."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from .pairs import TEMPLATE, Row, medians, processor_seconds, rounds, seconds

# Folders of other people's templates, which are baked in the same rounds, without their hooks.
COMPARED = "BENCH_TEMPLATES"


@contextmanager
def one_file_template() -> Iterator[Path]:
    """A template of one file and one question, without hooks."""
    with tempfile.TemporaryDirectory() as name:
        template = Path(name)
        (template / "cookiecutter.json").write_text('{"slug": "bare"}', encoding="utf-8")
        folder = template / "{{cookiecutter.slug}}"
        folder.mkdir()
        (folder / "README.md").write_text("{{ cookiecutter.slug }}\n", encoding="utf-8")
        yield template


def bake_rows() -> Iterator[Row]:
    others = [Path(name) for name in os.environ.get(COMPARED, "").split()]
    with one_file_template() as bare, tempfile.TemporaryDirectory() as out:
        environment = {**os.environ, "HOME": out, "CLOSED_FUNCTION_ALLOW": "0"}
        folder = Path(out, "baked")
        command = [sys.executable, "-m", "cookiecutter", "--no-input", "--output-dir", str(folder)]

        def bake(command: list[str]) -> float:
            shutil.rmtree(folder, ignore_errors=True)  # the hook links only a new repository
            return processor_seconds(command, environment)

        commands = [[*command, str(bare)], [*command, str(TEMPLATE)]]
        commands += [[*command, "--accept-hooks", "no", str(other)] for other in others]
        taken = rounds([partial(bake, each) for each in commands])
    yield medians(taken, 1, 0).row(
        "default bake with hooks ÷ bake of one file without", "s of processor time"
    )
    for number, other in enumerate(others, start=2):
        what = f"bake of {other.name} without hooks ÷ bake of one file"
        yield medians(taken, number, 0).row(what, "s of processor time")
        what = f"default bake with hooks ÷ bake of {other.name} without"
        yield medians(taken, 1, number).row(what, "s of processor time")


def request_rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as out:
        cookiecutter = [sys.executable, "-m", "cookiecutter", "--no-input", "--default-config"]
        seconds([*cookiecutter, "--output-dir", out, str(TEMPLATE)])
        product, report = Path(out, "alert-to-snmp"), Path(out, "report.json")
        rehearse = [sys.executable, "-m", "closed_network", "rehearse", str(product)]
        seconds([*rehearse, "--report", str(report)])
        findings = json.loads(report.read_text(encoding="utf-8"))
        lock = (product / "function" / "requirements.txt").read_text(encoding="utf-8")
    locked = len(re.findall(r"^\S+==", lock, re.MULTILINE))
    host = next(iter(findings["requests"]))
    requests = findings["requests"][host] - 1  # the page that was denied first
    yield (
        "requests of the rehearsal's pip ÷ locked packages",
        f"{requests} ÷ {locked}, {sum(findings['refused'].values())} elsewhere",
        f"{requests / locked:.2f}",
        "= 2",
    )
