"""Set up one rehearsal: its folder, the gate outside, the stages inside; and clear it all away."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from . import namespace
from .processes import end_group
from .report import Report
from .repository import Repository

PACKAGE_PARENT = Path(__file__).resolve().parent.parent


class RehearsalError(Exception):
    """The rehearsal itself could not run; the text says why."""


def rehearse(repository: Repository, *, without_namespace: bool = False) -> Report:
    """Rehearse the build of `repository` and return what was found.

    RehearsalError when the rehearsal itself breaks; nothing of it is left behind either way.
    """
    prefix, reason = ([], "switched off") if without_namespace else namespace.entrance()
    isolation = "enforced: the clients run in a network namespace whose only way out is the gate"
    if not prefix:
        isolation = f"not enforced: {reason}"
    # Under its real path, for pip and gcloud compare and print it.
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as name:
        folder = Path(name).resolve()
        token = folder / "token"
        token.touch(mode=0o600)
        token.write_text(secrets.token_urlsafe(32), encoding="utf-8")
        # Two ends of one socket: through it the closed network hands its listener to the gate.
        gate_end, network_end = socket.socketpair()
        with gate_end, network_end, gate(folder, repository, gate_end if prefix else None) as port:
            empty = Report(str(repository.root), isolation=isolation)
            plan = {
                "port": port,
                "door": network_end.fileno() if prefix else None,
                "repository": asdict(repository),
                "report": empty.as_dict(),
            }
            (folder / "plan").write_text(json.dumps(plan, default=str), encoding="utf-8")
            status = run_stages(prefix, folder, network_end)
        try:
            report = Report.from_dict(json.loads((folder / "report").read_text(encoding="utf-8")))
        except (OSError, ValueError):
            raise RehearsalError(f"the stages ended without a report ({status})") from None
        if status != (0 if report.passed else 1):
            raise RehearsalError(f"the stages ended with status {status}, against their report")
        return report


def run_stages(prefix: list[str], folder: Path, door: socket.socket) -> int:
    """Run the stages in the closed network and return their exit status."""
    command = [*prefix, sys.executable, "-m", "closed_network.stages", str(folder)]
    process = subprocess.Popen(
        command,
        cwd=PACKAGE_PARENT,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        text=True,
        pass_fds=[door.fileno()],
    )
    try:
        return process.wait()
    finally:
        end_group(process, patience=20)


@contextlib.contextmanager
def gate(folder: Path, repository: Repository, door: socket.socket | None) -> Iterator[int]:
    """The gate as a process of its own; yields its port of 127.0.0.1."""
    command = [sys.executable, "-m", "closed_network.gate", str(folder)]
    command += [repository.location, repository.project, repository.name]
    command += ["--door", str(door.fileno())] if door else []
    with (folder / "gate.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=PACKAGE_PARENT,
            env=gate_environment(folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
            pass_fds=[door.fileno()] if door else [],
        )
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                words = (folder / "gate.log").read_text(encoding="utf-8", errors="replace")
                raise RehearsalError(f"the gate did not start:\n{words}")
            yield int(json.loads(line)["port"])
        finally:
            end_group(process)


def gate_environment(folder: Path) -> dict[str, str]:
    """The user's own environment, in which the stand-in reaches the index of the user's pip."""
    environment = {
        **os.environ,
        "PROXPI_CACHE_DIR": str(folder / "cache"),
        "PROXPI_DOWNLOAD_TIMEOUT": "600",  # after it proxpi would send the client to the index
        "PROXPI_LOGGING_LEVEL": "WARNING",
    }
    for variable, setting in (("PROXPI_INDEX_URL", "index-url"), ("REQUESTS_CA_BUNDLE", "cert")):
        if value := pip_setting(setting):
            environment[variable] = value
    return environment


def pip_setting(name: str) -> str | None:
    """What the user's pip is told about `name`, or None."""
    if from_environment := os.environ.get("PIP_" + name.upper().replace("-", "_")):
        return from_environment
    command = [sys.executable, "-m", "pip", "config", "get", f"global.{name}"]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    return asked.stdout.strip() or None
