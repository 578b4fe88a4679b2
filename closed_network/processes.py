"""Start programs in process groups of their own and leave nothing of them behind."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from closed_function.processes import end_group


def interrupt_on_signals() -> None:
    """Let a request to end this process interrupt it, so that it clears everything away first."""
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)


@dataclass(frozen=True)
class Outcome:
    """How a program ended (`status` None: it was ended after its time), and all that it printed."""

    status: int | None
    output: str

    @property
    def last_line(self) -> str:
        return last_line(self.output)


def last_line(text: str) -> str:
    """The last line of what a program printed that is not blank."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "(it printed nothing)"


def run(
    command: Sequence[str], environment: Mapping[str, str], folder: Path, timeout: float
) -> Outcome:
    """Run `command` in `folder` with exactly `environment`, for at most `timeout` seconds."""
    with started(command, environment, folder, subprocess.PIPE) as process:
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            return Outcome(None, "")
        return Outcome(process.returncode, output)


@contextlib.contextmanager
def started(
    command: Sequence[str], environment: Mapping[str, str], folder: Path, output: int
) -> Iterator[subprocess.Popen[str]]:
    """A running `command`, standard output and error together in `output`; ended on leaving."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    try:
        yield process
    finally:
        end_gently(process)


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nobody listens now."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def listens(process: subprocess.Popen[str], port: int, seconds: float) -> bool:
    """Wait until 127.0.0.1:`port` is open; False if `process` ends, or `seconds` pass, first."""
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return True
    return False


def end_gently(process: subprocess.Popen[str], patience: float = 5) -> None:
    """Ask the group of `process` to end, and end what is left after `patience` seconds."""
    if process.stdin:
        process.stdin.close()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=patience)
    end_group(process)
