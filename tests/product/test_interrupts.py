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

from closed_function.__main__ import COMMANDS
from tests.support.baking import Baked, bake, bare_environment
from tests.support.repositories import commit, git
from tests.support.stacks import settings

# As Ctrl-C does: to the tool and to its child. gcloud and pip-audit have a group of their own.
INTERRUPT = """\
import os, pathlib, signal
{before}
os.kill(os.getppid(), signal.SIG{name})
os.kill(os.getpid(), signal.SIG{name})
"""
TOOL = ("-m", "closed_function")
SECRET = {"secret": "a", "version": "1"}
UNDO = "git reset --hard && git clean -d --force"
GCLOUD = "#!/bin/sh\nkill -{name} $PPID\nexec sleep 30\n"
# Terraform is in the tool's process group and gets Ctrl-C itself.
TERRAFORM = "#!/bin/sh\nkill -{name} $PPID\nsleep 0.2\nexit 1\n"
# What Python imports at its start: a signal comes as soon as a module is looked for.
LOADED = """\
import os, signal, sys
def hook(event, arguments):
    if event == "import" and arguments[0] == "{module}":
        os.kill(os.getpid(), signal.SIG{name})
sys.addaudithook(hook)
"""


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
    for name, script in (("gcloud", GCLOUD), ("terraform", TERRAFORM)):
        (programs / name).write_text(script.format(name=signal_name), encoding="utf-8")
        (programs / name).chmod(0o755)
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
        (["with-index", "touch", "x"], None, "Interrupted; touch was not started."),
        (
            ["allow"],
            None,
            "Interrupted; gcloud was ended. See where the switch is: make status",
        ),
        (["plan", "function"], None, "Interrupted; nothing was changed in Google Cloud."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_tool_that_is_interrupted_says_what_that_leaves(
    command: list[str], module: str | None, last: str, product: Baked, tmp_path: Path
) -> None:
    modules = {module: ""} if module else {}
    done = run(product, tmp_path, *TOOL, *command, modules=modules)
    assert done.returncode == 130, done.stdout + done.stderr
    assert done.stderr.splitlines()[-1] == last


# Every command that waits for another program, and the program if it is one of Python's.
WAITING = {
    "accounts": (["accounts"], None),
    "allow": (["allow"], None),
    "apply": (["apply", "function", "--yes"], None),
    "audit": (["audit"], "pip_audit"),
    "deny": (["deny"], None),
    "describe": (["describe"], None),
    "destroy": (["destroy", "function", "--yes"], None),
    "doctor": (["doctor"], None),
    "explain": (["explain", "--build", "01234567-89ab-cdef-0123-456789abcdef"], None),
    "format": (["format"], None),
    "lock": (["lock"], "uv"),
    "plan": (["plan", "function"], None),
    "rehearse": (["rehearse", "--template", "x"], "uv"),
    "sbom": (["sbom"], "cyclonedx_py"),
    "secrets": (["secrets"], None),
    "state": (["state", "a-bucket", "prefix", "--yes"], None),
    "status": (["status"], None),
    "upgrade": (["upgrade"], "cruft"),
    "validate": (["validate"], None),
    "with-index": (["with-index", "touch", "x"], None),
}


def test_every_command_that_waits_for_a_program_is_interrupted_below() -> None:
    assert WAITING.keys() | {"send"} == COMMANDS.keys()  # which waits for the function


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP"])
@pytest.mark.parametrize("case", WAITING)
def test_every_command_that_is_ended_says_so_in_one_line(
    case: str, name: str, product: Baked, tmp_path: Path
) -> None:
    command, module = WAITING[case]
    if case == "secrets":
        settings(product, "function", function={"secret_environment": {"A": SECRET}})
    link(product)
    before = product.files()
    done = run(
        product, tmp_path, *TOOL, *command, modules={module: ""} if module else {}, signal_name=name
    )
    assert done.returncode == 128 + getattr(signal, f"SIG{name}"), done.stdout + done.stderr
    *progress, last = done.stderr.splitlines()
    assert last.startswith("Interrupted; ")
    assert all(line.startswith(("Asking ", "Checking ", "Fetching ")) for line in progress)
    assert product.files() == before


@pytest.mark.parametrize("name", ["INT", "TERM"])
@pytest.mark.parametrize("module", ["argparse", "command_line", "checks", "symptoms.catalogue"])
def test_a_tool_that_is_ended_while_it_is_loaded_says_so_too(
    module: str, name: str, product: Baked, tmp_path: Path
) -> None:
    module = module if module == "argparse" else f"closed_function.{module}"
    hook = LOADED.format(module=module, name=name)
    (tmp_path / "sitecustomize.py").write_text(hook, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, *TOOL, "doctor", "--local"],
        cwd=product.path,
        env=bare_environment(tmp_path, PYTHONPATH=str(tmp_path)),
        capture_output=True,
        text=True,
        check=False,
    )
    ended = 128 + getattr(signal, f"SIG{name}")
    assert (done.returncode, done.stderr) == (ended, "Interrupted; nothing was changed.\n")


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


def link(product: Baked) -> None:
    """Let the product be a repository that is linked to a template."""
    state = {"template": "t", "commit": "c", "context": {"cookiecutter": {}}}
    (product.path / ".cruft.json").write_text(json.dumps(state), encoding="utf-8")
    git(product.path, "init", "--quiet")
    commit(product.path)


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
    link(product)
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
