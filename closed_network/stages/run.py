"""One run of all stages: what each of them works with, and how it starts a client."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from closed_network import diagnosis
from closed_network.clients import Machine
from closed_network.interpreters import THIS, find_interpreter
from closed_network.journal import Journal, Request
from closed_network.processes import Outcome, run
from closed_network.report import Report, StageFailedError
from closed_network.repository import Repository

if TYPE_CHECKING:
    from .deploy import Deployment

PIP_TIMEOUT, TOOL_TIMEOUT = 900, 120


class Run:
    """One run of all stages over one repository; what they find goes into `report`.

    `environment` is the one whose settings are deployed, `deployment` what they are deployed to.
    `mark` is the number of requests that were made before the stage; `resources` ends with the run.
    """

    def __init__(
        self,
        repository: Repository,
        machine: Machine,
        report: Report,
        *,
        enclosed: bool,
        environment: str | None = None,
    ) -> None:
        self.repository, self.machine, self.report = repository, machine, report
        self.enclosed = enclosed
        self.environment = environment
        self.deployment: Deployment | None = None
        self.journal = Journal(machine.folder / "journal")
        self.mark = 0
        self.resources = ExitStack()
        self.interpreter = find_interpreter(repository.runtime) or THIS

    def client(
        self, command: list[str], environment: dict[str, str], folder: Path, timeout: float
    ) -> Outcome:
        """Run `command` to its end and keep for the report what was run."""
        with self.report.command(command, environment, folder) as kept:
            outcome = run(command, environment, folder, timeout)
            kept.status = outcome.status
        return outcome

    def python(
        self,
        arguments: list[str],
        timeout: float = TOOL_TIMEOUT,
        machine: Machine | None = None,
        build_environment: Mapping[str, str] | None = None,
    ) -> Outcome:
        """Run the build's python3 in the copy of the source, as the build does."""
        machine = machine or self.machine
        environment = {**machine.pip_environment(), **(build_environment or {})}
        return self.client([machine.python, *arguments], environment, machine.source, timeout)

    def seen(self) -> list[Request]:
        """Return the requests of this stage."""
        return self.journal.read(self.mark)

    def refuse_other_hosts(self, asker: str, advice: str) -> None:
        """Fail the stage if `asker` requested another host than Artifact Registry."""
        if asked := diagnosis.asked_elsewhere(self.seen()):
            raise StageFailedError(f"{asker} requested {asked}, which {advice}")
