"""Kinds of function: what each folder below templates/ must hold, and how one is added."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.baking import Baked, bake, bake_from
from tests.support.doctor import doctor
from tests.support.environments import Environments, assert_all_passed, make
from tests.support.template import KINDS, TEMPLATE

NEW = "webhook"


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_kind_calls_the_users_own_is_what_its_folder_has_beyond_every_kinds_files(
    kind: str, tmp_path: Path
) -> None:
    product = bake(tmp_path, function_kind=kind)
    folder = TEMPLATE / "templates" / kind
    own = {
        path.relative_to(folder).as_posix()
        for path in folder.glob("*/**/*")
        if path.is_file() and path.suffix != ".lock" and path.parts[-2] not in ("events", "tests")
    }
    skipped = product.read("pyproject.toml").partition("[tool.cruft]")[2]
    for name in own:
        # By its own name or, as the MIBs, by its folder's.
        assert f'"{name}"' in skipped or f'"{name.partition("/")[0]}"' in skipped, name


def add_kind(template: Path) -> None:
    """Do what CONTRIBUTING.md says: a folder, a choice, and the stubs written again."""
    folder = template / "templates" / NEW
    shutil.copytree(template / "templates/http", folder)
    (folder / "kind.jinja").write_text(
        '{% set entry_point = "receive" %}\n'
        '{% set trigger = "http" %}\n'
        '{% set environment = {"GREETING": "hello"} %}\n'
        '{% set own_files = ["function/greeting.py", "pages"] %}\n',
        encoding="utf-8",
    )
    for file in [*folder.glob("function/*.py"), *folder.glob("tests/*.py")]:
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace("handle_request", "receive"), encoding="utf-8")
    (folder / "function/greeting.py").write_text('GREETING = "hello"\n', encoding="utf-8")
    shutil.copyfile(folder / "events/request.json", folder / "events/greeting.json")
    (folder / "pages").mkdir()
    (folder / "pages/greeting.html").write_text("<p>Hello</p>\n", encoding="utf-8")
    questions = template / "cookiecutter.json"
    text = questions.read_text(encoding="utf-8")
    last = f'"{KINDS[-1]}"]'
    assert text.count(last) == 1
    questions.write_text(text.replace(last, f'{last[:-1]}, "{NEW}"]'), encoding="utf-8")
    write_stubs(template)


def write_stubs(template: Path) -> None:
    written = subprocess.run(
        [sys.executable, "scripts/write_stubs.py"], cwd=template, check=False, timeout=60
    )
    assert written.returncode == 0


@pytest.mark.slow
def test_a_folder_and_a_choice_make_a_new_kind(
    template_repository: Path, tmp_path: Path, environments: Environments
) -> None:
    before = bake_from(template_repository, tmp_path / "before", function_kind="http").files()
    add_kind(template_repository)

    product = bake_from(
        template_repository, tmp_path, function_kind=NEW, gcp_project_id="a-project"
    )
    new = {"function/greeting.py", "events/greeting.json", "pages/greeting.html"}
    assert new | {"events/request.json"} <= product.files().keys()
    assert new.isdisjoint(before)
    settings = json.loads(product.read("terraform/function/settings.auto.tfvars.json"))
    assert settings["function"]["entry_point"] == "receive"
    assert settings["function"]["environment"] == {"GREETING": "hello"}
    assert "ENTRY_POINT := receive\n" in product.read("Makefile")
    assert '"function/greeting.py"' in product.read("pyproject.toml")
    assert doctor(product, "doctor", "--local", "--json").problems() == []
    assert_all_passed(make(environments.give(product), "test"))

    # Who asks for another kind gets what there was.
    assert (
        bake_from(template_repository, tmp_path / "after", function_kind="http").files() == before
    )


def test_a_folder_of_one_kind_can_become_one_of_two(
    template_repository: Path, tmp_path: Path
) -> None:
    mib = "mibs/ALERT-TO-SNMP-MIB.txt"
    for name, text in {mib: "pubsub's\n", "mibs/MORE.txt": "more\n"}.items():
        file = template_repository / "templates/pubsub" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    write_stubs(template_repository)
    baked = {
        kind: bake_from(template_repository, tmp_path / kind, function_kind=kind).files()
        for kind in KINDS
    }
    with_folder = {kind for kind, files in baked.items() if mib in files}
    assert with_folder == {KINDS[0], "pubsub"}
    assert baked["pubsub"][mib] == b"pubsub's\n"
    assert baked[KINDS[0]][mib] == (TEMPLATE / "templates" / KINDS[0] / mib).read_bytes()
    assert {kind for kind, files in baked.items() if "mibs/MORE.txt" in files} == {"pubsub"}


def test_without_the_stubs_a_kinds_own_file_would_be_missing(
    template_repository: Path, tmp_path: Path
) -> None:
    own = template_repository / "templates/http/function/greeting.py"
    own.write_text('GREETING = "hello"\n', encoding="utf-8")
    product: Baked = bake_from(template_repository, tmp_path, function_kind="http")
    assert "function/greeting.py" not in product.files()
