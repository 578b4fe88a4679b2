"""A repository knows its template: from its first day, or by one command."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hooks.post_gen_project import without_credentials
from tests.support.answers import COMPLETE
from tests.support.baking import Baked, bare_environment, cli
from tests.support.repositories import commit, git
from tests.support.template import PRODUCT, TEMPLATE

SLUG = str(COMPLETE["project_slug"])
ANSWERS = [f"{name}={answer}" for name, answer in COMPLETE.items()]
# Those that no document of a product names; only the hook reads them.
NOT_IN_DOCUMENTS = ("allow_upstreams",)


def baked_from(
    template: str | Path, folder: Path, *options: str, **environment: str
) -> tuple[Baked, str]:
    """Return what plain cookiecutter bakes, and what it prints."""
    folder.mkdir(exist_ok=True)
    where = {"PATH": os.environ["PATH"], **environment}
    done = cli(folder, *options, *ANSWERS, template=template, **where)
    assert done.returncode == 0, done.stderr
    return Baked(folder / "out" / SLUG), done.stdout


def run(
    command: list[str], folder: Path, home: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env=bare_environment(home, PATH=os.environ["PATH"], **environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=300,
    )


def cruft(folder: Path, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run([sys.executable, "-m", "cruft", *arguments], folder, home)


def created_by_cruft(template: str | Path, folder: Path, *options: str) -> Baked:
    folder.mkdir()
    given = ["--no-input", "--extra-context", json.dumps(COMPLETE), *options]
    done = cruft(folder, folder, "create", *given, str(template))
    assert done.returncode == 0, done.stderr
    return Baked(folder / SLUG)


def state_of(product: Baked) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(product.read(".cruft.json"))
    return content


def assert_updates_reach(product: Baked, template: Path, home: Path) -> None:
    """The real cruft finds the product up to date, then brings it a change of the template."""
    git(product.path, "init", "--quiet", "--initial-branch=main")
    commit(product.path)
    assert cruft(product.path, home, "check").returncode == 0
    assert cruft(product.path, home, "diff", "--exit-code").returncode == 0
    ignored = template / PRODUCT.name / ".gitignore"
    text = ignored.read_text(encoding="utf-8").replace(".venv/\n", ".venv/\nnews/\n", 1)
    ignored.write_text(text, encoding="utf-8", newline="\n")
    commit(template)
    assert cruft(product.path, home, "check").returncode == 1
    updated = run([sys.executable, "-m", "closed_function", "upgrade"], product.path, home)
    assert updated.returncode == 0, updated.stdout + updated.stderr
    assert "news/" in product.read(".gitignore").splitlines()


# --- baked by plain cookiecutter ---


def test_a_repository_of_plain_cookiecutter_is_linked_as_cruft_links_it(
    template_repository: Path, tmp_path: Path
) -> None:
    product, printed = baked_from(template_repository, tmp_path / "one")
    theirs = created_by_cruft(template_repository, tmp_path / "two")
    assert product.files().keys() == theirs.files().keys()
    assert state_of(product) == state_of(theirs)
    assert list(state_of(product)) == list(state_of(theirs))
    commit_id = git(template_repository, "rev-parse", "HEAD").strip()
    assert f"Linked to {template_repository} at {commit_id[:12]} (.cruft.json)." in printed
    again, _ = baked_from(template_repository, tmp_path / "three")
    assert again.files() == product.files()


@pytest.mark.slow
def test_updates_reach_a_repository_of_plain_cookiecutter(
    template_repository: Path, tmp_path: Path
) -> None:
    product, _ = baked_from(template_repository, tmp_path / "one")
    assert_updates_reach(product, template_repository, tmp_path / "one")


def test_a_version_and_an_address_are_recorded_as_cruft_records_them(
    template_repository: Path, tmp_path: Path
) -> None:
    git(template_repository, "tag", "2026.1.0")
    (template_repository / "later").touch()
    commit(template_repository)
    # Its address in full, which Git knows: cruft knows no abbreviations of cookiecutter.
    address = template_repository.as_uri()
    short = "our:" + template_repository.name
    configuration = tmp_path / "config.json"
    shared = template_repository.parent.as_uri()
    configuration.write_text(
        json.dumps({"abbreviations": {"our": f"git+{shared}/{{0}}"}}), encoding="utf-8"
    )
    options = ["--config-file", str(configuration), "--checkout", "2026.1.0"]
    product, _ = baked_from(short, tmp_path / "one", *options)
    theirs = created_by_cruft(template_repository, tmp_path / "two", "--checkout", "2026.1.0")
    state = state_of(theirs)
    assert state["checkout"] == "2026.1.0"
    assert state["commit"] == git(template_repository, "rev-parse", "2026.1.0").strip()
    state["template"] = state["context"]["cookiecutter"]["_template"] = address
    assert state_of(product) == state


def zipped(template: Path) -> Path:
    root = template / "packed" / template.name
    shutil.copytree(template, root, ignore=shutil.ignore_patterns(".git", "packed"))
    return Path(shutil.make_archive(str(template / "template"), "zip", root.parent))


def with_an_uncommitted_change(template: Path) -> Path:
    (template / PRODUCT.name / "notes.txt").write_text("not committed\n", encoding="utf-8")
    return template


def with_an_ignored_file(template: Path) -> Path:
    (template / PRODUCT.name / "debug.log").write_text("not committed\n", encoding="utf-8")
    ignore(template, "*.log")
    return template


def with_an_ignored_folder(template: Path) -> Path:
    (template / PRODUCT.name / "function/logs").mkdir()
    (template / PRODUCT.name / "function/logs/one").touch()
    ignore(template, "logs/")
    return template


def with_an_ignored_template(template: Path) -> Path:
    (template / "templates/more.log").touch()
    ignore(template, "*.log")
    return template


def ignore(template: Path, pattern: str) -> None:
    """Let Git ignore what a person's own settings say, which no commit shows."""
    with (template / ".git/info/exclude").open("a", encoding="utf-8") as excluded:
        excluded.write(f"{pattern}\n")


