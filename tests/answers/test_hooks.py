"""The hook after the bake: whatever gcloud does, the project stays and the message stands alone."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hooks import post_gen_project
from tests.support.baking import Baked, bake, bare_environment, cli
from tests.support.gcloud import ALLOWED, assert_ended, calls, fake_gcloud
from tests.support.template import TEMPLATE

# Shaped like secrets, and none.
TOKEN = "ya29.a0AfH6SMBexample-token_value"  # noqa: S105
SECRETS = [
    TOKEN,
    "Bearer abc.def",
    "Authorization: Basic dXNlcjpwYXNz",
    "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
    "access_token: opaque-value",
    '"refresh_token": "1//0gopaque-value"',
    "https://user:pass/word@host.example/",
    "GOCSPX-opaque",
    "-----BEGIN PRIVATE KEY----- opaque",
]
SECRET_PARTS = "ya29 abc.def dXNlcjpwYXNz eyJ opaque word@ GOCSPX".split()

# What a gcloud does (shell), and words that the message then has.
GCLOUDS = {
    "missing": (None, ["not installed"]),
    "not executable": ("", ["not installed"]),
    "refused": (
        "echo 'ERROR: (gcloud) PERMISSION_DENIED: no rights' >&2; exit 1",
        ["PERMISSION_DENIED: no rights", "accesscontextmanager.policies.update", "perimeters list"],
    ),
    "needs login": (
        "echo 'ERROR: You do not currently have an active account selected.' >&2; exit 1",
        ["not signed in", "gcloud auth login"],
    ),
    "crashes": (
        "echo 'ERROR: gcloud crashed (ConnectionError): refused' >&2; exit 1",
        ["crashed", "ConnectionError"],
    ),
    "is killed": ("kill -9 $$", ["crashed"]),
    "says nothing": ("exit 1", ["crashed", "it printed nothing"]),
    "too old": ("echo \"ERROR: Invalid choice: 'vpcsc-config'.\" >&2; exit 2", ["Update it"]),
    "rubbish": ("echo lorem ipsum", ["did not confirm", "lorem ipsum"]),
    "rubbish bytes": (r"printf '\377\376\000'", ["did not confirm"]),
    "a megabyte": ("head -c 1000000 /dev/zero | tr '\\0' x", ["did not confirm", "more]"]),
    "a megabyte of errors": (
        "head -c 1000000 /dev/zero | tr '\\0' x >&2; exit 1",
        ["refused", "characters more]"],
    ),
    "prints secrets": (
        f"cat >&2 <<'END'\nERROR: PERMISSION_DENIED\n{chr(10).join(SECRETS)}\nEND\nexit 1",
        ["PERMISSION_DENIED", "[hidden]"],
    ),
    "prints escape codes": (
        r"printf 'PERMISSION_DENIED: \033]0;title\007 \033[31mred' >&2; exit 1",
        ["PERMISSION_DENIED: ]0;title [31mred"],
    ),
}


def bake_with(
    folder: Path,
    script: str | None,
    *answers: str,
    executable: bool = True,
    environment: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Bake a project that may be called about, outside the temporary folder."""
    path = fake_gcloud(folder, script, executable=executable)
    given = ["gcp_project_id=a-project", "platform=join", *answers]
    return cli(folder, *given, **{"PATH": path, **(environment or {})})


def assert_complete(folder: Path) -> None:
    """Every file of the project is there, as a bake without hooks makes it."""
    product = Baked(folder / "out" / "alert-to-snmp")
    expected = bake(folder / "expected", gcp_project_id="a-project", platform="join").files()
    assert set(product.files()) == set(expected)


@pytest.mark.parametrize("environment", [{}, {"PYTHONSAFEPATH": "1"}], ids=["", "safe path"])
def test_the_switch_is_set_in_the_project_of_the_repository(
    environment: dict[str, str], tmp_path: Path
) -> None:
    answers = ("platform_project_id=the-platform", "region=europe-west1")
    done = bake_with(tmp_path, ALLOWED, *answers, environment=environment)
    assert done.returncode == 0
    command = "artifacts vpcsc-config allow --project=the-platform --location=europe-west1"
    assert calls(tmp_path) == [command]
    assert f"$ gcloud {command}" in done.stdout
    assert "The switch of the-platform in europe-west1: ALLOW" in done.stdout
    assert "Later" not in done.stdout


