"""Ctrl-C in a tool of a product: one line, exit status 130, and nothing done by halves."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.baking import Baked, bake, bare_environment
from tests.support.repositories import commit, git

# As Ctrl-C does: to the tool and to its child. gcloud and pip-audit have a group of their own.
INTERRUPT = """\
import os, pathlib, signal
{before}
os.kill(os.getppid(), signal.SIG{name})
os.kill(os.getpid(), signal.SIG{name})
"""
TOOL = ("-m", "closed_function")
UNDO = "git reset --hard && git clean -d --force"
GCLOUD = "#!/bin/sh\nkill -{name} $PPID\nexec sleep 30\n"


@pytest.fixture
def product(tmp_path: Path) -> Baked:
    return bake(tmp_path, function_kind="http", gcp_project_id="a-project")


def run(
    product: Baked,
    folder: Path,
    *command: str,
    modules: dict[str, str] | None = None,
    signal_name: str = "INT",
) -> subprocess.CompletedProcess[str]:
    """Run a tool with a gcloud, and with `modules` of Python's, that send it a signal."""
    programs, packages = folder / "bin", folder / "packages"
    programs.mkdir()
    (programs / "gcloud").write_text(GCLOUD.format(name=signal_name), encoding="utf-8")
    (programs / "gcloud").chmod(0o755)
    for name, before in (modules or {}).items():
        (packages / name).mkdir(parents=True)
        (packages / name / "__init__.py").touch()
        main = INTERRUPT.format(before=before, name=signal_name)
        (packages / name / "__main__.py").write_text(main, encoding="utf-8")
    path = os.pathsep.join([str(programs), os.defpath])
    return subprocess.run(
        [sys.executable, *command],
        cwd=product.path,
        env=bare_environment(folder, PATH=path, PYTHONPATH=str(packages)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        start_new_session=True,
    )


@pytest.mark.parametrize(
    ("command", "module", "last"),
    [
        (["lock"], "uv", "Interrupted; no lock was replaced."),
        (["lock", "--upgrade", "all"], "uv", "Interrupted; no lock was replaced."),
        (["audit"], "pip_audit", "Interrupted; nothing was changed."),
        (["rehearse", "--template", "x"], "uv", "Interrupted; nothing was changed."),
        (["with-index", "touch", "x"], None, "Interrupted; touch was not started."),
        (["doctor"], None, "Interrupted; nothing was changed."),
        (["status"], None, "Interrupted; nothing was changed."),
        (
            ["allow"],
            None,
            "Interrupted; gcloud was ended. See where the switch is: make status",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_tool_that_is_interrupted_says_so_in_one_line_and_changes_nothing(
    command: list[str], module: str | None, last: str, product: Baked, tmp_path: Path
) -> None:
    before = product.files()
    modules = {module: ""} if module else {}
    done = run(product, tmp_path, *TOOL, *command, modules=modules)
    assert done.returncode == 130, done.stdout + done.stderr
    assert done.stderr.splitlines()[-1].startswith(last)
    assert "Traceback" not in done.stderr
    assert product.files() == before


@pytest.mark.parametrize(
    ("command", "module"),
    [
        (["doctor"], None),
        (["status"], None),
        (["audit"], "pip_audit"),
        (["rehearse", "--template", "x"], "uv"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_tool_that_is_terminated_says_so_in_one_line_too(
    command: list[str], module: str | None, product: Baked, tmp_path: Path
) -> None:
    modules = {module: ""} if module else {}
    done = run(product, tmp_path, *TOOL, *command, modules=modules, signal_name="TERM")
    assert done.returncode == 128 + signal.SIGTERM, done.stdout + done.stderr
    assert done.stderr.splitlines()[-1] == "Interrupted; nothing was changed."
    assert "Traceback" not in done.stderr


def test_a_tool_that_is_terminated_while_it_waits_for_no_program_says_so_too(
    product: Baked, tmp_path: Path
) -> None:
    with subprocess.Popen(
        [sys.executable, *TOOL, "explain"],
        cwd=product.path,
        env=bare_environment(tmp_path, PYTHONVERBOSE="1"),
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr
        # What it loads last, just before it reads the log.
        assert any("symptoms.patterns" in line for line in process.stderr)
        time.sleep(1)
        process.terminate()
        errors = process.stderr.read()
    assert process.returncode == 128 + signal.SIGTERM
    assert "Interrupted; nothing was changed.\n" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("begun", "said"),
    [
        ("", "Interrupted; nothing was changed.\n"),
        (
            "pathlib.Path('Makefile').write_text('half')",
            f"Interrupted half-way. To undo what was begun: {UNDO}\n",
        ),
    ],
    ids=["before", "half-way"],
)
def test_an_upgrade_that_is_interrupted_says_what_it_leaves(
    begun: str, said: str, product: Baked, tmp_path: Path
) -> None:
    state = {"template": "t", "commit": "c", "context": {"cookiecutter": {}}}
    (product.path / ".cruft.json").write_text(json.dumps(state), encoding="utf-8")
    git(product.path, "init", "--quiet")
    commit(product.path)
    done = run(product, tmp_path, *TOOL, "upgrade", modules={"cruft": begun})
    assert done.returncode == 130, done.stderr
    assert done.stderr == said


def test_an_event_whose_delivery_is_interrupted_is_named(product: Baked, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        process = subprocess.Popen(
            [sys.executable, *TOOL, "send", "--port", str(silent.getsockname()[1])],
            cwd=product.path,
            env=bare_environment(tmp_path),
            stderr=subprocess.PIPE,
            text=True,
        )
        connection, _ = silent.accept()
        with connection:
            connection.recv(1)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.endswith(": interrupted before the function had answered\n")
    assert errors.count("\n") == 1
