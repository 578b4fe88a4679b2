"""Measure two sides in turn, so that whatever else the machine does meets both."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parent.parent
PRODUCT = TEMPLATE / "{{cookiecutter.project_slug}}"
PAIRS = 15

Row = tuple[str, str, str, str]  # what, measured, ratio, wanted


@dataclass(frozen=True)
class Medians:
    """Of one side, of the other, and of the ratios pair by pair."""

    ours: float
    theirs: float
    ratio: float

    def row(self, what: str, unit: str, wanted: str = "—", remark: str = "") -> Row:
        measured = " ÷ ".join(
            f"{value:.3g}" if value < 1000 else f"{value:.0f}" for value in (self.ours, self.theirs)
        )
        return what, f"{measured} {unit}{remark}", f"{self.ratio:.2f}", wanted


def in_turn(ours: Callable[[], float], theirs: Callable[[], float], pairs: int = PAIRS) -> Medians:
    return medians(rounds([ours, theirs], pairs))


def rounds(sides: Sequence[Callable[[], float]], count: int = PAIRS) -> list[tuple[float, ...]]:
    """What each side took, round by round."""
    for side in sides:
        side()  # not counted: fills the caches
    return [tuple(side() for side in sides) for _ in range(count)]


def medians(pairs: Sequence[tuple[float, ...]], one: int = 0, other: int = 1) -> Medians:
    """Compare two sides of the same rounds."""
    first, second = ([each[side] for each in pairs] for side in (one, other))
    return Medians(
        statistics.median(first),
        statistics.median(second),
        statistics.median(a / b for a, b in zip(first, second, strict=True)),
    )


def commands_in_turn(
    ours: Sequence[str], theirs: Sequence[str], environment: Mapping[str, str]
) -> Medians:
    """Seconds of two commands, from their start to their end."""
    return in_turn(lambda: seconds(ours, environment), lambda: seconds(theirs, environment))


def seconds(command: Sequence[str], environment: Mapping[str, str] = os.environ) -> float:
    start = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    took = time.perf_counter() - start
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.decode(errors='replace')}")
    return took


def processor_seconds(command: Sequence[str], environment: Mapping[str, str] = os.environ) -> float:
    """Processor time of a command and its children, which other load changes less."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds(command, environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
