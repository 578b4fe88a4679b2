"""A gcloud that notes how it is called, for tools that have to live with whatever it does."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

ALLOWED = "echo 'name: projects/a-project/locations/asia-northeast1/vpcscConfig'; "
ALLOWED += "echo 'vpcscPolicy: ALLOW'"


def fake_gcloud(folder: Path, script: str | None, *, executable: bool = True) -> str:
    """A PATH with a gcloud that notes how it is called, and then does `script`."""
    programs = folder / "bin"
    programs.mkdir()
    if script is not None:
        program = programs / "gcloud"
        program.write_text(
            f'#!/bin/sh\necho "$@" >> "{folder}/called"\n{script}\n', encoding="utf-8"
        )
        program.chmod(0o755 if executable else 0o644)
    # /usr/bin may hold a real gcloud, so only what the scripts need is on the PATH.
    for tool in ("cat", "head", "tr", "sleep"):
        (programs / tool).symlink_to(str(shutil.which(tool)))
    return str(programs)


def calls(folder: Path) -> list[str]:
    called = folder / "called"
    return called.read_text(encoding="utf-8").splitlines() if called.exists() else []


def assert_ended(process: int) -> None:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        state = Path(f"/proc/{process}/stat")
        if not state.exists() or ") Z " in state.read_text(encoding="utf-8"):
            return
        time.sleep(0.05)
    pytest.fail(f"process {process} still runs")
