"""Run stages 0, 2 and 4: the build's own commands, first refused and then allowed."""

from __future__ import annotations

import json
import shutil
import sys
from importlib.metadata import version
from pathlib import Path

from closed_function.runtimes import RUNTIME_PLATFORM
from closed_network import diagnosis, lock
from closed_network.clients import BUILD_CHECK, BUILD_INSTALL
from closed_network.deployment import (
    build_environment,
    copy_upload,
    function_settings,
)
from closed_network.journal import Request, requests_by_host
from closed_network.processes import Outcome
from closed_network.report import StageFailedError
from closed_network.repository import FRAMEWORK

from .run import PIP_TIMEOUT, TOOL_TIMEOUT, Run

# Run by the build's Python.
LOCK_READER = Path(lock.__file__).with_name("read_requirements.py")
ONE_INDEX = (
    "a closed build cannot reach; keep one --index-url line in requirements.txt, without "
    "--extra-index-url or another location"
)


def copy_the_source(run: Run) -> None:
    """Copy what the build uploads; it must not need anything else of this machine."""
    source, repository = run.machine.source, run.repository
    try:
        settings = function_settings(repository, run.environment)
    except ValueError as error:
        raise StageFailedError(f"the settings cannot be read: {error}") from None
    with run.report.proving("what is built is what is uploaded"):
        try:
            run.machine.prepare(repository.index)
            known = copy_upload(repository, settings, source)
            run.report.proven("what is built is what is uploaded", known)
        except OSError as error:
            raise StageFailedError(f"the source cannot be copied: {error}") from None
    shutil.copyfile(repository.requirements, run.requirements)
    with run.report.proving("the build gets the variables of the settings"):
        run.build_environment = build_environment(settings)
        named = ", ".join(f"{k}={v}" for k, v in run.build_environment.items())
        known = named or "function.build_environment sets none"
        run.report.proven("the build gets the variables of the settings", known)
    make_the_environment(run)
    read_the_requirements(run)


def read_the_requirements(run: Run) -> None:
    """Let the build's own pip say what the requirements file says, and judge that."""
    names_the_index = "the requirements file names only packages of the index"
    everywhere = "the requirements are the same on every machine"
    program = run.machine.folder / LOCK_READER.name
    shutil.copyfile(LOCK_READER, program)
    done = run.python([str(program), "requirements.txt", *run.build_environment])
    try:
        run.lines = lines = json.loads(done.last_line)
    except ValueError:
        why = f"pip's own parser did not read it: {done.last_line}"
        run.report.not_proven(names_the_index, why)
        run.report.not_proven(everywhere, why)
        return
    named = list(lock.complaints(lines, run.repository.index, run.machine.source))
    if named:
        raise StageFailedError(f"requirements.txt {named[0]}")
    if unknown := lock.not_judged(lines):
        why = f"it has {', '.join(unknown)}, whose effect is not known here"
        run.report.not_proven(names_the_index, why)
    else:
        packages = sum("name" in line for line in lines)
        run.report.proven(names_the_index, f"{packages} packages, read by the build's pip")
    if own := lock.depending_on_the_machine(lines):
        run.report.not_proven(
            everywhere, f"the marker of {', '.join(own)} may not hold on the build's machine"
        )
    else:
        run.report.proven(everywhere, "no marker names a machine's own release or version")


def show_the_denial(run: Run) -> None:
    """With the switch at DENY the build's pip fails, because the stand-in refused it."""
    outcome = install(run)
    run.refuse_other_hosts("pip", ONE_INDEX)
    if outcome.status == 0:
        raise StageFailedError("pip succeeded although the switch is at DENY")
    lines = diagnosis.documented_lines(outcome.output)
    if not lines:
        raise StageFailedError(f"pip failed for another reason: {outcome.last_line}")
    answers = run.seen()
    denied = [request for request in answers if request.status == 403]
    if not denied or len(denied) != len(answers):
        others = sorted({request.status for request in answers} - {403})
        raise StageFailedError(
            f"pip failed, but not because the switch is at DENY: Artifact Registry answered "
            f"{', '.join(map(str, others)) or 'nothing'}"
        )
    run.report.proven("the build's pip command fails", "\n".join(lines))
    run.report.proven(
        "because Artifact Registry refused it", f"{len(denied)} answered 403 by the stand-in"
    )


def make_the_environment(run: Run) -> None:
    interpreter = run.interpreter
    command = run.machine.make_python(interpreter.path)
    environment = run.machine.environment()
    folder = run.machine.folder
    made = run.client(command, environment, folder, TOOL_TIMEOUT, writable=[folder])
    if made.status != 0:
        raise StageFailedError(f"the virtual environment cannot be created: {made.last_line}")
    run.machine.hide_the_machines_packages()
    pip = run.python(["-m", "pip", "--version"])
    name, number = [*pip.output.split(), "", ""][:2]
    run.report.interpreter = f"Python {interpreter.version}, {name} {number}"
    run.report.versions |= {"Python": run.machine.python_version, name: number}
    runtime = run.repository.runtime
    if interpreter.version != runtime:
        run.report.interpreter += f" (the runtime's {runtime} is not on this machine)"


