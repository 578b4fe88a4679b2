"""What a rehearsal found, as a table for people and as JSON."""

from __future__ import annotations

import shlex
import time
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .journal import Request

OK, FAILED, NOT_PROVEN = "ok", "FAILED", "NOT PROVEN"
# The stage in which the rehearsal itself asks, also for what must be refused.
CONTROLS = "1 gate"
# Characters that hide or reorder others are shown by number; a joiner is part of an emoji.
HIDING, JOINER = {"Cc", "Cf", "Cs", "Zl", "Zp"}, "\u200d"
STYLES = {OK: "green", FAILED: "bold red", NOT_PROVEN: "bold yellow"}


def visible(text: str) -> str:
    """`text` with every character that would hide or reorder others, or is none, as its number."""
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in HIDING and character not in f"\n\t{JOINER}"
        else character
        for character in text
    )


class StageFailedError(Exception):
    """A stage deviated from what it must show; the text is a sentence for the user."""


class NotProvenError(Exception):
    """A claim cannot be shown here, or not yet; the text says why."""


@dataclass(frozen=True)
class Check:
    stage: str
    claim: str
    result: str
    evidence: str


@dataclass
class Command:
    """A client as it was started: its words, all of its environment, and its folder.

    `began` in seconds since 1970; `status` None when the rehearsal ended it.
    """

    stage: str
    words: list[str]
    environment: dict[str, str]
    folder: str
    began: float
    seconds: float | None = None
    status: int | None = None


@dataclass(frozen=True)
class ServedFile:
    """A file that the build's pip was served, with the hash and size of the bytes that were sent.

    `in_lock` says whether the lock has this hash for this package; None when it has none for it.
    """

    package: str
    version: str
    file: str
    sha256: str
    size: int
    in_lock: bool | None


@dataclass
class Report:
    """The checks of one rehearsal in order, and its figures.

    `complete` once the last stage has ended; `seconds` of each stage; `requests` and `refused`
    count requests by host after stage 1; `packages` and `bytes` are what the build's pip fetched,
    `files` which files. `purposes` says what each stage shows, those that did not run included;
    `began` when it began, in seconds since 1970; `journal` is what was asked in it. `lock` is the
    sha256 of the requirements file; `versions` those of the programs that took part.
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
    index: str = ""
    lock: str = ""
    platform: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    purposes: dict[str, str] = field(default_factory=dict)
    began: dict[str, float] = field(default_factory=dict)
    files: list[ServedFile] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    journal: dict[str, list[Request]] = field(default_factory=dict)
    stage_name: str = ""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the stage `name`; any error in it becomes a failed check, and goes on."""
        self.stage_name = name
        self.began[name] = round(time.time(), 3)
        start = time.monotonic()
        try:
            yield
        except BaseException as error:
            self.failed_stage = name
            words = str(error) if isinstance(error, StageFailedError) else f"it failed: {error!r}"
            self.add("what went wrong", FAILED, words)
            raise
        finally:
            self.seconds[name] = round(time.monotonic() - start, 1)

    @contextmanager
    def command(
        self, words: Sequence[str], environment: Mapping[str, str], folder: Path
    ) -> Iterator[Command]:
        """Keep that a client was started like this; who runs it says with which status it ended."""
        began = round(time.time(), 3)
        command = Command(self.stage_name, list(words), dict(environment), str(folder), began)
        self.commands.append(command)
        try:
            yield command
        finally:
            command.seconds = round(time.time() - began, 1)

    def add(self, claim: str, result: str, evidence: str) -> None:
        self.checks.append(Check(self.stage_name, claim, result, evidence))

    def proven(self, claim: str, evidence: str) -> None:
        self.add(claim, OK, evidence)

    def not_proven(self, claim: str, why: str) -> None:
        self.add(claim, NOT_PROVEN, why)

    @contextmanager
    def proving(self, *claims: str) -> Iterator[None]:
        """Report those of `claims` as not proven that the block could not show here."""
        try:
            yield
        except NotProvenError as error:
            shown = {check.claim for check in self.checks if check.stage == self.stage_name}
            for claim in claims:
                if claim not in shown:
                    self.not_proven(claim, str(error))

    @property
    def passed(self) -> bool:
        """Whether every stage ran and none failed; claims may still be unproven."""
        return self.complete and not self.failed_stage

    @property
    def unproven(self) -> list[Check]:
        return [check for check in self.checks if check.result == NOT_PROVEN]

    @property
    def started(self) -> str:
        """When the first stage began, in UTC."""
        first = min(self.began.values(), default=0)
        return datetime.fromtimestamp(first, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def verdict(self) -> str:
        """One sentence."""
        if not self.passed:
            return f"FAILED at stage {self.failed_stage or 'unknown: it did not end'}."
        if self.unproven:
            return f"Passed; NOT PROVEN: {len(self.unproven)} of its claims."
        return "PASSED: the build requested only Artifact Registry, and the function answered."

    def as_dict(self) -> dict[str, Any]:
        content = asdict(self)
        del content["stage_name"]
        result = "passed" if self.passed else "failed"
        return {"result": result, "started": self.started, **content}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Report:
        """The report that `as_dict` gave `content` of."""
        journal = {
            stage: [Request(**request) for request in asked]
            for stage, asked in content["journal"].items()
        }
        rebuilt = {
            "checks": [Check(**check) for check in content["checks"]],
            "files": [ServedFile(**file) for file in content["files"]],
            "commands": [Command(**command) for command in content["commands"]],
            "journal": journal,
        }
        computed = ("result", "started")
        rest = {key: value for key, value in content.items() if key not in computed}
        return cls(**{**rest, **rebuilt})

    def print(self, console: Console | None = None) -> None:
        """Print the table and the closing lines, by default on standard output."""
        if console is None:
            console = Console()
            if not console.is_terminal:
                console.width = 120
        table = Table(title=Text(visible(f"Rehearsal of {self.repository}")), title_justify="left")
        for heading in ("stage", "claim", "result", "evidence"):
            table.add_column(heading, overflow="fold")
        previous = ""
        for check in self.checks:
            if previous and check.stage != previous:
                table.add_section()
            stage = "" if check.stage == previous else check.stage
            result = Text(check.result, STYLES[check.result])
            claim, evidence = Text(visible(check.claim)), Text(visible(check.evidence))
            table.add_row(stage, claim, result, evidence)
            previous = check.stage
        console.print(table)
        for line in self.closing_lines():
            console.print(Text(visible(line)))

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
        yield self.verdict
        if not self.passed and (Path(self.repository) / "closed_function").is_dir():
            where = shlex.quote(self.repository)
            yield f"To see what else is wrong, and the fix: make -C {where} doctor"
