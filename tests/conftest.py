"""The fixtures that several rooms share, and what the report says of this machine."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from closed_network.receiver import find_snmptrapd
from terraform_replay.clients import Client, client, find_programs
from tests.support.machine import PYTHONS, need
from tests.support.repositories import commit, git
from tests.support.template import CHOICES, TEMPLATE, files_of_git

# No byte code beside the product's sources: it would be copied into every bake.
sys.dont_write_bytecode = True


@pytest.fixture
def gcloud() -> str:
    return need(shutil.which("gcloud"), "gcloud")


@pytest.fixture
def snmptrapd() -> str:
    return need(find_snmptrapd(), "snmptrapd")


# What the Terraform tests' verdicts rest on, a line for each program; empty when none ran.
VERDICTS = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def terraforms(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Client]]:
    """`terraform` and, where it is found, `tofu`, with the real providers or replayed ones."""
    from terraform_replay.server import replay

    programs = find_programs()
    need(programs.get("terraform"), "terraform")
    # One folder for all the workers.
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if hasattr(pytestconfig, "workeroutput") else shared
    with replay() as running:
        clients = {
            name: client(
                path,
                tmp_path_factory.mktemp(name),
                shared / f"providers-of-{name}",
                running.environment,
            )
            for name, path in programs.items()
        }
        verdicts = [each.description() for each in clients.values()]
        pytestconfig.stash[VERDICTS] = verdicts
        if hasattr(pytestconfig, "workeroutput"):
            pytestconfig.workeroutput["terraforms"] = verdicts
        yield clients


@pytest.fixture(scope="session")
def real_client(terraforms: dict[str, Client]) -> Client:
    """Terraform with the real providers; without them the test is skipped."""
    found = terraforms["terraform"]
    if found.providers != "real":
        why = "the real providers cannot be fetched: nothing was applied"
        if os.environ.get("REAL_PROVIDERS") == "required":
            pytest.fail(why)
        pytest.skip(why)
    return found


@pytest.fixture
def terraform(terraforms: dict[str, Client]) -> Client:
    return terraforms["terraform"]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:  # noqa: ANN401 - xdist's
    """Take over a worker's verdicts."""
    verdicts = getattr(node, "workeroutput", {}).get("terraforms")
    if verdicts:
        node.config.stash[VERDICTS] = verdicts


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    for verdict in config.stash.get(VERDICTS, []):
        terminalreporter.write_line(verdict)


def pytest_report_header() -> list[str]:
    absent = sorted(set(CHOICES["python_version"]) - set(PYTHONS))
    clients = {
        "gcloud": shutil.which("gcloud"),
        "snmptrapd": find_snmptrapd(),
        "terraform": find_programs().get("terraform"),
        "tofu": find_programs().get("tofu"),
        "actionlint": shutil.which("actionlint"),
        "chromium": shutil.which("chromium") or shutil.which("chromium-browser"),
    }
    missing = [name for name, path in clients.items() if not path]
    tested = f"products are tested on Python {', '.join(PYTHONS)}"
    return [
        f"{tested}; not on this machine: {', '.join(absent) or 'none'}",
        f"clients that are missing here: {', '.join(missing) or 'none'}",
    ]


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The products' virtual environments, which take a while to make."""
    from tests.support.environments import shared_environments

    with shared_environments(tmp_path_factory.getbasetemp()) as shared:
        yield shared


@pytest.fixture
def template_repository(tmp_path: Path) -> Path:
    """The template as a Git repository of its own, as cruft and a user's clone see it."""
    folder = tmp_path / "template"
    for name in files_of_git():
        if (TEMPLATE / name).is_file():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(TEMPLATE / name, target)
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder)
    return folder
