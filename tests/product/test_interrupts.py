"""Ctrl-C in a tool of a product: one line, exit status 130, and nothing done by halves."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.baking import Baked, bake, bare_environment
from tests.support.repositories import commit, git

# As Ctrl-C does: to the tool and to its child. gcloud and pip-audit have a group of their own.
INTERRUPT = """\
import os, pathlib, signal
{before}
os.kill(os.getppid(), signal.SIGINT)
os.kill(os.getpid(), signal.SIGINT)
"""
TOOL = ("-m", "closed_function")
TAKE_BACK = "git reset --hard && git clean -d --force"
GCLOUD = "#!/bin/sh\nkill -INT $PPID\nexec sleep 30\n"


@pytest.fixture
def product(tmp_path: Path) -> Baked:
    return bake(tmp_path, function_kind="http", gcp_project_id="a-project")


def run(
    product: Baked, folder: Path, *command: str, modules: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a tool with a gcloud, and with `modules` of Python's, that press Ctrl-C."""
    programs, packages = folder / "bin", folder / "packages"
    programs.mkdir()
    (programs / "gcloud").write_text(GCLOUD, encoding="utf-8")
    (programs / "gcloud").chmod(0o755)
    for name, before in (modules or {}).items():
        (packages / name).mkdir(parents=True)
        (packages / name / "__init__.py").touch()
        main = INTERRUPT.format(before=before)
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
            "Interrupted; gcloud was ended. See what the policy is: ",
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
    ("begun", "said"),
    [
        ("", "Interrupted; nothing was changed.\n"),
        (
            "pathlib.Path('Makefile').write_text('half')",
            f"Interrupted half-way. To take back what was begun: {TAKE_BACK}\n",
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
