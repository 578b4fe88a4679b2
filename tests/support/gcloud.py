"""A gcloud that notes how it is called, for tools that have to live with whatever it does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.support.baking import bare_environment

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


def refused_commands(gcloud: str, commands: Iterable[str], home: Path) -> list[str]:
    """Return the commands, of those without a pipe, that the real gcloud does not know."""
    file = home / "commands.json"
    listed = [{"command_string": command} for command in commands]
    file.write_text(json.dumps(listed), encoding="utf-8")
    path = os.pathsep.join([str(Path(gcloud).parent), os.defpath])
    linted = subprocess.run(
        [gcloud, "meta", "lint-gcloud-commands", f"--commands-file={file}"],
        env=bare_environment(home, PATH=path, CLOUDSDK_CONFIG=str(home / "gcloud")),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    verdicts = json.loads(linted.stdout)
    assert len(verdicts) == len(listed), linted.stdout
    return [each["command_string"] for each in verdicts if not each["success"]]


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
