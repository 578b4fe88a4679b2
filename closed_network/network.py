"""A closed network on this machine: a folder of its own, the gate outside, one way in and out.

`closed_network` sets it up and clears it all away; a program of this package that is run in it
begins with `enter`.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from closed_function.errors import UnavailableError
from closed_function.index import Index
from closed_function.pip_settings import pip_setting

from . import namespace
from .clients import Machine
from .processes import end_gently

PACKAGE_PARENT = Path(__file__).resolve().parent.parent
ENFORCED = "enforced: the clients run in a network namespace whose only way out is the gate"


class RehearsalError(UnavailableError):
    """The rehearsal itself could not run; the text says why."""


@dataclass(frozen=True)
class ClosedNetwork:
    """A gate that serves, on `port` of 127.0.0.1, and how programs are started behind it.

    `folder` holds all that the run writes; `isolation` says whether there is a way around the gate;
    `prefix`, the command prefix that encloses a program, is empty where nothing encloses it;
    `records` is the end of a socket pair for a Journal.
    """

    folder: Path
    isolation: str
    prefix: list[str]
    port: int
    door: socket.socket
    records: socket.socket
    token: str

    @property
    def enclosed(self) -> bool:
        return bool(self.prefix)

    def run(self, program: str, plan: dict[str, Any], stdin: int | None) -> int:
        """Run `program`, a module of this package, behind the gate; return its exit status."""
        passed = [self.door.fileno(), self.records.fileno()]
        way = {
            "port": self.port,
            "door": passed[0] if self.enclosed else None,
            "records": passed[1],
            "token": self.token,
        }
        text = json.dumps({**way, **plan}, default=str)
        (self.folder / "plan").write_text(text, encoding="utf-8")
        command = [*self.prefix, sys.executable, "-m", f"closed_network.{program}"]
        process = subprocess.Popen(
            [*command, str(self.folder)],
            cwd=PACKAGE_PARENT,
            stdin=stdin,
            start_new_session=True,
            text=True,
            pass_fds=passed,
        )
        try:
            return process.wait()
        finally:
            end_gently(process, patience=20)


def enter(folder: Path) -> tuple[Machine, dict[str, Any]]:
    """Open the way to the gate from the inside; returns the machine and the plan for it.

    `folder` is hidden from the clients but for the machine's, which is in it.
    """
    plan = json.loads((folder / "plan").read_text(encoding="utf-8"))
    port = plan["port"]
    if plan["door"] is not None:
        namespace.switch_loopback_on()
        port = namespace.hand_over_listener(plan["door"])
    machine = Machine(folder / "machine", f"http://127.0.0.1:{port}", plan["token"])
    machine.folder.mkdir()
    shutil.copyfile(folder / "gate" / "mitmproxy-ca-cert.pem", machine.authority)
    return machine, plan


@contextlib.contextmanager
def closed_network(
    index: Index, policy: str, *, without_namespace: bool = False
) -> Iterator[ClosedNetwork]:
    """A closed network with `index` alone behind its gate, the switch being at `policy`.

    RehearsalError when the gate does not start; nothing of it is left behind in any case.
    """
    prefix, reason = ([], "switched off") if without_namespace else namespace.entrance()
    isolation = ENFORCED if prefix else f"not enforced: {reason}"
    # Under its real path, for pip and gcloud compare and print it.
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as name:
        folder = Path(name).resolve()
        token = secrets.token_urlsafe(32)
        # Two ends of one socket: through it the closed network hands its listener to the gate,
        # and through the other two the gate reports what was requested.
        gate_end, door = socket.socketpair()
        reports, records = socket.socketpair()
        with gate_end, door, reports, records:
            entry = gate_end if prefix else None
            with gate(folder / "gate", index, token, reports, entry, policy) as port:
                yield ClosedNetwork(folder, isolation, prefix, port, door, records, token)


@contextlib.contextmanager
def gate(
    folder: Path,
    index: Index,
    token: str,
    records: socket.socket,
    door: socket.socket | None,
    policy: str = "DENY",
) -> Iterator[int]:
    """The gate as a process of its own, in a new `folder`; yields its port of 127.0.0.1."""
    folder.mkdir(mode=0o700)
    command = [sys.executable, "-m", "closed_network.gate", str(folder), *index]
    command += ["--policy", policy, "--records", str(records.fileno())]
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
            pass_fds=[records.fileno(), *([door.fileno()] if door else [])],
        )
        try:
            if process.stdin:
                process.stdin.write(f"{token}\n")
                process.stdin.flush()
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                words = (folder / "gate.log").read_text(encoding="utf-8", errors="replace")
                raise RehearsalError(f"the gate did not start:\n{words}")
            yield int(json.loads(line)["port"])
        finally:
            end_gently(process)


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
