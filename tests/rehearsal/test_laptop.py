"""A command runs as on a laptop in the closed network: Artifact Registry answers, nobody else."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from closed_network.namespace import entrance
from tests.support.baking import Baked, bake
from tests.support.machine import need
from tests.support.rehearsals import INDEX_HOST, INDEX_LINE, processes_of, temporary
from tests.support.repositories import commit, git
from tests.support.template import TEMPLATE

ASK = """
import urllib.request
try:
    urllib.request.urlopen("https://example.com/")
except OSError as error:
    print("no answer:", error)
"""


@dataclass(frozen=True)
class Ran:
    status: int
    output: str
    errors: str

    def said(self, word: str) -> str:
        """What the closing line says was `word`: answered or refused."""
        (line,) = re.findall(rf"^closed network: {word} (.+)$", self.errors, re.MULTILINE)
        return str(line)


def run_on_a_laptop(
    product: Baked, *words: str, typed: str | None = None, **environment: str
) -> Ran:
    """`closed_network run PRODUCT` and `words`, with a TMPDIR of its own that must stay empty."""
    folder = temporary(product.path.parent)
    done = subprocess.run(
        [sys.executable, "-m", "closed_network", "run", str(product.path), *words],
        cwd=TEMPLATE,
        env={**os.environ, "TMPDIR": str(folder), **environment},
        input=typed,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert list(folder.iterdir()) == []
    assert processes_of(folder) == []
    return Ran(done.returncode, done.stdout, done.stderr)


def laptop(product: Baked, *words: str, typed: str | None = None, **environment: str) -> Ran:
    """The same with a command that must leave the product as it is."""
    before = product.files()
    ran = run_on_a_laptop(product, *words, typed=typed, **environment)
    assert product.files() == before
    return ran


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Baked:
    return bake(tmp_path_factory.mktemp("product"), function_kind="http")


@pytest.mark.slow
@pytest.mark.parametrize("installer", ["-m pip", f"{sys.executable} -m uv pip"])
def test_pip_and_uv_install_from_the_index_alone(
    installer: str, product: Baked, tmp_path: Path
) -> None:
    lock = product.read("function/requirements.txt")
    (requirement,) = re.findall(r"^(idna==\S+)", lock, re.MULTILINE)
    command = installer.split() if "uv" in installer else ["python3", *installer.split()]
    command += ["install", "--no-deps", "--target", str(tmp_path / "site"), requirement]
    done = laptop(product, "--", *command)
    assert done.status == 0, done.errors
    assert (tmp_path / "site" / "idna" / "__init__.py").is_file()
    assert re.fullmatch(rf"{INDEX_HOST}: \d+", done.said("answered"))
    assert done.said("refused") == "none"


@pytest.mark.slow
def test_who_asks_another_host_is_refused_and_noticed(product: Baked) -> None:
    for words, status, refused in (
        ([ASK], 1, "example.com: 1"),
        ([f"{ASK}\nraise SystemExit(7)"], 7, "example.com: 1"),
        ([ASK.replace("urllib.request.urlopen", "str")], 0, "none"),
    ):
        done = laptop(product, "--", "python3", "-c", *words)
        assert (done.status, done.said("refused")) == (status, refused), done.errors
        assert ("Tunnel connection failed: 403" in done.output) is (refused != "none")
    done = laptop(product, "--allow-refused", "--", "python3", "-c", ASK)
    assert (done.status, done.said("refused")) == (0, "example.com: 1")


@pytest.mark.slow
def test_who_goes_round_the_gate_reaches_nothing(product: Baked) -> None:
    need(" ".join(entrance()[0]) or None, "unshare, with the right to make a network namespace,")
    with socket.create_server(("127.0.0.1", 0)) as outside:
        port = outside.getsockname()[1]
        reach = f"import socket; socket.create_connection(('127.0.0.1', {port}), 5)"
        done = laptop(product, "--", "python3", "-c", reach)
        assert done.status == 1
        assert "ConnectionRefusedError" in done.errors
        assert "not enforced" not in done.errors
        # Where nothing encloses the command, it gets through, and that is said.
        done = laptop(product, "--no-namespace", "--", "python3", "-c", reach)
        assert done.status == 0
        assert "closed network: not enforced: switched off" in done.errors


@pytest.mark.slow
def test_the_status_and_what_is_read_and_printed_pass_through(product: Baked) -> None:
    done = laptop(product, "--", "sh", "-c", 'cat; echo "$1" >&2; exit 7', "x", "--", typed="words")
    assert (done.status, done.output) == (7, "words")
    assert done.errors.startswith("--\nclosed network: answered none\n")
    done = laptop(product, "--", "sh", "-c", "kill -KILL $$")
    assert done.status == 128 + signal.SIGKILL


def test_the_command_sees_nothing_of_the_machine_s_own_settings(product: Baked) -> None:
    done = laptop(
        product,
        *("--", "sh", "-c", 'env; pwd; cat "$HOME/.netrc"; ls -A "$HOME" "$TMPDIR"'),
        PIP_EXTRA_INDEX_URL="https://example.com/simple/",
        UV_INDEX="https://example.com/simple/",
    )
    assert done.status == 0
    variables = dict(re.findall(r"^(\w+)=(.*)$", done.output, re.MULTILINE))
    index = INDEX_LINE.split()[1]
    assert variables["PIP_INDEX_URL"] == variables["UV_DEFAULT_INDEX"] == index
    assert variables["PWD"] == str(product.path)
    assert "example.com" not in done.output
    netrc = rf"^machine {INDEX_HOST} login oauth2accesstoken password (\S+)$"
    (token,) = re.findall(netrc, done.output, re.MULTILINE)
    assert token not in str(variables) + done.errors
    assert done.output.split(token)[1].split() == [
        f"{variables['HOME']}:", ".netrc", f"{variables['TMPDIR']}:"
    ]  # fmt: skip


def test_bad_usage_is_one_line(product: Baked, tmp_path: Path) -> None:
    bare = Baked(tmp_path / "bare")
    (bare.path / "function").mkdir(parents=True)
    (bare.path / "function" / "requirements.txt").write_text("idna\n", encoding="utf-8")
    for where, words, complaint in (
        (product, [], "the command is missing; put it after --"),
        (
            product,
            ["--python", "3.99", "--", "true"],
            "--python 3.99: it is not installed on this machine",
        ),
        (product, ["--", "no-such-command"], "no-such-command: cannot be run"),
        (bare, ["--", "true"], "no index lines"),
    ):
        done = laptop(where, *words)
        assert done.status == 2
        assert complaint in done.errors
        assert "Traceback" not in done.errors


@pytest.mark.slow
def test_a_laptop_that_breaks_is_no_verdict_on_the_command(product: Baked, tmp_path: Path) -> None:
    breaks = "import closed_network.clients as clients\n"
    breaks += "clients.Machine.make_home = lambda self, index: 1 / 0\n"
    (tmp_path / "sitecustomize.py").write_text(breaks, encoding="utf-8")
    done = laptop(product, "--", "true", PYTHONPATH=f"{tmp_path}:{TEMPLATE}")
    assert done.status == 3
    assert "the laptop ended before its command did" in done.errors
    assert laptop(product, "--", "true").status == 0


@pytest.mark.slow
@pytest.mark.parametrize("request_to_end", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_command_leaves_nothing(
    request_to_end: signal.Signals, product: Baked, tmp_path: Path
) -> None:
    folder = temporary(tmp_path)
    mark = f"sleep 8{tmp_path.stat().st_ino % 10**6}"
    with subprocess.Popen(
        [sys.executable, "-m", "closed_network", "run", str(product.path), "--", *mark.split()],
        cwd=TEMPLATE,
        env={**os.environ, "TMPDIR": str(folder)},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        deadline = time.monotonic() + 60
        while f"{mark} " not in processes_of(mark) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert f"{mark} " in processes_of(mark)
        process.send_signal(request_to_end)
        try:
            _, errors = process.communicate(timeout=60)
        finally:
            process.terminate()  # who ignored the signal; else nothing is left to end
    assert process.returncode == 130
    assert errors.endswith("Interrupted; nothing is left behind.\n")
    assert list(folder.iterdir()) == []
    assert processes_of(mark) == []


@pytest.mark.slow
def test_a_developers_commands_need_nothing_but_the_index(tmp_path: Path) -> None:
    product = bake(tmp_path, function_kind="http")
    git(product.path, "init", "--quiet", "--initial-branch=main")
    commit(product.path)
    need(shutil.which("gcloud"), "gcloud")
    command = ["python3", "-m", "closed_function", "with-index", "make", "test", "lint", "lock"]
    # No credentials but what the tool gets from gcloud.
    alone = ["env", "--unset=PIP_INDEX_URL", "--unset=UV_DEFAULT_INDEX", "NETRC=/dev/null"]
    done = run_on_a_laptop(product, "--", *alone, *command)
    assert done.status == 0, done.output + done.errors
    assert " passed" in done.output
    assert re.search(r"^mypy\.+Passed$", done.output, re.MULTILINE)
    assert "Locks are up to date." in done.output
    assert done.said("refused") == "none"
    assert re.fullmatch(rf"{INDEX_HOST}: \d+", done.said("answered"))
    assert git(product.path, "status", "--porcelain") == ""
    assert not re.search(r"oauth2accesstoken:(?!\*{4}@)", done.output + done.errors)

    # Without the tool there are no credentials, and nothing can be installed.
    shutil.rmtree(product.path / ".venv")
    refused = run_on_a_laptop(product, "--", *alone, "make", "test")
    assert refused.status != 0
