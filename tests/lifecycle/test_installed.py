"""The rehearsal runs without a clone: from a wheel, by uvx and pipx, and by a product's make."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from closed_function.commands.rehearse import source
from closed_function.pip_settings import pip_setting
from closed_network.network import gate_environment
from tests.support.baking import Baked, bake, bare_environment
from tests.support.machine import TOOLS, need
from tests.support.repositories import commit, git
from tests.support.template import PRODUCT, TEMPLATE

PROJECT = tomllib.loads((TEMPLATE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NOWHERE = "http://127.0.0.1:9/simple/"
MISSING = "file:///nonexistent/template"
# What a machine may set for its own pip and the build has not.
LEAKS = dict.fromkeys(("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"), "http://127.0.0.1:9/leak/")


def user_environment(home: Path, index: str | None = None, **more: str) -> dict[str, str]:
    """Return an empty environment of a user whose pip's file names this machine's index."""
    settings = {"index-url": index or pip_setting("index-url"), "cert": pip_setting("cert")}
    lines = [f"{name} = {value}\n" for name, value in settings.items() if value]
    file = home / ".config" / "pip" / "pip.conf"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("[global]\n" + "".join(lines), encoding="utf-8")
    return bare_environment(home, PATH=os.environ["PATH"], NO_COLOR="1", **more)


def settings_of_uv() -> dict[str, str]:
    """Return what tells uv this machine's index."""
    settings = {"UV_DEFAULT_INDEX": pip_setting("index-url"), "SSL_CERT_FILE": pip_setting("cert")}
    return {name: value for name, value in settings.items() if value}


def run(
    command: Sequence[str | Path], folder: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        timeout=600,
    )


def claims(report: Path) -> list[tuple[str, str, str]]:
    """Return what was to be shown in each stage, and the result."""
    checks = json.loads(report.read_text(encoding="utf-8"))["checks"]
    return [(check["stage"], check["claim"], check["result"]) for check in checks]


# --- the distribution ---


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that pip builds of this repository, with the backend from the user's index."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", "."]
    before = git(TEMPLATE, "status", "--porcelain", "--ignored")
    done = run([*command, TEMPLATE], folder, user_environment(folder / "home"))
    assert done.returncode == 0, done.stderr
    assert git(TEMPLATE, "status", "--porcelain", "--ignored") == before
    (built,) = folder.glob("*.whl")
    return built


@pytest.mark.slow
def test_the_wheel_holds_the_rehearsal_and_nothing_else(wheel: Path) -> None:
    info = "closed_network-0.dist-info"
    notes = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
    packages = ("closed_network", "cloud_stand_in", f"{PRODUCT.name}/closed_function")
    listed = git(TEMPLATE, "ls-files", "-z", *packages)
    sources = [name.removeprefix(f"{PRODUCT.name}/") for name in listed.split("\0")[:-1]]
    assert {
        "closed_network/__main__.py",
        "closed_network/evidence.html.jinja",
        "cloud_stand_in/server.py",
        "closed_function/symptoms/catalogue.json",
    } < set(sources)
    with zipfile.ZipFile(wheel) as archive:
        assert sorted(archive.namelist()) == sorted(
            [*sources, *(f"{info}/{name}" for name in notes)]
        )
        metadata = archive.read(f"{info}/METADATA").decode()
    assert "\nLicense-Expression: Apache-2.0\n" in metadata
    assert "\nRequires-Python: >=3.11\n" in metadata


def test_the_wheel_requires_what_it_imports_as_the_lock_has_it() -> None:
    required = {
        str(canonicalize_name(requirement.name)): requirement.specifier
        for requirement in map(Requirement, PROJECT["dependencies"])
    }
    imported = set(
        re.findall(
            r"^ *(?:from|import) ([a-z_]\w*)",
            "".join(
                path.read_text(encoding="utf-8")
                for package in ("closed_network", "cloud_stand_in")
                for path in (TEMPLATE / package).rglob("*.py")
            ),
            re.MULTILINE,
        )
    )
    ours = {"closed_function", "closed_network", "cloud_stand_in"}
    assert ours < imported
    # uv is run, not imported.
    assert required.keys() == (imported - sys.stdlib_module_names - ours) | {"uv"}

    lock = (TEMPLATE / "requirements-dev.txt").read_text(encoding="utf-8")
    locked = re.findall(r"^([\w.-]+)==([^\s;]+)", lock, re.MULTILINE)
    tested = {name for name, version in locked if name in required and version in required[name]}
    assert tested == required.keys() - {"pip"}  # no lock has pip
    refused = [
        (name, version)
        for name, version in locked
        if name in required and version not in required[name]
    ]
    assert refused == []
    assert "999" not in required["mitmproxy"]


