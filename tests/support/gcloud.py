"""The real gcloud before a stand-in of Google's APIs, and programs in its place."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from cloud_stand_in.gcloud import environment
from cloud_stand_in.server import StandIn
from tests.support.baking import bare_environment
from tests.support.machine import need

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


def write_gcloud(folder: Path, script: str) -> None:
    """Write a gcloud that does `script`."""
    program = folder / "gcloud"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)


def signed_in_environment(stand_in: StandIn, home: Path) -> dict[str, str]:
    """Return the environment of a person whom gcloud knows and who is behind the stand-in."""
    return {**bare_environment(home), **environment(stand_in, home)}


def record_gcloud(signed_in: Mapping[str, str], folder: Path) -> str:
    """Write into `folder` a gcloud that prints what the real one says now, a second sooner."""
    program = need(shutil.which("gcloud"), "gcloud")
    said = subprocess.run(
        [program, "config", "config-helper", "--format=json"],
        env=dict(signed_in),
        capture_output=True,
        check=True,
    )
    (folder / "said.json").write_bytes(said.stdout)
    write_gcloud(folder, f'exec cat "{folder}/said.json"')
    return str(folder)


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
