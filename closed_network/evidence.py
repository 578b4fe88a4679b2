"""What a rehearsal found, as one HTML page for people who review the security of a build.

The page needs nothing but itself: no script, no picture, no font, and its own policy forbids them.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from .journal import Request
from .report import CONTROLS, FAILED, NOT_PROVEN, OK, Check, Command, Report, visible

NOT_RUN = "not run"
# Widths of a timeline's steps, in seconds; the first that needs no more than this many is taken.
STEPS, MOST_STEPS = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200), 8


def page(report: Report) -> str:
    """The page for `report`."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=lambda value: visible(value) if type(value) is str else value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"utc": utc, "size": size, "command_line": shlex.join}
    template = environment.get_template("evidence.html.jinja")
    return template.render(report=report, evidence=Evidence(report))


def utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def size(count: int) -> str:
    """`count` bytes, for people."""
    if count < 1000:
        return f"{count} B"
    return f"{count / 1000:.0f} kB" if count < 999_500 else f"{count / 1e6:.1f} MB"


@dataclass(frozen=True)
class Stage:
    """What was found in one stage; `began` is None when it did not run."""

    name: str
    purpose: str
    result: str
    began: float | None
    seconds: float
    checks: list[Check]
    requests: list[Request]
    commands: list[Command]

    @property
    def refused(self) -> int:
        return sum(request.refused for request in self.requests)

    @property
    def on_purpose(self) -> bool:
        return self.name == CONTROLS


@dataclass(frozen=True)
class Host:
    """How often a host was asked: all in all, by the answers' status, and how often refused."""

    name: str
    asked: int
    statuses: dict[int, int]
    refused: int


@dataclass(frozen=True)
class Mark:
    """Something on the timeline, in thousandths of its whole length."""

    kind: str
    start: float
    length: float = 0


class Evidence:
    """The facts of `report` in the order in which the page shows them."""

    def __init__(self, report: Report) -> None:
        self.report = report

    @cached_property
    def stages(self) -> list[Stage]:
        """Every stage, those that did not run included."""
        report = self.report
        names = dict(report.purposes)
        for check in report.checks:  # none is left out
            names.setdefault(check.stage, "")
        return [
            Stage(
                name=name,
                purpose=purpose,
                result=self.result(name),
                began=report.began.get(name),
                seconds=report.seconds.get(name, 0),
                checks=[check for check in report.checks if check.stage == name],
                requests=report.journal.get(name, []),
                commands=[command for command in report.commands if command.stage == name],
            )
            for name, purpose in names.items()
        ]

    def result(self, stage: str) -> str:
        if stage not in self.report.seconds:
            return NOT_RUN
        results = {check.result for check in self.report.checks if check.stage == stage}
        return next((result for result in (FAILED, NOT_PROVEN) if result in results), OK)

    @property
    def result_of_all(self) -> str:
        if not self.report.passed:
            return FAILED
        return NOT_PROVEN if self.report.unproven else OK

    @property
    def counts(self) -> Counter[str]:
        """How many claims have which result."""
        return Counter(check.result for check in self.report.checks)

    # Hosts

    @property
    def controls(self) -> str:
        return f"stage {CONTROLS}"

    @property
    def asked_by_clients(self) -> list[Host]:
        return hosts_of(r for stage in self.stages if not stage.on_purpose for r in stage.requests)

    @property
    def asked_on_purpose(self) -> list[Host]:
        return hosts_of(r for stage in self.stages if stage.on_purpose for r in stage.requests)

    # Commands

    @property
    def shared_environment(self) -> dict[str, str]:
        """The variables that every command behind the gate got with the same value."""
        clients = [c for c in self.report.commands if "HTTPS_PROXY" in c.environment]
        environments = [set(command.environment.items()) for command in clients]
        return dict(sorted(set.intersection(*environments))) if environments else {}

    def is_shared(self, command: Command) -> bool:
        """Whether `command` got all of `shared_environment`."""
        return self.shared_environment.items() <= command.environment.items()

    def own_environment(self, command: Command) -> dict[str, str]:
        """The variables of `command` that are not told once for all."""
        shared = self.shared_environment if self.is_shared(command) else {}
        return {k: v for k, v in sorted(command.environment.items()) if k not in shared}

    # The timeline

    @cached_property
    def start(self) -> float:
        return min(self.report.began.values(), default=0)

    @cached_property
    def length(self) -> float:
        """How long all stages took, in seconds; never 0."""
        took = self.report.seconds
        ends = [began + took.get(name, 0) for name, began in self.report.began.items()]
        return max([*ends, self.start + 0.1]) - self.start

    def at(self, moment: float) -> float:
        """Where `moment` lies on the timeline, in thousandths of its length."""
        return round(min(max((moment - self.start) / self.length, 0), 1) * 1000, 1)

    @property
    def steps(self) -> Iterator[tuple[float, float]]:
        """The timeline's scale: seconds, and where they lie."""
        step = next((step for step in STEPS if self.length / step <= MOST_STEPS), STEPS[-1])
        for number in range(int(self.length / step) + 1):
            yield number * step, self.at(self.start + number * step)

    def marks(self, stage: Stage) -> Iterator[Mark]:
        """The stage itself, the commands in it and the requests."""
        if stage.began is None:
            return
        begin = self.at(stage.began)
        yield Mark("stage", begin, self.at(stage.began + stage.seconds) - begin)
        for command in stage.commands:
            begin = self.at(command.began)
            yield Mark("command", begin, self.at(command.began + (command.seconds or 0)) - begin)
        for request in stage.requests:
            yield Mark(kind(request), self.at(request.time))


def kind(request: Request) -> str:
    """How a request was answered: refused by the gate, denied by Artifact Registry, or answered."""
    if request.refused:
        return "refused"
    return "denied" if request.status >= 400 else "answered"


def hosts_of(requests: Iterable[Request]) -> list[Host]:
    """The hosts of `requests`, most asked first."""
    asked: dict[str, list[Request]] = {}
    for request in requests:
        asked.setdefault(request.host, []).append(request)
    found = [
        Host(
            name,
            len(all_of_it),
            dict(sorted(Counter(request.status for request in all_of_it).items())),
            sum(request.refused for request in all_of_it),
        )
        for name, all_of_it in asked.items()
    ]
    return sorted(found, key=lambda host: (-host.asked, host.name))
