"""Run the stages of one rehearsal in a closed network and return their report."""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict

from .network import RehearsalError, closed_network
from .report import Report
from .repository import Repository


def rehearse(
    repository: Repository,
    *,
    deploy: bool = False,
    environment: str | None = None,
    without_namespace: bool = False,
) -> Report:
    """Rehearse the build of `repository`, and to `deploy` it, and return what was found.

    `environment` is the one whose settings are deployed.
    RehearsalError when the rehearsal itself breaks; nothing of it is left behind either way.
    """
    with closed_network(repository.index, "DENY", without_namespace=without_namespace) as network:
        empty = Report(str(repository.root), isolation=network.isolation)
        plan = {
            "repository": asdict(repository),
            "report": empty.as_dict(),
            "deploy": deploy,
            "environment": environment,
        }
        status = network.run("stages", plan, stdin=subprocess.DEVNULL)
        try:
            written = (network.folder / "report").read_text(encoding="utf-8")
            report = Report.from_dict(json.loads(written))
        except (OSError, ValueError):
            raise RehearsalError(f"the stages ended without a report (status {status})") from None
    if status != (0 if report.passed else 1):
        raise RehearsalError(f"the stages ended with status {status}, against their report")
    return report
