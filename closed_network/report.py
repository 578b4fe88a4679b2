"""What a rehearsal found, as a table for people and as JSON."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

OK, FAILED, NOT_PROVEN = "ok", "FAILED", "NOT PROVEN"
STYLES = {OK: "green", FAILED: "bold red", NOT_PROVEN: "bold yellow"}


class StageFailedError(Exception):
    """A stage deviated from what it must show; the text is a sentence for the user."""


@dataclass(frozen=True)
class Check:
    stage: str
    claim: str
    result: str
    evidence: str


@dataclass
class Report:
    """The checks of one rehearsal in order, and its figures.

    `complete` once the last stage has ended; `seconds` of each stage; `requests` and `refused`
    count requests by host after stage 1; `packages` and `bytes` are what the build's pip fetched.
    """

    repository: str
    checks: list[Check] = field(default_factory=list)
    failed_stage: str | None = None
    complete: bool = False
    seconds: dict[str, float] = field(default_factory=dict)
    isolation: str = ""
    interpreter: str = ""
    differences: list[str] = field(default_factory=list)
    requests: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    packages: int = 0
    bytes: int = 0
    stage_name: str = ""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the stage `name`; any error in it becomes a failed check, and goes on."""
        self.stage_name = name
        start = time.monotonic()
        try:
            yield
        except BaseException as error:
            self.failed_stage = name
            words = str(error) if isinstance(error, StageFailedError) else f"it broke: {error!r}"
            self.add("what went wrong", FAILED, words)
            raise
        finally:
            self.seconds[name] = round(time.monotonic() - start, 1)

    def add(self, claim: str, result: str, evidence: str) -> None:
        self.checks.append(Check(self.stage_name, claim, result, evidence))

    def proven(self, claim: str, evidence: str) -> None:
        self.add(claim, OK, evidence)

    def not_proven(self, claim: str, why: str) -> None:
        self.add(claim, NOT_PROVEN, why)

    @property
    def passed(self) -> bool:
        """Whether every stage ran and none failed; claims may still be unproven."""
        return self.complete and not self.failed_stage

    @property
    def unproven(self) -> list[Check]:
        return [check for check in self.checks if check.result == NOT_PROVEN]

    def as_dict(self) -> dict[str, Any]:
        content = asdict(self)
        del content["stage_name"]
        return {"result": "passed" if self.passed else "failed", **content}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Report:
        """The report that `as_dict` gave `content` of."""
        checks = [Check(**check) for check in content["checks"]]
        rest = {key: value for key, value in content.items() if key not in ("result", "checks")}
        return cls(checks=checks, **rest)

    def print(self, console: Console | None = None) -> None:
        """Print the table and the closing lines, on standard output unless told otherwise."""
        if console is None:
            console = Console()
            if not console.is_terminal:
                console.width = 120
        table = Table(title=f"Rehearsal of {self.repository}", title_justify="left")
        for heading in ("stage", "what was to be shown", "result", "evidence"):
            table.add_column(heading, overflow="fold")
        previous = ""
        for check in self.checks:
            if previous and check.stage != previous:
                table.add_section()
            stage = "" if check.stage == previous else check.stage
            result = Text(check.result, STYLES[check.result])
            table.add_row(stage, Text(check.claim), result, Text(check.evidence))
            previous = check.stage
        console.print(table)
        for line in self.closing_lines():
            console.print(Text(line))

    def closing_lines(self) -> Iterator[str]:
        yield f"Interpreter: {self.interpreter}"
        yield f"Isolation: {self.isolation}"
        for difference in self.differences:
            yield f"Differs from the real build: {difference}"
        for name, counts in (("Requests", self.requests), ("Refused", self.refused)):
            yield f"{name} after stage 1: " + (
                ", ".join(f"{count} to {host}" for host, count in counts.items()) or "none"
            )
        yield f"Fetched by the build: {self.packages} packages, {self.bytes / 1e6:.1f} MB"
        if self.seconds:
            yield "Seconds: " + ", ".join(f"{name} {took}" for name, took in self.seconds.items())
        if not self.passed:
            yield f"FAILED at stage {self.failed_stage or 'unknown: it did not end'}."
            if (Path(self.repository) / "tools" / "doctor.py").is_file():
                where = shlex.quote(self.repository)
                yield f"What else is wrong there, and the cure: make -C {where} doctor"
        elif self.unproven:
            yield f"Passed; NOT PROVEN on this machine: {len(self.unproven)} of its claims."
        else:
            yield "PASSED: the build asked Artifact Registry alone, and the function answered."
