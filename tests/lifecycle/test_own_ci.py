"""The template's own workflows, and what they rest on."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts import release_notes
from tests.support.machine import need
from tests.support.template import CHOICES, PRODUCT, TEMPLATE

FOLDER = TEMPLATE / ".github"
Workflow = dict[str, Any]


def load(name: str) -> Any:  # noqa: ANN401 - whatever YAML holds
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


def workflow(name: str) -> Workflow:
    loaded: Workflow = load(f"workflows/{name}.yml")
    return loaded


WORKFLOWS = {path.stem: workflow(path.stem) for path in (FOLDER / "workflows").iterdir()}
CI = WORKFLOWS["ci"]["jobs"]
MAKEFILE = (TEMPLATE / "Makefile").read_text(encoding="utf-8")
# What a job may have, where that is more than nothing or reading the code.
MAY = {"release": {"contents": "write"}, "green": {"actions": "read"}}


def scripts(job: dict[str, Any]) -> str:
    return "\n".join(step.get("run", "") for step in job["steps"])


# --- every workflow ---


def faults(found: Workflow) -> Iterator[str]:
    """What a workflow must not be: a line for each fault."""
    if found["permissions"] != {}:
        yield "permissions for every job"
    if "concurrency" not in found:
        yield "no concurrency"
    for name, job in found["jobs"].items():
        own = [*faults_of_job(name, job), *faults_of_scripts(scripts(job))]
        own += [fault for step in job["steps"] for fault in faults_of_step(step)]
        yield from (f"{name}: {fault}" for fault in own)


def faults_of_job(name: str, job: dict[str, Any]) -> Iterator[str]:
    if job.get("permissions") not in ({}, MAY.get(name, {"contents": "read"})):
        yield "permissions"
    if "timeout-minutes" not in job:
        yield "no time limit"
    if "latest" in json.dumps([job["runs-on"], job.get("strategy")]):
        yield "a runner that changes by itself"


def faults_of_step(step: dict[str, Any]) -> Iterator[str]:
    action = step.get("uses", "")
    if action and not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action):
        yield f"{action} is not pinned"
    keeps = step.get("with", {}).get("persist-credentials", True)
    if action.startswith("actions/checkout") and keeps:
        yield "credentials stay in the checkout"
    if "${{" in step.get("run", ""):
        yield "an expression in a script"


def faults_of_scripts(text: str) -> Iterator[str]:
    for target in re.findall(r"\bmake ([\w-]+)", text):
        if not re.search(rf"^{target}:", MAKEFILE, re.MULTILINE):
            yield f"no make {target}"
    for path in re.findall(r"(?:[\w-]+/)+[\w-]+\.py|tests/[\w/-]+|[\w-]+\.txt", text):
        if not (TEMPLATE / path).exists():
            yield f"no file {path}"


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_has_no_fault(name: str) -> None:
    assert list(faults(WORKFLOWS[name])) == []


def in_lint(**changes: object) -> Callable[[Workflow], None]:
    return lambda found: found["jobs"]["lint"].update(changes)


def in_step(index: int, **changes: object) -> Callable[[Workflow], None]:
    return lambda found: found["jobs"]["lint"]["steps"][index].update(changes)


@pytest.mark.parametrize(
    ("break_it", "fault"),
    [
        (lambda found: found.update(permissions="read-all"), "permissions for every job"),
        (lambda found: found.pop("concurrency"), "no concurrency"),
        (in_lint(permissions={"contents": "write"}), "lint: permissions"),
        (lambda found: found["jobs"]["lint"].pop("permissions"), "lint: permissions"),
        (lambda found: found["jobs"]["lint"].pop("timeout-minutes"), "lint: no time limit"),
        (in_lint(**{"runs-on": "ubuntu-latest"}), "lint: a runner that changes by itself"),
        (in_step(1, uses="actions/setup-python@v6"), "lint: actions/setup-python@v6 is not pinned"),
        (in_step(0, **{"with": {}}), "lint: credentials stay in the checkout"),
        (in_step(2, run="echo ${{ github.head_ref }}"), "lint: an expression in a script"),
        (in_step(2, run="make lnit"), "lint: no make lnit"),
        (in_step(2, run="python tests/test_mian.py"), "lint: no file tests/test_mian.py"),
        (in_step(2, run="pytest tests/terrafrom"), "lint: no file tests/terrafrom"),
    ],
)
def test_each_fault_would_be_found(break_it: Callable[[Workflow], None], fault: str) -> None:
    broken = copy.deepcopy(WORKFLOWS["ci"])
    break_it(broken)
    assert list(faults(broken)) == [fault]


def test_a_pin_tells_its_version_and_is_the_same_everywhere() -> None:
    used: dict[str, set[tuple[str, str]]] = {}
    for path in (FOLDER / "workflows").iterdir():
        lines = path.read_text(encoding="utf-8").splitlines()
        for line in (line for line in lines if "uses:" in line):
            found = re.fullmatch(r" +- uses: ([\w/-]+)@(\w{40}) # (v\d+\.\d+\.\d+)", line)
            assert found, line
            used.setdefault(found[1], set()).add((found[2], found[3]))
    assert "actions/checkout" in used
    assert {action: pins for action, pins in used.items() if len(pins) != 1} == {}


# --- CI ---


def test_tests_run_on_every_python_that_is_offered_and_no_other() -> None:
    offered = set(CHOICES["python_version"])
    assert set(CI["fast"]["strategy"]["matrix"]["python"]) == offered
    assert set(CI["windows"]["strategy"]["matrix"]["python"]) == offered
    (several,) = [
        step["with"]["python-version"].split()
        for step in CI["full"]["steps"]
        if step.get("uses", "").startswith("actions/setup-python")
    ]
    assert set(several) == offered
    assert several[-1] == CHOICES["python_version"][0]


def test_tests_run_on_every_system() -> None:
    systems = [*CI["fast"]["strategy"]["matrix"]["os"], CI["windows"]["runs-on"]]
    assert [name.split("-")[0] for name in systems] == ["ubuntu", "macos", "windows"]


def test_the_versions_are_those_of_the_template() -> None:
    installed = re.findall(r"go install (\S+)", scripts(CI["scan"]))
    assert len(installed) == 1
    assert f"go install {installed[0]}\n" in (TEMPLATE / ".ci/run").read_text(encoding="utf-8")
    # OpenTofu is older by its numbers, so the stacks' own condition says less.
    readme = (PRODUCT / "README.md").read_text(encoding="utf-8")
    oldest = re.findall(r"You need Terraform (\S+) or OpenTofu", readme)
    tested = CI["terraform"]["strategy"]["matrix"]["terraform"]
    assert [tested[0].rpartition(".")[0]] == oldest


def test_what_is_applied_with_the_real_providers_runs_in_one_job() -> None:
    marks = {
        name: re.findall(r"(?:-m|ONLY=)\s*\"?([a-z ]+)", scripts(job)) for name, job in CI.items()
    }
    assert [name for name, found in marks.items() if "applies" in found] == ["applies"]
    assert [name for name, found in marks.items() if "not applies" in found] == [
        "full",
        "terraform",
    ]
    # Without the providers the job fails.
    assert CI["applies"]["env"]["REAL_PROVIDERS"] == "required"
    conftest = (TEMPLATE / "tests/conftest.py").read_text(encoding="utf-8")
    assert 'os.environ.get("REAL_PROVIDERS") == "required"' in conftest


def test_one_check_stands_for_all_jobs() -> None:
    assert CI["required"]["if"] == "always()"
    assert set(CI["required"]["needs"]) == CI.keys() - {"required"}
    assert all("if" not in job for name, job in CI.items() if name != "required")


@pytest.mark.parametrize(
    ("results", "status"),
    [
        ({"lint": "success", "full": "success"}, 0),
        ({"lint": "success", "full": "failure"}, 1),
        ({"lint": "success", "full": "cancelled"}, 1),
        ({"lint": "success", "full": "skipped"}, 1),
        ({}, 1),
    ],
)
def test_the_check_fails_unless_every_job_has_succeeded(
    results: dict[str, str], status: int
) -> None:
    jq = Path(need(shutil.which("jq"), "jq"))
    jobs = {name: {"result": result, "outputs": {}} for name, result in results.items()}
    done = subprocess.run(
        [need(shutil.which("bash"), "bash"), "-e", "-c", scripts(CI["required"])],
        env={"PATH": str(jq.parent), "JOBS": json.dumps(jobs)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr
    for name, result in results.items():
        assert f"{name}: {result}\n" in done.stdout


# --- what CI runs on Windows ---

# Import a module, then once more without what Windows lacks. What others made is loaded by then:
# it has other code for Windows, and ours has not.
WITHOUT_POSIX = """
import importlib, os, signal, socket, sys

