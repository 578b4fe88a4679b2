"""Run every stage in its order: `python -m closed_network.stages FOLDER`.

This program runs inside the closed network where there is one; the gate runs outside of it.
"""

from __future__ import annotations

import hashlib
import json
import platform
import socket
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from inspect import getdoc
from pathlib import Path

from closed_function.errors import ExitStatus
from closed_function.index import Index
from closed_network.clients import DIFFERENCES
from closed_network.journal import Journal, requests_by_host
from closed_network.network import enter
from closed_network.processes import interrupt_on_signals
from closed_network.report import CONTROLS, Report, StageFailedError
from closed_network.repository import Repository
from closed_network.room import Room, find_room

from .build import copy_the_source, show_the_build, show_the_denial
from .controls import show_the_gate
from .deploy import apply_the_platform, deploy_the_function
from .event import deliver_the_events
from .run import Run
from .serve import show_the_function
from .switch import set_the_switch

STAGES = {
    "0 copy": copy_the_source,
    CONTROLS: show_the_gate,
    "2 denied": show_the_denial,
    "3 allow": set_the_switch,
    "4 build": show_the_build,
    "5 serve": show_the_function,
}
DEPLOYMENT = {
    "6 platform": apply_the_platform,
    "7 deploy": deploy_the_function,
    "8 event": deliver_the_events,
}


def rehearse(run: Run, stages: Mapping[str, Callable[[Run], None]]) -> None:
    """Run the stages. StageFailedError when one deviates; the report then says which."""
    report = run.report
    describe(run)
    # What a stage's docstring says is what people read of it.
    report.purposes = {name: getdoc(stage) or "" for name, stage in stages.items()}
    try:
        for name, stage in stages.items():
            try:
                with report.stage(name):
                    stage(run)
            finally:
                report.journal[name] = run.seen()
                run.mark += len(report.journal[name])
        report.complete = True
    finally:
        run.resources.close()
        # What the controls asked is no finding.
        clients = [r for name, asked in report.journal.items() if name != CONTROLS for r in asked]
        report.requests = requests_by_host(request for request in clients if not request.refused)
        report.refused = requests_by_host(request for request in clients if request.refused)


def describe(run: Run) -> None:
    """Say in the report what is rehearsed, with what, and how that differs from a build."""
    report, repository = run.report, run.repository
    report.differences = list(DIFFERENCES)
    report.interpreter = f"Python {run.interpreter.version}"
    report.index = repository.index.url
    report.lock = hashlib.sha256(repository.requirements.read_bytes()).hexdigest()
    report.platform = platform.platform()
    report.versions = {name: version(name) for name in ("mitmproxy", "proxpi")}


def without_secret(report: Report, token: str) -> str:
    """Return `report` as JSON, without the token, whichever client printed or sent it."""
    return json.dumps(report.as_dict()).replace(token, "[token]")


def main() -> int:
    """Run what `plan` in the folder says, and write the report there."""
    interrupt_on_signals()
    machine, plan = enter(Path(sys.argv[1]))
    records = socket.socket(fileno=plan["records"])
    paths = {name: Path(plan["repository"][name]) for name in ("root", "source", "requirements")}
    events = tuple(Path(event) for event in plan["repository"]["events"])
    index = Index(*plan["repository"]["index"])
    repository = Repository(**{**plan["repository"], **paths, "index": index, "events": events})
    report = Report.from_dict(plan["report"])
    enclosed, environment = plan["door"] is not None, plan["environment"]
    run = Run(
        repository,
        machine,
        report,
        enclosed=enclosed,
        environment=environment,
        journal=Journal(records),
    )
    if enclosed:
        run.room = find_room(machine.hidden, [run.interpreter.path])
        report.isolation += (
            f"; not enforced for files and processes: {run.room.reason}"
            if run.room.reason
            else ", each in a room with files and processes of its own"
        )
    else:
        run.room = Room(machine.hidden, reason=report.isolation.removeprefix("not enforced: "))
    try:
        rehearse(run, STAGES | DEPLOYMENT if plan["deploy"] else STAGES)
    except StageFailedError:
        return ExitStatus.WRONG
    except KeyboardInterrupt:
        return ExitStatus.INTERRUPTED
    finally:
        text = without_secret(report, machine.token)
        (machine.hidden / "report").write_text(text, encoding="utf-8")
    return ExitStatus.DONE


if __name__ == "__main__":
    raise SystemExit(main())
