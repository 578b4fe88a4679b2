"""One run of all stages: what each of them works with, and how it starts a client."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from closed_network import diagnosis
from closed_network.clients import Machine
from closed_network.interpreters import THIS, find_interpreter
from closed_network.journal import Journal, Request
from closed_network.processes import Outcome, run
from closed_network.report import Report, StageFailedError
from closed_network.repository import Repository
from closed_network.room import Room

PIP_TIMEOUT, TOOL_TIMEOUT = 900, 120


class Run:
    """One run of all stages over one repository; what they find goes into `report`.

    `environment` is the one whose settings are used, `deployment` what later stages need of what
    they are deployed to;
    `build_environment` are the variables that the settings give the build, `lines` those of the
    requirements file as the build's pip has read them.
    `mark` is the number of requests that were made before the stage; `resources` ends with the run;
    `room` says how clients are started, `journal` what they request.
    """

    def __init__(
        self,
        repository: Repository,
        machine: Machine,
        report: Report,
        *,
        enclosed: bool,
        environment: str | None = None,
        journal: Journal | None = None,
        room: Room | None = None,
    ) -> None:
        self.repository, self.machine, self.report = repository, machine, report
        self.enclosed = enclosed
        self.environment = environment
        self.build_environment: Mapping[str, str] = {}
        self.lines: list[dict[str, Any]] = []
        self.deployment: object = None
        self.journal = journal or Journal()
        self.room = room or Room(machine.hidden, reason="not needed")
        self.mark = 0
        self.resources = ExitStack()
        self.interpreter = find_interpreter(repository.runtime) or THIS

    @property
    def requirements(self) -> Path:
        """The requirements file that is built."""
        return self.machine.source / "requirements.txt"

    def client(
        self,
        command: list[str],
        environment: dict[str, str],
        folder: Path,
        timeout: float,
        *,
        readable: Iterable[Path] = (),
        writable: Iterable[Path] = (),
    ) -> Outcome:
        """Run `command` to its end, in a room, and keep for the report what was run.

        It may read the machine's folder and what is `readable`, and write its temporary files and
        what is `writable`.
        """
        with self.report.command(command, environment, folder) as kept:
            given = [self.machine.folder, *readable]
            started = self.around(command, environment, folder, given, writable)
            outcome = run(*started, timeout)
            kept.status = outcome.status
        return outcome

    def around(
        self,
        command: list[str],
        environment: dict[str, str],
        folder: Path,
        readable: Iterable[Path],
        writable: Iterable[Path],
    ) -> tuple[list[str], dict[str, str], Path]:
        """Return what starts `command` in a room that has but these."""
        own = [self.machine.folder / "tmp", *writable]
        return self.room.around(command, environment, folder, readable=readable, writable=own)

    def python(
        self,
        arguments: list[str],
        timeout: float = TOOL_TIMEOUT,
        machine: Machine | None = None,
        build_environment: Mapping[str, str] | None = None,
    ) -> Outcome:
        """Run the build's python3 in the copy of the source, as the build does."""
        machine = machine or self.machine
        if build_environment is None:
            build_environment = self.build_environment
        environment = {**machine.pip_environment(), **build_environment}
        return self.client(
            [machine.python, *arguments],
            environment,
            machine.source,
            timeout,
            writable=[machine.source.parent],
        )

    def seen(self) -> list[Request]:
        """Return the requests of this stage."""
        return self.journal.read(self.mark)

    def refuse_other_hosts(self, asker: str, advice: str) -> None:
        """Fail the stage if `asker` requested another host than Artifact Registry."""
        if asked := diagnosis.asked_elsewhere(self.seen()):
            raise StageFailedError(f"{asker} requested {asked}, which {advice}")
