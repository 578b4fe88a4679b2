"""What a commit waits for: the hooks of a fresh product, when its environments are there."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .pairs import TEMPLATE, Row, in_turn, seconds

PAIRS = 5


def lint_rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as out:
        cookiecutter = [sys.executable, "-m", "cookiecutter", "--no-input", "--default-config"]
        seconds([*cookiecutter, "--output-dir", out, str(TEMPLATE)])
        product = Path(out, "alert-to-snmp")
        for command in (["git", "init", "--quiet"], ["git", "add", "--all"]):
            seconds([*command[:1], "-C", str(product), *command[1:]])
        make = ["make", "-C", str(product), f"PYTHON={sys.executable}"]
        seconds([*make, "environments"])
        mypy = ["sh", "-c", 'cd "$0" && .venv-tools/bin/mypy', str(product)]
        environment = {**os.environ, "CI": "true"}
        measured = in_turn(
            lambda: seconds([*make, "lint"], environment), lambda: seconds(mypy), PAIRS
        )
    yield measured.row("every hook of a fresh product ÷ its mypy alone", "s", "≤ 10 s")