def assert_the_products_copy_is_not_imported(
    python: Path, product: Baked, user: dict[str, str]
) -> None:
    """In a product's folder, where `python -m` looks first."""
    copy = product.path / "closed_function/index.py"
    was = copy.read_bytes()
    copy.write_text("raise SystemExit('the copy of the product')\n", encoding="utf-8")
    done = run([python, "-m", "closed_function.index"], product.path, user)
    assert done.stderr == "the copy of the product\n"
    done = run([python, "-m", "closed_network", "--version"], product.path, user)
    assert done.stdout.startswith("closed-network "), done.stderr
    copy.write_bytes(was)


def test_a_clone_imports_its_own_tool_and_leaves_no_byte_code(tmp_path: Path) -> None:
    product = bake(tmp_path, function_kind="http")
    user = user_environment(tmp_path / "home", PYTHONPATH=str(TEMPLATE))
    del user["PYTHONDONTWRITEBYTECODE"]
    assert_the_products_copy_is_not_imported(Path(sys.executable), product, user)
    assert list((product.path / "closed_function").rglob("*.pyc"))
    assert list((PRODUCT / "closed_function").rglob("*.pyc")) == []


@pytest.mark.slow
def test_the_installed_command_shows_what_the_clone_shows(wheel: Path, tmp_path: Path) -> None:
    product = bake(tmp_path, function_kind="http")
    user = user_environment(tmp_path / "home")
    venv = tmp_path / "venv"
    # pipx installs it with pip, as a test below shows.
    uv: list[str | Path] = [sys.executable, "-m", "uv", "--quiet"]
    python = venv / "bin/python"
    for arguments in (
        ("venv", "--python", sys.executable, venv),
        ("pip", "install", "--python", python, wheel),
    ):
        command = [*uv, *arguments]
        made = run(command, tmp_path, user | settings_of_uv())
        assert made.returncode == 0, made.stderr
    program = venv / "bin" / "closed-network"
    assert run([program, "--version"], tmp_path, user).stdout == "closed-network 0\n"
    assert_the_products_copy_is_not_imported(venv / "bin/python", product, user)

    html = tmp_path / "page.html"
    rehearse: list[str | Path] = ["rehearse", product.path, "--html", html, "--report"]
    clone, own = (tmp_path / name for name in ("clone.json", "own.json"))
    done = run([sys.executable, "-m", "closed_network", *rehearse, clone], TEMPLATE, user)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "leak" in run([venv / "bin/pip", "config", "list"], tmp_path, user | LEAKS).stdout
    done = run([program, *rehearse, own], tmp_path, user | LEAKS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert claims(own) == claims(clone)
    assert "leak" not in own.read_text(encoding="utf-8")
    assert html.is_file()


def test_the_index_may_be_in_any_of_pips_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    file = tmp_path / "pip.conf"
    file.write_text(f"[global]\nindex-url = {NOWHERE}\n[install]\ntimeout = 7\n", encoding="utf-8")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    assert gate_environment(tmp_path)["PROXPI_INDEX_URL"] == NOWHERE
    assert pip_setting("timeout") == "7"
    assert pip_setting("extra-index-url") is None
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:8/simple/")
    assert pip_setting("index-url") == "http://127.0.0.1:8/simple/"


def command_of(page: str, program: str) -> list[str]:
    """Return the one command of `page` that `program` begins, as its words."""
    text = (TEMPLATE / page).read_text(encoding="utf-8")
    (line,) = re.findall(rf"^{program} .+$", text, re.MULTILINE)
    return shlex.split(line.partition("[")[0])


@pytest.mark.slow
@pytest.mark.parametrize("program", ["uvx", "pipx"])
def test_uvx_and_pipx_run_the_rehearsal_from_git(
    program: str, template_repository: Path, tmp_path: Path
) -> None:
    commit_id = git(template_repository, "rev-parse", "HEAD").strip()
    address = f"git+{template_repository.as_uri()}@{commit_id}"
    words = command_of("docs/closed-network.md", program)
    assert words.count("git+https://github.com/ORG/TEMPLATE@COMMIT") == 1
    words[words.index("git+https://github.com/ORG/TEMPLATE@COMMIT")] = address
    end = words.index("closed-network") + 1
    user = user_environment(tmp_path / "home", **settings_of_uv())
    uvx = str(Path(sys.executable).with_name("uvx"))
    started = [uvx] if program == "uvx" else [uvx, "pipx"]
    version = run([*started, *words[1:end], "--version"], tmp_path, user)
    assert version.stdout == f"closed-network 0 (commit {commit_id})\n", version.stderr
    refused = run([*started, *words[1:end], "rehearse", str(tmp_path)], tmp_path, user)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "it begins with a line such as --index-url" in refused.stderr


# --- make rehearse ---


def cruft_create(template: Path, folder: Path, user: dict[str, str]) -> Baked:
    """Make a repository as a user of cruft does; its tools are the template's, from one lock."""
    folder.mkdir()
    answers = json.dumps({"function_kind": "http"})
    command = [sys.executable, "-m", "cruft", "create", "--no-input", "--extra-context", answers]
    done = run([*command, str(template)], folder, user)
    assert done.returncode == 0, done.stderr
    product = Baked(folder / "alert-to-snmp")
    need(str(TOOLS) if (TOOLS / "python").is_file() else None, "the environment of the tools")
    (product.path / ".venv-tools").symlink_to(TOOLS.parent)
    # Older than the environment, or make would make that anew.
    os.utime(product.path / "tools/requirements.txt", (1, 1))
    return product


@pytest.mark.slow
def test_make_rehearse_runs_the_rehearsal_of_the_templates_version(
    template_repository: Path, tmp_path: Path
) -> None:
    make = need(shutil.which("make"), "make")
    user = user_environment(tmp_path / "home")
    product = cruft_create(template_repository, tmp_path / "work", user)
    was = git(template_repository, "rev-parse", "HEAD").strip()
    # A later version of the template has no rehearsal, so it is not the one that runs.
    shutil.rmtree(template_repository / "closed_network")
    commit(template_repository)
    done = run(
        [make, "rehearse", "REPORT=found.json", "HTML=page.html"], product.path, user | LEAKS
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "│ 5 serve" in done.stdout
    assert re.search(r"^(PASSED: |Passed; NOT PROVEN: )", done.stdout, re.MULTILINE)
    found = claims(product.path / "found.json")
    assert ("4 build", "the files are those of the lock", "ok") in found
    assert "FAILED" not in str(found)
    assert (product.path / "page.html").is_file()

    # What has been fetched once runs without Git, and the status is the rehearsal's.
    (product.path / "function/requirements.txt").write_text("x==1\n", encoding="utf-8")
    moved = template_repository.rename(tmp_path / "moved")
    again = run([make, "rehearse"], product.path, user)
    assert "no index lines" in again.stderr
    assert "Error 2" in again.stderr
    elsewhere = user | {"UV_CACHE_DIR": str(tmp_path / "cache")}
    unreachable = run([make, "rehearse"], product.path, elsewhere)
    assert "make rehearse TEMPLATE=/path/to/clone" in unreachable.stderr
    assert "Error 3" in unreachable.stderr
    there = run([make, "rehearse", f"TEMPLATE={moved}"], product.path, user)
    assert "no index lines" in there.stderr

    # Without .cruft.json it is the clone's newest version.
    (product.path / ".cruft.json").unlink()
    newest = run([make, "rehearse", f"TEMPLATE={moved}"], product.path, user)
    assert "closed_network" in newest.stderr
    assert "cannot be fetched" in newest.stderr
    git(moved, "reset", "--quiet", "--hard", was)
    reset = run([make, "rehearse", f"TEMPLATE={moved}"], product.path, user)
    assert "no index lines" in reset.stderr


def rehearse(product: Baked, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    user = user_environment(product.path.parent / "home", UV_HTTP_RETRIES="0")
    command = [sys.executable, "-m", "closed_function", "rehearse", *options]
    return run(command, product.path, user | environment)


NOT_KNOWN = "The template that has the rehearsal is not known: "


@pytest.mark.parametrize(
    ("state", "options", "status", "words"),
    [
        (None, [], 2, f"{NOT_KNOWN}there is no .cruft.json. Name its address or a clone"),
        ("{", [], 2, f"{NOT_KNOWN}.cruft.json is not JSON: line 1"),
        ("{}", [], 2, f"{NOT_KNOWN}.cruft.json names none. Name its address or a clone"),
        (f'{{"template": "{MISSING}"}}', [], 3, f"from {MISSING}. If Git cannot reach"),
        pytest.param(
            "{}",
            ["--template", MISSING],
            3,
            f"from {MISSING}. If Git cannot reach",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            None,
            ["--template", "/nonexistent"],
            3,
            "from /nonexistent. If Git cannot reach",
            marks=pytest.mark.slow,
        ),
        (None, ["--template", ""], 2, "is empty"),
        (None, ["--report", "", "--template", MISSING], 2, "--report: is empty"),
    ],
)
def test_what_cannot_be_fetched_is_told_in_a_sentence(
    state: str | None, options: list[str], status: int, words: str, tmp_path: Path
) -> None:
    product = bake(tmp_path, function_kind="http")
    if state:
        (product.path / ".cruft.json").write_text(state, encoding="utf-8")
    done = rehearse(product, *options)
    assert (done.returncode, done.stdout) == (status, "")
    assert words in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_no_password_of_an_address_is_printed(tmp_path: Path) -> None:
    product = bake(tmp_path, function_kind="http")
    done = rehearse(product, "--template", "https://user:secret@127.0.0.1:9/template.git")
    assert done.returncode == 3
    assert "127.0.0.1:9/template.git" in done.stderr
    assert "secret" not in done.stderr


@pytest.mark.slow
def test_uv_takes_the_index_that_pip_is_configured_for(
    template_repository: Path, tmp_path: Path
) -> None:
    product = bake(tmp_path, function_kind="http")
    template = ["--template", str(template_repository)]
    done = rehearse(product, *template, PIP_INDEX_URL=f"http://user:secret@{NOWHERE[7:]}")
    assert done.returncode == 3
    assert "127.0.0.1:9/simple/" in done.stderr
    assert "index that your pip is configured for" in done.stderr
    assert "If Git cannot reach" not in done.stderr
    assert "secret" not in done.stderr


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("gh:org/template", "git+https://github.com/org/template.git@abc"),
        ("gl:org/template", "git+https://gitlab.com/org/template.git@abc"),
        ("bb:org/template", "git+https://bitbucket.org/org/template@abc"),
        ("https://git.example/t.git", "git+https://git.example/t.git@abc"),
        ("git+https://git.example/t.git", "git+https://git.example/t.git@abc"),
        ("ssh://git@git.example/t.git", "git+ssh://git@git.example/t.git@abc"),
        ("git@git.example:team/t.git", "git+ssh://git@git.example/team/t.git@abc"),
        ("git.example:/team/t.git", "git+ssh://git.example/team/t.git@abc"),
        ("clone", "git+file://{folder}/clone@abc"),
        ("{folder}/bare one", "git+file://{folder}/bare%20one@abc"),
        ("files", "{folder}/files"),
        ("closed.whl", "{folder}/closed.whl"),
        ("{folder}/nowhere", "git+file://{folder}/nowhere@abc"),
    ],
)
def test_an_address_becomes_what_uv_takes(
    address: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("clone/.git", "bare one/objects", "files"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("clone/pyproject.toml", "files/pyproject.toml", "closed.whl"):
        (tmp_path / name).touch()
    address, expected = (each.format(folder=tmp_path) for each in (address, expected))
    assert source(address, "abc") == expected
    assert source(address, "") == expected.removesuffix("@abc")
