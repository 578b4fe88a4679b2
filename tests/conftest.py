"""What the tests share: the template, a baked product, and which real clients this machine has."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cookiecutter.main import cookiecutter

from closed_network.interpreters import find_interpreter
from closed_network.receiver import find_snmptrapd
from terraform_replay.clients import Client, client, find_programs

TEMPLATE = Path(__file__).resolve().parent.parent
PRODUCT = TEMPLATE / "{{cookiecutter.project_slug}}"
QUESTIONS = json.loads((TEMPLATE / "cookiecutter.json").read_text(encoding="utf-8"))
CHOICES = {name: value for name, value in QUESTIONS.items() if isinstance(value, list)}
CHOICES = {name: value for name, value in CHOICES.items() if not name.startswith("_")}
KINDS = CHOICES["function_kind"]
# For a test that takes a second for each kind: the first in the fast tier, the others not.
KINDS_FIRST_FAST = [KINDS[0], *(pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS[1:])]
IN_CI = os.environ.get("CI") == "true"

# The programs of the products' `make lint`, `audit` and `upgrade`, in the template's environment.
TOOLS = TEMPLATE / ".venv-tools" / "bin"

# No byte code beside the product's sources: it would be copied into every bake.
sys.dont_write_bytecode = True


def combinations() -> list[dict[str, str]]:
    """Return every combination of choices that cookiecutter.json offers."""
    values = itertools.product(*CHOICES.values())
    return [dict(zip(CHOICES, chosen, strict=True)) for chosen in values]


@dataclass(frozen=True)
class Baked:
    """A generated repository."""

    path: Path

    def read(self, name: str) -> str:
        return (self.path / name).read_text(encoding="utf-8")

    def files(self) -> dict[str, bytes]:
        """Return the repository's files by their path in it, in order.

        What the answers rule out is left out: the hook removes it, and Git ignores it.
        """
        found = sorted(path for path in self.path.rglob("*") if path.is_file())
        names = {path.relative_to(self.path).as_posix(): path for path in found}
        return {name: path.read_bytes() for name, path in names.items() if ".unused-" not in name}

    def run(self, *command: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.path, capture_output=True, text=True, check=False, timeout=timeout
        )


def bake(folder: Path, **answers: str | bool) -> Baked:
    """Bake with the engine itself, in this process and without hooks; any failure raises."""
    return bake_from(TEMPLATE, folder, **answers)


def bake_from(template: Path, folder: Path, **answers: str | bool) -> Baked:
    """The same from a template that lies elsewhere."""
    made = cookiecutter(
        str(template),
        no_input=True,
        extra_context=answers,
        output_dir=str(folder),
        accept_hooks=False,
        default_config=True,
    )
    return Baked(Path(made))


def bare_environment(folder: Path, **more: str) -> dict[str, str]:
    """An environment with nothing of the developer's in it: `folder` is home and, below, TMPDIR."""
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    if os.name == "nt":  # its names for the same, and where it finds its own libraries
        more |= {"USERPROFILE": str(folder), "TEMP": str(temporary), "TMP": str(temporary)}
        more |= {"SYSTEMROOT": os.environ["SYSTEMROOT"]}
    return {
        "HOME": str(folder),
        "TMPDIR": str(temporary),
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        **more,
    }


def cli(
    folder: Path, *arguments: str | bytes, typed: str | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the real cookiecutter command in `folder`/out from an empty environment.

    Without `typed`, what a person types at the prompts, no question is asked.
    """
    out = folder / "out"
    out.mkdir(exist_ok=True)
    mode = ["--no-input"] if typed is None else []
    command = [sys.executable, "-m", "cookiecutter", *mode, "--output-dir", str(out), str(TEMPLATE)]
    return subprocess.run(
        [*command, *arguments],
        cwd=folder,
        env=bare_environment(folder, **environment),
        input=typed,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        timeout=300,
    )


def need(path: str | None, name: str) -> str:
    """The path of a real client; without it the test does not run here, and in CI it fails."""
    if path:
        return path
    why = f"{name} is not installed: this check did not run"
    if IN_CI:
        pytest.fail(why)
    pytest.skip(why)


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


# The interpreters of this machine for the versions that the template offers.
PYTHONS = {
    version: str(found.path)
    for version in sorted(CHOICES["python_version"])
    if (found := find_interpreter(version))
}


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
    """The products' virtual environments (tests/products.py), which take a while to make."""
    from .products import shared_environments

    with shared_environments(tmp_path_factory.getbasetemp()) as shared:
        yield shared


@pytest.fixture
def template_repository(tmp_path: Path) -> Path:
    """The template as a Git repository of its own, as cruft and a user's clone see it."""
    folder = tmp_path / "template"
    listed = git(TEMPLATE, "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    for name in filter(None, listed.split("\0")):
        if (TEMPLATE / name).is_file():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(TEMPLATE / name, target)
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder)
    return folder


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
    git(folder, *identity, "commit", "--quiet", "--message", "State")
