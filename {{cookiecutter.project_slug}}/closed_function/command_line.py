"""What the tools have in common on a command line: how they refuse options and end on Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

INTERRUPTED = 130  # a shell's exit status for Ctrl-C


class Parser(argparse.ArgumentParser):
    """A parser that refuses with one line, without the usage that `--help` prints."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def not_empty(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("is given and empty: give a value, or leave it out")
    return text


def only_1(text: str) -> bool:
    """Approve with 1 alone: who types YES=no means no."""
    if text != "1":
        raise argparse.ArgumentTypeError(
            f"{text!r} must be 1, which approves (YES=1); leave it out to be asked"
        )
    return True


@contextlib.contextmanager
def held_interrupt() -> Iterator[list[int]]:
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
    typed: str | None = None,
    capture: Sequence[str] = (),
) -> tuple[subprocess.CompletedProcess[str], bool]:
    """Run a command that handles Ctrl-C itself, and wait for its end however long that takes.

    Its input is `typed` if given; of stdout and stderr those in `capture` are kept. Returns how it
    ended, and whether Ctrl-C was pressed meanwhile, which does not interrupt this program then.
    """
    pipes = dict.fromkeys(capture, subprocess.PIPE)
    with (
        held_interrupt() as came,
        subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdin=None if typed is None else subprocess.PIPE,
            stdout=pipes.get("stdout"),
            stderr=pipes.get("stderr"),
            encoding="utf-8",
            errors="replace",
        ) as process,
    ):
        if came:  # before the command was there to get it
            process.terminate()
        output, errors = process.communicate(typed)
    return subprocess.CompletedProcess(command, process.returncode, output, errors), bool(came)
