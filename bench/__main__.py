"""What the README quotes: ratios measured in one run, the two sides in turn, medians of pairs.

`make bench` prints a table. Times are of whole processes, so start-up counts; nothing is asserted.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

TEMPLATE = Path(__file__).resolve().parent.parent
PRODUCT = TEMPLATE / "{{cookiecutter.project_slug}}"
FUNCTIONS_PYTHON = TEMPLATE / ".venv-functions" / "bin" / "python"
KINDS = json.loads((TEMPLATE / "cookiecutter.json").read_text(encoding="utf-8"))["function_kind"]
PAIRS = 15


def seconds(command: Sequence[str], environment: dict[str, str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def ratio(
    ours: Sequence[str], theirs: Sequence[str], environment: dict[str, str] | None = None
) -> tuple[float, float, float]:
    """Medians in seconds of `ours` and of `theirs`, and the median of the ratios pair by pair."""
    environment = environment or dict(os.environ)
    for command in (ours, theirs):
        seconds(command, environment)  # not counted: fills the caches
    pairs = [(seconds(ours, environment), seconds(theirs, environment)) for _ in range(PAIRS)]
    first, second = zip(*pairs, strict=True)
    return (
        statistics.median(first),
        statistics.median(second),
        statistics.median(a / b for a, b in pairs),
    )


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


def bake_rows() -> Iterator[tuple[str, ...]]:
    with one_file_template() as bare, tempfile.TemporaryDirectory() as out:
        environment = {**os.environ, "HOME": out, "CLOSED_FUNCTION_ALLOW": "0"}
        command = [sys.executable, "-m", "cookiecutter", "--no-input", "-f", "--output-dir", out]
        ours, theirs, median = ratio([*command, str(TEMPLATE)], [*command, str(bare)], environment)
    yield (
        "default bake with hooks ÷ bake of one file without",
        f"{ours:.3f} s ÷ {theirs:.3f} s",
        f"{median:.2f}",
        "≤ 1.4",
    )


def import_rows() -> Iterator[tuple[str, ...]]:
    for kind in KINDS:
        folders = (TEMPLATE / "templates" / kind / "function", PRODUCT / "function")
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))}
        commands = [
            [str(FUNCTIONS_PYTHON), "-c", f"import {module}"]
            for module in ("main", "functions_framework")
        ]
        ours, theirs, median = ratio(commands[0], commands[1], environment)
        yield (
            f"import of {kind} ÷ import of functions_framework",
            f"{ours:.3f} s ÷ {theirs:.3f} s",
            f"{median:.2f}",
            "≤ 1.1",
        )


def request_rows() -> Iterator[tuple[str, ...]]:
    with tempfile.TemporaryDirectory() as out:
        cookiecutter = [sys.executable, "-m", "cookiecutter", "--no-input", "--default-config"]
        seconds([*cookiecutter, "--output-dir", out, str(TEMPLATE)], dict(os.environ))
        product, report = Path(out, "alert-to-snmp"), Path(out, "report.json")
        rehearse = [sys.executable, "-m", "closed_network", "rehearse", str(product)]
        seconds([*rehearse, "--report", str(report)], dict(os.environ))
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


def main() -> None:
    table = Table(title=f"Medians of {PAIRS} pairs", title_justify="left")
    for heading in ("what", "measured", "ratio", "wanted"):
        table.add_column(heading)
    for rows in (bake_rows, import_rows, request_rows):
        for row in rows():
            table.add_row(*row)
    console = Console()
    if not console.is_terminal:
        console.width = 120
    console.print(table)


if __name__ == "__main__":
    main()
