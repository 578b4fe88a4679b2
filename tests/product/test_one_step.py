"""Files are replaced in one step, links are not followed, and two runs do not meet."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from closed_function.files import alone, temporary_file, write_text
from closed_function.signals import block_signals, defer_signals
from tests.support.baking import Baked, bake, bare_environment
from tests.support.template import PRODUCT

TOOL = (sys.executable, "-m", "closed_function")
# A uv that makes the same lock of everything, and notes when it began and ended.
UV = """\
import os, pathlib, sys, time
begin = time.time()
time.sleep(float(os.environ.get("UV_TAKES", "0")))
output = pathlib.Path(sys.argv[sys.argv.index("--output-file") + 1])
output.write_text("humanize==4.9.0 \\\\\\n    --hash=sha256:" + "0" * 64 + "\\n")
with open(os.environ["NOTES"], "a") as notes:
    print(os.getppid(), begin, time.time(), file=notes)
"""
# What Python imports at its start: it sends a signal as soon as a first file is replaced.
SIGNALLING = """\
import os, signal, sys
sent = []
def hook(event, _):
    if event == "os.rename" and not sent:
        sent.append(os.kill(os.getpid(), signal.{name}))
sys.addaudithook(hook)
"""
BILL = 'print(\'{"bomFormat": "CycloneDX"}\')'


@pytest.fixture
def product(tmp_path: Path) -> Baked:
    return bake(tmp_path / "made", function_kind="http", gcp_project_id="a-project")


def environment(folder: Path, modules: Mapping[str, str], **more: str) -> dict[str, str]:
    """Return an environment in which Python has `modules` besides its own."""
    packages = folder / "packages"
    packages.mkdir(exist_ok=True)
    for name, text in modules.items():
        (packages / f"{name}.py").write_text(text, encoding="utf-8")
    more |= {"PYTHONPATH": str(packages), "NOTES": str(folder / "notes")}
    # So that pip is not asked for its settings.
    more |= {"PIP_INDEX_URL": "https://index.example/simple/", "PIP_CERT": "/authority.pem"}
    return bare_environment(folder, **more)


def run(
    product: Baked, environment: Mapping[str, str], *command: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*TOOL, *command],
        cwd=product.path,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )


def terraform(folder: Path, script: str) -> str:
    """Return a Terraform that does `script` when it initialises."""
    program = folder / "terraform"
    program.write_text(f'#!/bin/sh\n[ "$1" != init ] || {{ {script}\n}}\n', encoding="utf-8")
    program.chmod(0o755)
    return str(program)


# --- one step ---


def test_a_file_is_replaced_as_a_whole_or_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_text("before", encoding="utf-8")
    file.chmod(0o640)
    write_text(file, "after")
    assert (file.read_text(encoding="utf-8"), file.stat().st_mode & 0o777) == ("after", 0o640)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_text(file, "half")
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
    assert file.read_text(encoding="utf-8") == "after"


def test_no_name_of_a_temporary_file_can_be_foreseen(tmp_path: Path) -> None:
    file = tmp_path / "requirements.in"
    with temporary_file(file, b"1") as first, temporary_file(file, b"2") as second:
        assert first.parent == second.parent == tmp_path
        assert first != second
        assert first.read_bytes() + second.read_bytes() == b"12"
        assert first.stat().st_mode & 0o077 == 0
    assert list(tmp_path.iterdir()) == []


# Each command that writes, with the file that it replaces.
WRITING = {
    "lock": ("function/requirements.txt", ["lock"]),
    "lock, by an older name": ("function/requirements.txt.new", ["lock"]),
    "lock --upgrade": ("function/.requirements.in.new", ["lock", "--upgrade", "all"]),
    "sbom": ("sbom.cdx.json", ["sbom"]),
    "state": ("terraform/function/backend.tf", ["state", "a-bucket", "prefix", "--yes"]),
    "state of the init": (
        "terraform/function/.terraform/init.lock",
        ["state", "a-bucket", "prefix", "--yes"],
    ),
}


@pytest.mark.parametrize("case", WRITING)
def test_a_command_follows_no_link(case: str, product: Baked, tmp_path: Path) -> None:
    name, command = WRITING[case]
    precious, link = tmp_path / "precious", product.path / name
    precious.write_text("kept", encoding="utf-8")
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(precious)
    given = environment(
        tmp_path, {"uv": UV, "cyclonedx_py": BILL}, TERRAFORM=terraform(tmp_path, "true")
    )
    done = run(product, given, *command)
    assert done.returncode == 0, done.stdout + done.stderr
    assert precious.read_text(encoding="utf-8") == "kept"
    if case in ("lock", "sbom", "state"):  # what the command writes is there
        assert not link.is_symlink()
        assert link.stat().st_size > len("kept")


@pytest.mark.parametrize("name", ["platform.auto.tfvars.json", "platform.auto.tfvars.json.new"])
def test_the_hand_over_follows_no_link(name: str, product: Baked, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("kept", encoding="utf-8")
    file = product.path / "terraform/function/platform.auto.tfvars.json"
    link = file.with_name(name)
    link.unlink(missing_ok=True)
    link.symlink_to(precious)
    program = (
        "from closed_function.commands.apply import hand_over; hand_over({'region': 'r'}, None)"
    )
    subprocess.run(
        [sys.executable, "-c", program],
        cwd=product.path,
        env=bare_environment(tmp_path),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    assert precious.read_text(encoding="utf-8") == "kept"
    assert json.loads(file.read_text(encoding="utf-8")) == {"platform": {"region": "r"}}
    assert not file.is_symlink()


# --- a signal ---


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_while_the_locks_are_replaced_leaves_them_all_new(
    name: str, product: Baked, tmp_path: Path
) -> None:
    before = product.files()
    given = environment(tmp_path, {"uv": UV, "sitecustomize": SIGNALLING.format(name=name)})
    done = run(product, given, "lock")
    assert (done.returncode, done.stderr) == (0, "")
    changed = {file for file, content in product.files().items() if before.get(file) != content}
    assert changed == {f"{place}/requirements.txt" for place in ("function", "tests", "tools")}


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP"])
@pytest.mark.parametrize(
    ("command", "module"),
    [(["lock", "--upgrade", "all"], "uv"), (["sbom"], "cyclonedx_py")],
    ids=["lock", "sbom"],
)
def test_an_ended_command_leaves_what_was_there_and_nothing_else(
    command: list[str], module: str, name: str, product: Baked, tmp_path: Path
) -> None:
    (product.path / "sbom.cdx.json").write_text("an older one", encoding="utf-8")
    before = product.files()
    signalling = (
        f"import os, signal, time\nos.kill(os.getppid(), signal.SIG{name})\ntime.sleep(9)\n"
    )
    done = run(product, environment(tmp_path, {module: signalling}), *command)
    assert done.returncode == 128 + getattr(signal, f"SIG{name}"), done.stderr
    assert done.stderr.startswith("Interrupted; no")
    assert done.stderr.count("\n") == 1
    assert product.files() == before


@pytest.mark.parametrize("name", ["INT", "TERM"])
def test_a_state_whose_move_is_ended_stays_where_its_files_say(
    name: str, product: Baked, tmp_path: Path
) -> None:
    backend = product.path / "terraform/function/backend.tf"
    backend.write_text("# before\n", encoding="utf-8")
    before = product.files()
    program = terraform(tmp_path, f"kill -{name} $PPID; sleep 0.2; exit 1")
    given = environment(tmp_path, {}, TERRAFORM=program)
    done = run(product, given, "state", "a-bucket", "prefix", "--yes")
    assert done.returncode == 128 + getattr(signal, f"SIG{name}"), done.stderr
    assert done.stderr == "Interrupted; nothing was changed in Google Cloud.\n"
    assert product.files() == before


def test_a_signal_comes_after_a_block_that_it_must_not_end() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), block_signals():  # noqa: PT012 - the block is the test
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        done.append(1)
    assert done
    with defer_signals() as signals:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
    assert sorted(signals) == [signal.SIGINT, signal.SIGTERM]


# --- two at once ---


def test_a_second_lock_waits_for_the_first(product: Baked, tmp_path: Path) -> None:
    given = environment(tmp_path, {"uv": UV}, UV_TAKES="0.2")
    running = [
        subprocess.Popen(
            [*TOOL, "lock"],
            cwd=product.path,
            env=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    printed = [process.communicate(timeout=60) for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert sorted(errors for _, errors in printed) == [
        "",
        "Waiting for another command in function/.\n",
    ]
    notes = [line.split() for line in (tmp_path / "notes").read_text(encoding="utf-8").splitlines()]
    spans = {
        process: (
            min(float(begin) for who, begin, _ in notes if who == process),
            max(float(end) for who, _, end in notes if who == process),
        )
        for process, _, _ in notes
    }
    (_, first_end), (second_begin, _) = sorted(spans.values())
    assert first_end < second_begin


def test_a_second_move_of_the_state_waits_for_the_first(product: Baked, tmp_path: Path) -> None:
    script = f"echo begin >> {tmp_path}/notes; sleep 0.3; echo end >> {tmp_path}/notes"
    given = environment(tmp_path, {}, TERRAFORM=terraform(tmp_path, script))
    running = [
        subprocess.Popen(
            [*TOOL, "state", bucket, "prefix", "--yes"],
            cwd=product.path,
            env=given,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for bucket in ("one-bucket", "two-bucket")
    ]
    assert [process.wait(60) for process in running] == [0, 0]
    notes = (tmp_path / "notes").read_text(encoding="utf-8").split()
    assert notes == ["begin", "end"] * 4  # each moves both stacks
    stacks = ("platform", "function")
    backends = [product.read(f"terraform/{stack}/backend.tf") for stack in stacks]
    assert len({each.splitlines()[2] for each in backends}) == 1  # not one in each bucket


def test_who_waits_is_told_and_a_folder_of_its_own_is_not_waited_for(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other").mkdir()
    program = (
        "import pathlib, sys; from closed_function.files import alone\n"
        "with alone(pathlib.Path(sys.argv[1])): print('in', flush=True)"
    )

    def start(folder: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-B", "-c", program, str(folder)], cwd=PRODUCT)

    with alone(tmp_path):
        assert start(tmp_path / "other").wait(20) == 0
        waiting = start(tmp_path)
        deadline = time.monotonic() + 20
        errors = ""
        while "Waiting" not in errors and time.monotonic() < deadline:
            errors += capfd.readouterr().err
            time.sleep(0.05)
        assert errors == f"Waiting for another command in {tmp_path.name}/.\n"
        assert waiting.poll() is None
    assert waiting.wait(20) == 0
