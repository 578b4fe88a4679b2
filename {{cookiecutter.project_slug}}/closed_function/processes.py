"""Run other programs: for a bounded time, or to their own end."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from closed_function.paths import ROOT
from closed_function.signals import defer_signals


class Outcome(NamedTuple):
    """How a command ended: its exit status (None: it was ended) and what it printed."""

    status: int | None
    output: str
    errors: str


def run_bounded(
    command: Sequence[str], environment: Mapping[str, str], timeout: float, given: str | None = None
) -> Outcome:
    """Run `command` for at most `timeout` seconds and leave nothing of it running.

    `given` is its standard input.

    gcloud is a shell script that starts Python, so it gets a process group of its own: ending the
    script alone would leave a grandchild that keeps the pipes and the terminal.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        env=dict(environment),
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(given, timeout=timeout)
    except subprocess.TimeoutExpired:
        return Outcome(None, "", "")
    finally:
        end_group(process)
    return Outcome(process.returncode, output, errors)


def run_git(*arguments: str, timeout: float = 60) -> Outcome:
    """Run Git in this repository, with its messages in English. OSError without Git."""
    environment = {**os.environ, "LC_ALL": "C"}
    return run_bounded(["git", "-C", str(ROOT), *arguments], environment, timeout)


def end_group(process: subprocess.Popen[str]) -> None:
    """End the process group of `process`, whether or not its leader has ended."""
    if os.name == "nt":
        if process.poll() is None:
            command = ["taskkill", "/F", "/T", "/PID", str(process.pid)]
            subprocess.run(command, capture_output=True, check=False)
    else:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


def run_to_end(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    *,
    capture: Sequence[str] = (),
    copy_errors: bool = False,
) -> tuple[subprocess.CompletedProcess[str], bool]:
    """Run a command that handles Ctrl-C itself, and wait for its end however long that takes.

    `capture` names the streams to keep; with `copy_errors` the errors are kept and printed as
    well. Return how it ended, and whether it was interrupted: Ctrl-C reaches the command by itself,
    another signal is passed on, and none ends this program.
    """
    pipes = dict.fromkeys(capture, subprocess.PIPE)
    kept: list[str] = []
    running: list[subprocess.Popen[str]] = []

    def pass_on(number: int) -> None:
        for process in running:
            if number != signal.SIGINT:
                process.terminate()

    with (
        defer_signals(pass_on) as signals,
        copied_errors(kept) if copy_errors else contextlib.nullcontext() as copy,
        subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdout=pipes.get("stdout"),
            stderr=copy or pipes.get("stderr"),
            encoding="utf-8",
            errors="replace",
        ) as process,
    ):
        running.append(process)
        if signals:  # before the command could receive it
            process.terminate()
        output, errors = process.communicate()
    errors = "".join(kept) if copy_errors else errors
    return subprocess.CompletedProcess(command, process.returncode, output, errors), bool(signals)


@contextlib.contextmanager
def copied_errors(kept: list[str]) -> Iterator[int]:
    """Yield a pipe for a command's errors: its lines are printed at once and added to `kept`."""
    reading, writing = os.pipe()

    def copy() -> None:
        with open(reading, encoding="utf-8", errors="replace", newline="\n") as lines:  # noqa: PTH123
            for line in lines:
                kept.append(line)
                with contextlib.suppress(OSError):  # nobody reads them any more
                    print(line, end="", file=sys.stderr, flush=True)

    # A daemon, because a program that the command has left behind may keep the pipe open.
    thread = threading.Thread(target=copy, daemon=True)
    thread.start()
    try:
        yield writing
    finally:
        os.close(writing)
        thread.join(timeout=5)