def copied_into_another_repository(template: Path) -> Path:
    git(template, "mv", "hooks", "hooks-was")
    inner = template / "vendored"
    shutil.copytree(template, inner, ignore=shutil.ignore_patterns(".git", "vendored"))
    (inner / "hooks-was").rename(inner / "hooks")
    commit(template)
    return inner


def with_a_commit_that_its_origin_has_not(template: Path) -> Path:
    """Return the name of a template that cookiecutter has once cloned."""
    clone = template.parent / "one" / ".cookiecutters" / "installed"
    clone.parent.mkdir(parents=True)
    git(template, "clone", "--quiet", str(template), str(clone))
    (clone / "ours").touch()
    commit(clone)
    return Path("installed")


NOT_A_COMMIT: dict[Callable[[Path], Path], str] = {
    zipped: "it is not a Git repository",
    with_an_uncommitted_change: "has changes that are not committed",
    with_an_ignored_file: "has a file that Git ignores ({{cookiecutter.project_slug}}/debug.log)",
    with_an_ignored_folder: "has a file that Git ignores",
    with_an_ignored_template: "has a file that Git ignores (templates/more.log)",
    copied_into_another_repository: "it is not a Git repository",
    with_a_commit_that_its_origin_has_not: "is not its origin's",
}


@pytest.mark.parametrize("prepare", NOT_A_COMMIT, ids=lambda prepare: prepare.__name__)
def test_what_is_no_commit_of_the_template_is_not_recorded(
    prepare: Callable[[Path], Path], template_repository: Path, tmp_path: Path
) -> None:
    template = prepare(template_repository)
    product, printed = baked_from(template, tmp_path / "one")
    assert ".cruft.json" not in product.files()
    (line,) = [line for line in printed.splitlines() if line.startswith("Not linked")]
    assert NOT_A_COMMIT[prepare] in line
    assert line.endswith("`make upgrade` says how to link it.")
    assert "was stopped" not in printed


def test_what_git_ignores_beside_the_bake_does_not_count(
    template_repository: Path, tmp_path: Path
) -> None:
    ignore(template_repository, "*.log")
    ignore(template_repository, "cache/")
    inside = template_repository / "cache" / PRODUCT.name
    inside.mkdir(parents=True)
    for folder in (inside, template_repository / "hooks", template_repository / "tests"):
        (folder / "debug.log").touch()
    _, printed = baked_from(template_repository, tmp_path / "one")
    assert "Linked to " in printed