name, *folders = sys.argv[1:]
sys.path += folders
importlib.import_module(name)
for module in list(sys.modules):
    ours = "tests scripts hooks closed_network closed_function terraform_replay".split()
    if module.split(".")[0] in (*ours, name):
        del sys.modules[module]
for module in "fcntl grp posix pty pwd resource syslog termios tty".split():
    sys.modules[module] = None
for function in (
    "chown fork forkpty getegid geteuid getgid getgroups getpgid getpgrp getsid getuid killpg "
    "mkfifo mknod nice openpty posix_spawn sched_getaffinity setgid setpgid setsid setuid statvfs "
    "uname wait"
).split():
    vars(os).pop(function, None)
for number in "SIGALRM SIGCHLD SIGHUP SIGKILL SIGPIPE SIGQUIT SIGUSR1 SIGUSR2".split():
    delattr(signal, number)
del socket.AF_UNIX
importlib.import_module(name)
"""


def import_without_posix(name: str, *folders: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-B", "-c", WITHOUT_POSIX, name, *map(str, folders)],
        cwd=TEMPLATE,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


# The fixtures' module comes with each.
ON_WINDOWS = ["conftest", *re.findall(r"tests/([\w/]+)\.py", scripts(CI["windows"]))]
SYSTEM_HAS_POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows itself shows it")


@SYSTEM_HAS_POSIX
@pytest.mark.parametrize("module", ON_WINDOWS, ids=lambda module: Path(module).name)
def test_what_runs_on_windows_is_imported_there(module: str) -> None:
    done = import_without_posix(f"tests.{module.replace('/', '.')}")
    assert done.returncode == 0, done.stderr


@SYSTEM_HAS_POSIX
@pytest.mark.parametrize("module", ["hooks.post_gen_project", "closed_function.commands.switch"])
def test_what_a_bake_runs_is_imported_on_windows(module: str) -> None:
    done = import_without_posix(module, PRODUCT)
    assert done.returncode == 0, done.stderr


@SYSTEM_HAS_POSIX
@pytest.mark.parametrize(
    ("program", "error"),
    [
        ("import fcntl", "import of fcntl halted"),
        ("from pwd import getpwnam", "import of pwd halted"),
        ("import os\nEND = os.killpg", "no attribute 'killpg'"),
        ("import signal\nEND = signal.SIGHUP", "no attribute 'SIGHUP'"),
        ("import socket\nEND = socket.AF_UNIX", "no attribute 'AF_UNIX'"),
        ("import signal\nEND = signal.SIGTERM", None),
    ],
)
def test_what_windows_lacks_would_be_noticed(
    program: str, error: str | None, tmp_path: Path
) -> None:
    (tmp_path / "ours.py").write_text(program, encoding="utf-8")
    done = import_without_posix("ours", tmp_path)
    assert (done.returncode != 0) == (error is not None)
    assert (error or "") in done.stderr


# --- releases ---

CHANGELOG = release_notes.CHANGELOG.read_text(encoding="utf-8")
SECTIONS = """\
# Changelog

