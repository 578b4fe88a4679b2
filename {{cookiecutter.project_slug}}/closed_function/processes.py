"""Run other programs: for a bounded time, or to their own end."""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple


class Outcome(NamedTuple):
    """How a command ended: its exit status (None: it never did) and what it printed."""

    status: int | None
    output: str
    errors: str


def run_bounded(command: Sequence[str], environment: Mapping[str, str], timeout: float) -> Outcome:
    """Run `command` for at most `timeout` seconds and leave nothing of it running.

    gcloud is a shell script that starts Python, so it gets a process group of its own: ending the
    script alone would leave a grandchild that keeps the pipes and the terminal. OSError when the
    command cannot be started.
    """
    with interrupted_by_signals():
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            env=dict(environment),
            start_new_session=True,
        )
        try:
            output, errors = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            return Outcome(None, "", "")
        finally:
            end_group(process)
        return Outcome(process.returncode, output, errors)


@contextlib.contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """Let a request to end this program interrupt the block, so that it ends its command first.

    A gcloud that went on might change something later.
    """
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        numbers = []  # Python lets no other thread do this
    handlers = {each: signal.signal(each, signal.default_int_handler) for each in numbers}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def end_group(process: subprocess.Popen[str]) -> None:
    """End the process group of `process`, whether or not its leader has ended."""
    if os.name == "nt":
        if process.poll() is None:
            subprocess.run(
                ["taskkill", "/F", "/T", "/PID", str(process.pid)], capture_output=True, check=False
            )
    else:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe:
            pipe.close()


@contextlib.contextmanager
def defer_interrupt() -> Iterator[list[int]]:
    """Hold Ctrl-C back until the block is left; the list has an item for each that came."""
    came: list[int] = []
    # A handler, not SIG_IGN, which a child would inherit.
    before = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield came
    finally:
        signal.signal(signal.SIGINT, before)


def run_to_end(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    *,
    capture: Sequence[str] = (),
) -> tuple[subprocess.CompletedProcess[str], bool]:
    """Run a command that handles Ctrl-C itself, and wait for its end however long that takes.

    Of stdout and stderr those in `capture` are kept. Returns how it ended, and whether Ctrl-C was
    pressed meanwhile, which does not interrupt this program then.
    """
    pipes = dict.fromkeys(capture, subprocess.PIPE)
    with (
        defer_interrupt() as came,
        subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdout=pipes.get("stdout"),
            stderr=pipes.get("stderr"),
            encoding="utf-8",
            errors="replace",
        ) as process,
    ):
        if came:  # before the command was there to get it
            process.terminate()
        output, errors = process.communicate()
    return subprocess.CompletedProcess(command, process.returncode, output, errors), bool(came)
