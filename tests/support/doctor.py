"""Run the product's doctor, for the tests of its parts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.baking import Baked, bare_environment

HEALTHY, FOUND, USAGE, COULD_NOT_LOOK = 0, 1, 2, 3


@dataclass(frozen=True)
class Said:
    """What the doctor printed, and its exit status."""

    status: int
    output: str
    errors: str

    def json(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.output)
        return content

    def problems(self) -> list[str]:
        """The ids of what `check --json` found."""
        results = self.json()["results"]
        return [result["symptom"] for result in results if result["verdict"] == "problem"]

    def causes(self) -> list[str]:
        """The ids of what `explain --json` found, first things first."""
        return [cause["id"] for cause in self.json()["explained"]]


def doctor(
    product: Baked, *arguments: str, log: bytes = b"", environment: Mapping[str, str] | None = None
) -> Said:
    """Run the product's doctor with `log` as its standard input.

    Its environment is empty but for `environment`.
    """
    home = product.path.parent / "home"
    home.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "closed_function", *arguments],
        cwd=product.path,
        env=bare_environment(home, **(environment or {})),
        input=log,
        capture_output=True,
        check=False,
        timeout=120,
    )
    output, errors = (text.decode("utf-8", "replace") for text in (done.stdout, done.stderr))
    return Said(done.returncode, output, errors)
