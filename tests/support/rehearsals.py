"""Rehearse a product, and see that nothing of the rehearsal is left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.template import TEMPLATE

INDEX_HOST = "asia-northeast1-python.pkg.dev"
INDEX_LINE = f"--index-url https://{INDEX_HOST}/my-project-id/ar-buildpython/simple/\n"


@dataclass(frozen=True)
class Rehearsed:
    status: int
    output: str
    errors: str
    report: dict[str, Any]

    def results(self) -> dict[str, str]:
        return {check["claim"]: check["result"] for check in self.report["checks"]}

    @property
    def sentence(self) -> str:
        """What the failed stage says."""
        (failed,) = [c for c in self.report["checks"] if c["result"] == "FAILED"]
        return str(failed["evidence"])


def rehearse(path: Path, folder: Path, *options: str, **environment: str) -> Rehearsed:
    report = folder / "report.json"
    command = [sys.executable, "-m", "closed_network", "rehearse", str(path), *options]
    done = subprocess.run(
        [*command, "--report", str(report)],
        cwd=TEMPLATE,
        env={**os.environ, "CI": "", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
    content = json.loads(report.read_text(encoding="utf-8")) if report.exists() else {}
    return Rehearsed(done.returncode, done.stdout, done.stderr, content)


def temporary(folder: Path) -> Path:
    """A TMPDIR of its own below `folder`."""
    path = folder / "tmp"
    path.mkdir(exist_ok=True)
    return path


def processes_of(words: str | Path) -> list[str]:
    """The command lines of running processes that contain `words`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if str(words) in command:
            found.append(command)
    return found