@pytest.mark.parametrize("request_to_end", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_hook_that_is_ended_while_git_runs_keeps_the_project(
    request_to_end: signal.Signals, template_repository: Path, tmp_path: Path
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    # The parent of this Git is the hook.
    ending = f"#!/bin/sh\nkill -{request_to_end.value} $PPID\nexec sleep 600\n"
    (programs / "git").write_text(ending, encoding="utf-8")
    (programs / "git").chmod(0o755)
    path = f"{programs}:{os.environ['PATH']}"
    product, printed = baked_from(template_repository, tmp_path / "one", PATH=path)
    assert "the hook was stopped (KeyboardInterrupt())" in printed
    whole, _ = baked_from(template_repository, tmp_path / "two")
    assert product.files().keys() == whole.files().keys() - {".cruft.json"}


def test_a_relative_path_and_a_missing_git_leave_the_repository_unlinked(
    template_repository: Path, tmp_path: Path
) -> None:
    relative = f"../{template_repository.name}"
    product, printed = baked_from(relative, tmp_path / "one")
    assert f"Not linked to its template: the path {relative} is relative." in printed
    assert ".cruft.json" not in product.files()
    product, printed = baked_from(template_repository, tmp_path / "two", PATH=str(tmp_path))
    assert "Not linked to its template: [Errno 2] No such file or directory: 'git'." in printed
    assert ".cruft.json" not in product.files()


def test_a_git_hook_that_bakes_names_no_other_repository(
    template_repository: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "--quiet")
    (other / "file").touch()
    commit(other)
    elsewhere = {"GIT_DIR": str(other / ".git"), "GIT_WORK_TREE": str(other)}
    product, _ = baked_from(template_repository, tmp_path / "one", **elsewhere)
    commit_id = git(template_repository, "rev-parse", "HEAD").strip()
    assert state_of(product)["commit"] == commit_id


def test_the_record_of_an_existing_repository_stays(
    template_repository: Path, tmp_path: Path
) -> None:
    product, _ = baked_from(template_repository, tmp_path / "one")
    (product.path / ".cruft.json").write_text("{}\n", encoding="utf-8")
    product, printed = baked_from(template_repository, tmp_path / "one", "--overwrite-if-exists")
    assert product.read(".cruft.json") == "{}\n"
    assert ".cruft.json existed before and stays as it is" in printed


@pytest.mark.parametrize(
    ("address", "written"),
    [
        ("https://host.example/org/t.git", "https://host.example/org/t.git"),
        ("https://ghp_token@host.example/t", "https://host.example/t"),
        ("https://user:p%40ss@w0rd@host.example:8443/t", "https://host.example:8443/t"),
        ("https://host.example/t?private_token=abc", "https://host.example/t"),
        ("https://host.example/t#token", "https://host.example/t"),
        ("https://user:pass@[::1]:8443/t", "https://[::1]:8443/t"),
        ("ssh://user%3Apass@host.example/t", "ssh://host.example/t"),
        ("git+ssh://git:pass@host.example/t", "git+ssh://git@host.example/t"),
        ("host.example:org/t.git", "host.example:org/t.git"),
        ("file:///srv/a@b/t#1", "file:///srv/a@b/t#1"),
        (r"C:\templates\a@b", r"C:\templates\a@b"),
        ("ssh://git:pass@host.example/t", "ssh://git@host.example/t"),
        ("ssh://git@host.example:22/t", "ssh://git@host.example:22/t"),
        ("git@host.example:org/t.git", "git@host.example:org/t.git"),
        ("file:///srv/t", "file:///srv/t"),
        ("/srv/a@b/t", "/srv/a@b/t"),
    ],
)
def test_an_address_is_written_without_its_secrets(address: str, written: str) -> None:
    assert without_credentials(address) == written


@pytest.mark.parametrize(
    "address",
    [
        "https://user:s3cret/word@host.example/t",
        "https://user:123/s3cret@host.example/t",
        "https://user:123/word?s3cret@host.example/t",
        "https://host.example?token=s3cret@x/t",
        "https://host.example\\@user:s3cret/t",
        "https:/user:s3cret@host.example/t",
        "user:s3cret@host.example:t",
        "git@host.example:t?token=s3cret",
        "git@host.example:t#s3cret",
        "//user:s3cret@host.example/t",
    ],
)
def test_an_address_that_can_hold_a_secret_anywhere_is_not_written(
    address: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="can hold a password") as refused:
        without_credentials(address)
    assert "s3cret" not in str(refused.value)
    template = template_to_type(address, tmp_path)
    assert template == "TEMPLATE"


@pytest.mark.parametrize(
    "address",
    [
        "https://host.example/org/t.git",
        "git@host.example:org/t.git",
        "ssh://git@host.example/t",
        "gh:org/t",
        "/srv/t",
    ],
)
def test_an_address_without_a_secret_is_in_the_command_to_type(
    address: str, tmp_path: Path
) -> None:
    assert template_to_type(address, tmp_path) == address


def template_to_type(address: str, home: Path) -> str:
    """Return the template in the command that the hook before the bake advises."""
    program = (TEMPLATE / "hooks/pre_gen_project.py").read_text(encoding="utf-8")
    asked = json.loads((TEMPLATE / "cookiecutter.json").read_text(encoding="utf-8"))
    given = {**asked, **COMPLETE, "region": "us", "_template": address, "_repo_dir": "x"}
    rendered = program.replace("{{ cookiecutter | tojson }}", json.dumps(given))
    done = run([sys.executable, "-c", rendered], home, home)
    assert done.returncode == 1, done.stderr
    assert "s3cret" not in done.stdout + done.stderr
    return shlex.split(done.stderr.splitlines()[-1])[-1]


@pytest.mark.parametrize(
    ("address", "written"),
    [
        (
            "https://user:s3cret-token@host.example/git/template",
            "https://host.example/git/template",
        ),
        ("https://host.example/git/template#s3cret-token", "https://host.example/git/template"),
        ("https:/user:s3cret-token@host.example/git/template", ""),
    ],
)
def test_a_token_in_the_address_reaches_no_file_and_no_line(
    address: str, written: str, template_repository: Path, tmp_path: Path
) -> None:
    # Git fetches what it is told to fetch instead of the address with the token.
    settings = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{template_repository}.insteadOf",
        "GIT_CONFIG_VALUE_0": address,
    }
    product, printed = baked_from(address, tmp_path / "one", **settings)
    if written:
        assert state_of(product)["template"] == written
        assert f"Linked to {written} at " in printed
    else:
        assert "Not linked to its template" in printed
        assert "s3cret-token" not in printed
    assert not [name for name, text in product.files().items() if b"s3cret-token" in text]
    refused = cli(
        tmp_path / "one", "region=us", template=address, PATH=os.environ["PATH"], **settings
    )
    assert "region: 'us' is refused" in refused.stderr
    hook = refused.stderr.partition("Stopping generation")[0]
    assert "--replay-file" in hook
    assert "s3cret-token" not in hook
    (saved,) = (tmp_path / "one/.cookiecutter_replay").glob("closed-function-*")
    assert "s3cret-token" not in saved.read_text(encoding="utf-8")


# --- linked later ---


def link_command(product: Baked, home: Path) -> str:
    refused = run([sys.executable, "-m", "closed_function", "upgrade"], product.path, home)
    assert refused.returncode == 2, refused.stderr
    assert "not linked to its template" in refused.stderr
    return refused.stderr.splitlines()[-1]


def test_one_command_links_a_repository_without_asking_again(
    template_repository: Path, tmp_path: Path
) -> None:
    commit_id = git(template_repository, "rev-parse", "HEAD").strip()
    product, _ = baked_from(template_repository, tmp_path / "one")
    expected = state_of(product)
    (product.path / ".cruft.json").unlink()
    typed = link_command(product, tmp_path / "one")
    typed = typed.replace("VERSION", commit_id).replace("TEMPLATE", str(template_repository))
    linked = run(shlex.split(typed), product.path, tmp_path / "one")
    assert (linked.returncode, linked.stdout) == (0, ""), linked.stderr  # no question
    found = state_of(product)
    assert found.pop("checkout") == commit_id
    assert expected.pop("checkout") is None
    answers = found["context"]["cookiecutter"]
    assert answers.pop("allow_upstreams") is True
    assert expected["context"]["cookiecutter"].pop("allow_upstreams") is False
    assert found == expected


@pytest.mark.slow
def test_updates_reach_a_repository_that_was_linked_later(
    template_repository: Path, tmp_path: Path
) -> None:
    product, _ = baked_from(template_repository, tmp_path / "one", "--accept-hooks", "no")
    typed = link_command(product, tmp_path / "one")
    typed = typed.replace("VERSION", "main").replace("TEMPLATE", str(template_repository))
    assert run(shlex.split(typed), product.path, tmp_path / "one").returncode == 0
    assert_updates_reach(product, template_repository, tmp_path / "one")


def test_without_the_table_of_answers_cruft_asks(tmp_path: Path, template_repository: Path) -> None:
    product, _ = baked_from(template_repository, tmp_path / "one", PATH=str(tmp_path))
    assert "--no-input" in link_command(product, tmp_path / "one")
    (product.path / "README.md").write_text("# Ours\n", encoding="utf-8")
    (product.path / "pyproject.toml").write_text("[[", encoding="utf-8")
    command = link_command(product, tmp_path / "one")
    assert re.search(r" link --extra-context '\{\"project_name\": \"Ours\"\}' --checkout", command)