## [2026.12.0] - 2026-12-01

### Added
- Something.

### Upgrade

Run `make lock`.

## [2026.11.1] - 2026-11-30

### Upgrade

### Fixed
- No note.

## [2026.11.0]

### Upgrade
No date.
"""


@pytest.mark.parametrize(
    ("answer", "status"),
    [("echo 1", 0), ("echo 2", 0), ("echo 0", 1), ("exit 4", 4)],
    ids=["once", "again", "not", "no answer"],
)
def test_what_ci_has_not_passed_is_not_released(answer: str, status: int, tmp_path: Path) -> None:
    jobs = WORKFLOWS["release"]["jobs"]
    assert jobs["release"]["needs"] == "green"
    assert "if" not in jobs["release"]  # which would run it in spite of a failure
    (step,) = jobs["green"]["steps"]
    gh = tmp_path / "gh"
    gh.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\n{answer}\n', encoding="utf-8")
    gh.chmod(0o755)
    done = subprocess.run(
        ["bash", "-e", "-c", step["run"]],
        env={
            "PATH": f"{tmp_path}:{os.defpath}",
            "GITHUB_REPOSITORY": "a/template",
            "GITHUB_SHA": "c0ffee",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status
    asked = (tmp_path / "asked").read_text(encoding="utf-8").split()
    options = dict(zip(asked[2::2], asked[3::2], strict=True))
    assert options["--commit"] == "c0ffee"
    assert options["--repo"] == "a/template"
    assert (options["--branch"], options["--event"]) == ("main", "push")
    assert options["--status"] == "success"
    assert (TEMPLATE / ".github/workflows" / options["--workflow"]).is_file()


def test_the_tags_that_start_a_release_are_versions() -> None:
    (tags,) = WORKFLOWS["release"]["on"]["push"]["tags"]
    pattern = re.compile(tags.replace(".", r"\."))  # what GitHub's has of a pattern's marks
    for tag in ("2026.11.0", "2026.12.13", "2027.01.7"):
        assert pattern.fullmatch(tag)
        assert release_notes.VERSION.fullmatch(tag)
    for tag in ("v2026.11.0", "2026.1.0", "2026.13.0", "2026.11", "2026.11.01", "2026.11.0-rc1"):
        assert not release_notes.VERSION.fullmatch(tag)


def test_the_notes_of_a_release_are_its_section() -> None:
    expected = "### Added\n- Something.\n\n### Upgrade\n\nRun `make lock`.\n"
    assert release_notes.notes("2026.12.0", SECTIONS) == expected


@pytest.mark.parametrize(
    ("version", "error"),
    [
        ("2026.11.1", "says nothing under ### Upgrade"),
        ("2026.11.0", "has no section: ## [2026.11.0] - YYYY-MM-DD"),
        ("2026.10.0", "has no section"),
        ("v2026.12.0", "is no version"),
        ("2026.12.0\n", "is no version"),
        ("Unreleased", "is no version"),
    ],
)
def test_what_the_changelog_does_not_describe_is_not_released(version: str, error: str) -> None:
    with pytest.raises(release_notes.NotesError, match=re.escape(error)):
        release_notes.notes(version, SECTIONS)


def test_the_program_of_the_release_refuses_in_one_line() -> None:
    commands = scripts(WORKFLOWS["release"]["jobs"]["release"])
    (program,) = re.findall(r'^python3 (\S+) "\$TAG" > ', commands, re.MULTILINE)
    done = subprocess.run(
        [sys.executable, program, "2020.01.0"],
        cwd=TEMPLATE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == "CHANGELOG.md has no section: ## [2020.01.0] - YYYY-MM-DD\n"


def test_every_section_of_the_changelog_could_be_released() -> None:
    headings = re.findall(r"^## \[(.*)\].*$", CHANGELOG, re.MULTILINE)
    assert headings[0] == "Unreleased"
    dated = CHANGELOG.replace("## [Unreleased]\n", "## [2026.11.0] - 2026-11-30\n")
    for version in ["2026.11.0", *headings[1:]]:
        assert release_notes.notes(version, dated)


# --- dependabot ---


def test_newer_actions_and_tools_are_proposed_after_a_while() -> None:
    updates = load("dependabot.yml")["updates"]
    assert [each["package-ecosystem"] for each in updates] == ["github-actions", "pip"]
    assert all(each["cooldown"]["default-days"] >= 7 for each in updates)
    assert all((TEMPLATE / each["directory"].lstrip("/")).is_dir() for each in updates)