FAST_CASES = ("missing", "refused", "prints secrets", "rubbish")


@pytest.mark.parametrize(
    "case",
    [
        case if case in FAST_CASES else pytest.param(case, marks=pytest.mark.slow)
        for case in GCLOUDS
    ],
)
def test_whatever_gcloud_does_the_project_stays(case: str, tmp_path: Path) -> None:
    script, words = GCLOUDS[case]
    done = bake_with(tmp_path, script, executable=case != "not executable")
    assert done.returncode == 0, done.stderr
    assert_complete(tmp_path)
    assert "Later, run: make allow. To see what it needs: make doctor" in done.stdout
    for word in words:
        assert word in done.stdout
    assert len(done.stdout) < 10_000
    assert "Traceback" not in done.stdout + done.stderr
    for secret in SECRET_PARTS:
        assert secret not in done.stdout + done.stderr
    assert bool(calls(tmp_path)) == (case not in ("missing", "not executable"))


def test_a_refusal_before_the_perimeter_exists_is_one_calm_line(tmp_path: Path) -> None:
    done = bake_with(tmp_path, "echo 'PERMISSION_DENIED: x' >&2; exit 1", "platform=create")
    assert done.returncode == 0
    assert "as expected while the perimeter does not exist yet" in done.stdout
    assert "PERMISSION_DENIED" not in done.stdout
    assert "make platform" in done.stdout


NOT_CALLED = {
    "the placeholder is the project": (["gcp_project_id=my-project-id"], {}, "my-project-id"),
    "the placeholder is the platform": (
        ["platform_project_id=my-project-id"],
        {},
        "my-project-id",
    ),
    "the answer is no": (["allow_upstreams=no"], {}, "allow_upstreams is no"),
    "the environment says no": ([], {"CLOSED_FUNCTION_ALLOW": "0"}, "CLOSED_FUNCTION_ALLOW=0"),
    "it is a temporary folder": ([], {"TMPDIR": ".."}, "temporary directory"),
}


@pytest.mark.parametrize("case", NOT_CALLED)
def test_nothing_is_called_when(case: str, tmp_path: Path) -> None:
    answers, environment, word = NOT_CALLED[case]
    if "TMPDIR" in environment:
        link = tmp_path / "link"
        link.symlink_to(tmp_path)  # real paths are compared
        environment = {"TMPDIR": str(link)}
    done = bake_with(tmp_path, ALLOWED, *answers, environment=environment)
    assert done.returncode == 0
    assert calls(tmp_path) == []
    assert word in done.stdout
    assert "make allow" in done.stdout


def test_the_environment_can_overrule_the_temporary_folder(tmp_path: Path) -> None:
    environment = {"TMPDIR": str(tmp_path), "CLOSED_FUNCTION_ALLOW": "1"}
    done = bake_with(tmp_path, ALLOWED, environment=environment)
    assert done.returncode == 0
    assert len(calls(tmp_path)) == 1


@pytest.mark.slow
def test_a_gcloud_that_hangs_is_ended_with_all_its_children(tmp_path: Path) -> None:
    script = f'sleep 600 & echo $! > "{tmp_path}/grandchild"; wait'
    done = bake_with(tmp_path, script)
    assert done.returncode == 0
    assert "no answer within 90 s" in done.stdout
    assert "Later, run: make allow. To see what it needs: make doctor" in done.stdout
    assert_complete(tmp_path)
    assert_ended(int((tmp_path / "grandchild").read_text(encoding="utf-8")))