def install(run: Run) -> Outcome:
    outcome = run.python(BUILD_INSTALL, PIP_TIMEOUT)
    if outcome.status is None:
        raise StageFailedError(f"pip was still running after {PIP_TIMEOUT} s")
    return outcome


def show_the_build(run: Run) -> None:
    """With the switch at ALLOW the same pip command succeeds from Artifact Registry alone."""
    outcome = install(run)
    run.refuse_other_hosts("pip", ONE_INDEX)
    if sources := diagnosis.source_distributions(run.seen()):
        raise StageFailedError(
            f"{', '.join(sources)} is a source distribution, which the build cannot compile; "
            "lock a version that has wheels"
        )
    if outcome.status != 0:
        why = diagnosis.why_pip_failed(outcome.output, run.seen(), run.interpreter.version)
        raise StageFailedError(why)
    answered = run.seen()
    wheels = diagnosis.served_wheels(answered)
    run.report.packages = len(wheels)
    run.report.bytes = sum(request.size for request in answered)
    if set(requests_by_host(answered)) != {run.repository.index.host} or not wheels:
        raise StageFailedError(
            f"pip installed without Artifact Registry: {requests_by_host(answered)}"
        )
    run.report.proven(
        "the same pip command succeeds",
        f"{len(wheels)} packages in {len(answered)} requests, "
        f"all to {run.repository.index.host}, none elsewhere",
    )
    compare_with_the_lock(run, answered)
    installed = run.machine.packages.glob("lib/python*/site-packages/*.dist-info")
    if elsewhere := diagnosis.packages_from_elsewhere(installed, wheels):
        raise StageFailedError(
            f"{', '.join(elsewhere)} came from this machine, not from Artifact Registry, so "
            "the build does not find it; remove paths and --find-links from requirements.txt"
        )
    install_the_framework(run)
    checked = run.python(BUILD_CHECK)
    if checked.status != 0:
        raise StageFailedError(f"pip check: {checked.last_line}")
    run.report.proven("pip check finds no conflict", checked.last_line)
    compiled = run.python(["-m", "compileall", "-f", "-q", "."])
    if compiled.status != 0:
        raise StageFailedError(f"the source does not compile: {compiled.last_line}")
    run.report.proven("the source compiles", "python3 -m compileall")
    if run.interpreter.is_the_runtime(run.repository.runtime):
        named = f"Python {run.machine.python_version} on Linux x86_64"
        run.report.proven("the runtime's own Python builds and serves", named)
    else:
        resolve_for_the_runtime(run)


def compare_with_the_lock(run: Run, answered: list[Request]) -> None:
    """Check the served bytes against the hashes in the lock, if it has any."""
    locked = lock.hashes_by_package(run.lines)
    files = run.report.files = diagnosis.served_files(answered, locked)
    run.report.versions |= {
        file.package: file.version for file in files if file.package == FRAMEWORK
    }
    if others := [file.file for file in files if file.in_lock is False]:
        raise StageFailedError(
            f"the lock has no such hash for {', '.join(others)}; run `make lock`"
        )
    if without := sum(file.in_lock is None for file in files):
        run.report.not_proven(
            "the files are those of the lock",
            f"requirements.txt has no hash for {without} of {len(files)} packages, so a build "
            "on another day may install other files",
        )
    else:
        run.report.proven(
            "the files are those of the lock",
            f"{len(files)} files; requirements.txt has the sha256 of each",
        )


def install_the_framework(run: Run) -> None:
    """Do as the build does when requirements.txt does not name functions-framework."""
    if run.repository.names_the_framework:
        return
    run.python(["-m", "pip", "install", "--user", FRAMEWORK], PIP_TIMEOUT)
    asked = diagnosis.asked_elsewhere(run.seen()) or "another index"
    raise StageFailedError(
        "functions-framework is not in requirements.txt, so the build runs a second pip that "
        f"does not see its index line and requests {asked}; add "
        "functions-framework to requirements.in and run `make lock`"
    )


def resolve_for_the_runtime(run: Run) -> None:
    """Resolve the lock for the real runtime if this machine is different.

    With uv, which evaluates markers for the runtime; pip evaluates them for its own Python.
    """
    runtime = run.repository.runtime
    command = [sys.executable, "-m", "uv", "pip", "install", "--dry-run", "--no-cache"]
    command += [
        "--python",
        run.machine.python,
        "--target",
        str(run.machine.folder / "tmp" / "none"),
    ]
    command += ["--python-version", runtime, "--python-platform", RUNTIME_PLATFORM]
    command += ["--only-binary", ":all:", "--requirement", "requirements.txt"]
    environment = run.machine.uv_environment()
    resolved = run.client(command, environment, run.machine.source, PIP_TIMEOUT)
    run.report.versions["uv"] = version("uv")
    if resolved.status != 0:
        raise StageFailedError(
            f"the lock has no files for Python {runtime} on Linux x86_64: {resolved.output}"
        )
    run.report.proven(
        "the lock has files for the runtime", f"uv resolved it for Python {runtime} on Linux"
    )
    run.report.not_proven(
        "the runtime's own Python builds and serves",
        f"Python {runtime} for Linux x86_64 is not on this machine",
    )