@pytest.mark.parametrize("request_to_end", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_ended_by_the_user_the_hook_ends_gcloud_and_keeps_the_project(
    request_to_end: signal.Signals, tmp_path: Path
) -> None:
    path = fake_gcloud(tmp_path, f'echo $$ > "{tmp_path}/started"; sleep 600')
    environment = bare_environment(tmp_path, PATH=path)
    command = [sys.executable, "-m", "cookiecutter", "--no-input", "-o", str(tmp_path / "out")]
    answers = ["gcp_project_id=a-project", "platform=join"]
    with subprocess.Popen(
        [*command, str(TEMPLATE), *answers],
        env=environment,
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        started = tmp_path / "started"
        deadline = time.monotonic() + 60
        while not (started.exists() and started.read_text(encoding="utf-8").strip()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.killpg(process.pid, request_to_end)
        process.wait(timeout=30)
    assert_ended(int(started.read_text(encoding="utf-8")))
    assert_complete(tmp_path)


# --- what the answers rule out ---

RULED_OUT = ("function_kind=http", "platform=reuse", "ci=none")


def reserved_folders(folder: Path) -> set[str]:
    product = folder / "out" / "alert-to-snmp"
    found = product.rglob(".unused-*")
    return {path.relative_to(product).as_posix() for path in found}


def test_the_hook_removes_each_folder_that_the_engine_has_written_for_nothing(
    tmp_path: Path,
) -> None:
    assert cli(tmp_path, "--accept-hooks", "no", *RULED_OUT).returncode == 0
    assert reserved_folders(tmp_path) == set(post_gen_project.RESERVED)
    done = cli(tmp_path, "-f", *RULED_OUT)
    assert done.returncode == 0, done.stderr
    assert reserved_folders(tmp_path) == set()
    assert "was stopped" not in done.stdout


@pytest.mark.parametrize("options", [["-f"], ["-f", "-s"]])
def test_the_hook_removes_no_file_and_no_link_of_the_users(
    options: list[str], tmp_path: Path
) -> None:
    assert cli(tmp_path, *RULED_OUT).returncode == 0
    product = tmp_path / "out" / "alert-to-snmp"
    own = {
        ".unused-github/workflows/ours.yml": "on: push\n",
        "terraform/.unused-platform/tests/sub/ours.tf": "# ours\n",
        ".unused-other/ours.txt": "ours\n",
    }
    for name, text in own.items():
        (product / name).parent.mkdir(parents=True)
        (product / name).write_text(text, encoding="utf-8")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (product / ".unused-mibs").symlink_to(elsewhere)

    done = cli(tmp_path, *options, *RULED_OUT)
    assert done.returncode == 0, done.stderr
    folders = reserved_folders(tmp_path) - {".unused-mibs"}
    left = [path for folder in folders for path in (product / folder).rglob("*")]
    files = {path.relative_to(product).as_posix(): path for path in left if path.is_file()}
    assert {name: path.read_text(encoding="utf-8") for name, path in files.items()} == own
    assert (product / ".unused-mibs").is_symlink()
    assert [path.name for path in elsewhere.iterdir()] == ["ALERT-TO-SNMP-MIB.txt"]


def test_a_reader_that_has_gone_does_not_cost_the_project(tmp_path: Path) -> None:
    environment = bare_environment(tmp_path)
    command = [sys.executable, "-m", "cookiecutter", "--no-input", "-o", str(tmp_path / "out")]
    with subprocess.Popen(
        [*command, str(TEMPLATE)], env=environment, stdout=subprocess.PIPE, cwd=tmp_path
    ) as process:
        assert process.stdout
        process.stdout.close()
        assert process.wait(timeout=60) == 0
    assert (tmp_path / "out" / "alert-to-snmp" / "README.md").is_file()


def test_words_that_the_terminal_cannot_show_do_not_cost_the_project(tmp_path: Path) -> None:
    ascii_only = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = bake_with(tmp_path, "echo 'PERMISSION_DENIED: 障害' >&2; exit 1", environment=ascii_only)
    assert done.returncode == 0, done.stderr
    assert "PERMISSION_DENIED: \\u969c" in done.stdout
    assert_complete(tmp_path)


@pytest.mark.parametrize("hook", ["pre_gen_project", "post_gen_project"])
def test_a_hook_imports_next_to_nothing_before_it_has_to(hook: str) -> None:
    tree = ast.parse((TEMPLATE / "hooks" / f"{hook}.py").read_text(encoding="utf-8"))
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name for node in imports for alias in node.names}
    assert "sys" in names
    assert names <= {"json", "os", "re", "sys", "unicodedata"}
