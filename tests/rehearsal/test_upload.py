"""What is rehearsed is what a deployment uploads, with the variables that it gives the build."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from closed_function.checks.source import BUILD_VARIABLE, LEFT_OUT, SELECTING_VARIABLES
from closed_network.clients import BUILD_INSTALL
from closed_network.deployment import (
    DEFAULT_SOURCE,
    build_environment,
    copy_upload,
    function_settings,
    upload_rule,
)
from closed_network.report import NotProvenError
from closed_network.repository import Repository, read_repository
from tests.support.baking import Baked, bake
from tests.support.rehearsals import rehearse
from tests.support.template import TEMPLATE

STACK = TEMPLATE / "{{cookiecutter.project_slug}}" / "terraform" / "function"
SETTINGS = "terraform/function/settings.auto.tfvars.json"
UPLOADED = "what is built is what is uploaded"
VARIABLES = "the build gets the variables of the settings"


def set_for_the_build(product: Baked, **variables: str) -> None:
    settings: dict[str, Any] = json.loads(product.read(SETTINGS))
    settings["function"]["build_environment"] = variables
    (product.path / SETTINGS).write_text(json.dumps(settings), encoding="utf-8")


def write_all(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("VALUE = 1\n", encoding="utf-8")


def copied(repository: Repository, folder: Path) -> set[str]:
    """The files that are copied; NotProvenError passes through when they are there."""
    try:
        copy_upload(repository, function_settings(repository, None), folder)
    finally:
        there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    return there


KEPT = {"more.py", "package/__init__.py", "package/data.json", "package/testing.py", "contests/a"}
LEFT = {
    *("test_helper.py", "conftest.py", ".conf.json", "tests/x.py", "package/test/y.py"),
    *("package/.hidden/z", "package/__pycache__/a.cpython-313.pyc", "b.pyc", "package/test_a.py"),
}


def test_the_files_that_terraform_archives_are_copied(tmp_path: Path) -> None:
    product = bake(tmp_path, function_kind="http")
    before = {name.removeprefix("function/") for name in product.files() if "function/" in name[:9]}
    write_all(product.path / "function", *KEPT, *LEFT)
    repository = read_repository(product.path, None, None, None)
    assert copied(repository, tmp_path / "copy") == before | KEPT
    assert upload_rule(repository, {}).pattern == LEFT_OUT.pattern  # as the doctor has it
    default = re.search(r'source_dir += optional\(string, "(.+?)"\)', read(STACK / "variables.tf"))
    assert default
    assert default[1] == DEFAULT_SOURCE

    # The repository's own rule, when its owner changes it.
    source = product.path / "terraform/function/source.tf"
    text = source.read_text(encoding="utf-8")
    source.write_text(text.replace("|tests?/|", "|contests/|"), encoding="utf-8")
    other = copied(repository, tmp_path / "other")
    assert other - before - KEPT == {"tests/x.py", "package/test/y.py"}
    assert "contests/a" not in other


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda product: (product.path / "terraform/function/source.tf").unlink(), "does not say"),
        (
            lambda product: (product.path / SETTINGS).write_text(
                '{"function": {"source_dir": "../../src"}}', encoding="utf-8"
            ),
            "function.source_dir is ../../src",
        ),
    ],
)
def test_what_a_repository_does_not_say_is_not_proven(
    change: Callable[[Baked], object], why: str, tmp_path: Path
) -> None:
    product = bake(tmp_path, function_kind="http")
    write_all(product.path / "function", "test_helper.py")
    repository = read_repository(product.path, None, None, None)
    change(product)
    with pytest.raises(NotProvenError, match=re.escape(why)):
        copied(repository, tmp_path / "copy")
    assert (tmp_path / "copy" / "test_helper.py").is_file()


def test_without_settings_the_builds_variables_are_not_known(tmp_path: Path) -> None:
    product = bake(tmp_path, function_kind="http")
    set_for_the_build(product, PIP_VERBOSE="2")
    repository = read_repository(product.path, None, None, None)
    assert build_environment(function_settings(repository, None)) == {"PIP_VERBOSE": "2"}
    own = product.path / "terraform/function/environments/prod.tfvars.json"
    own.parent.mkdir(exist_ok=True)
    own.write_text('{"function": {"build_environment": {"PIP_RETRIES": 1}}}', encoding="utf-8")
    merged = build_environment(function_settings(repository, "prod"))
    assert merged == {"PIP_VERBOSE": "2", "PIP_RETRIES": "1"}
    (product.path / SETTINGS).unlink()
    with pytest.raises(NotProvenError, match="no settings"):
        build_environment(function_settings(repository, None))


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_the_doctor_allows_the_build_variables_that_terraform_allows() -> None:
    text = read(STACK / "variables.tf")
    rule = text[text.index("in keys(var.function.build_environment)") :]
    joined = re.search(
        r'regex\(join\("", \[(.*?)\]\), name\).*?contains\((\[.*?\])', rule, re.DOTALL
    )
    assert joined
    assert "".join(re.findall(r'"(.*?)"', joined[1])) == BUILD_VARIABLE.pattern
    assert tuple(json.loads(joined[2])) == SELECTING_VARIABLES


IMPORTS = "import functions_framework\n"
READS = 'import pathlib; pathlib.Path(__file__).with_name("{}").read_text()\n'


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "uses", "says"),
    [
        ("test_helper.py", "import test_helper\n", "No module named 'test_helper'"),
        (".conf.json", READS.format(".conf.json"), "No such file or directory"),
        ("helper.py", "import helper\n", ""),
    ],
)
def test_what_is_not_uploaded_is_missed(file: str, uses: str, says: str, tmp_path: Path) -> None:
    product = bake(tmp_path, function_kind="http")
    write_all(product.path / "function", file)
    main = product.path / "function" / "main.py"
    main.write_text(product.read("function/main.py").replace(IMPORTS, IMPORTS + uses), "utf-8")
    set_for_the_build(product, PIP_RETRIES="3")
    done = rehearse(product.path, tmp_path)
    if says:
        assert (done.status, done.report["failed_stage"]) == (1, "5 serve"), done.output
        assert says in done.sentence
        return
    assert done.status == 0, done.output
    assert done.results()[UPLOADED] == done.results()[VARIABLES] == "ok"
    commands = done.report["commands"]
    installs = [command for command in commands if command["words"][1:] == BUILD_INSTALL]
    assert [install["environment"]["PIP_RETRIES"] for install in installs] == ["3", "3"]
    # The build's alone.
    served = [c for c in commands if c["words"][0].endswith("functions-framework")]
    assert ["PIP_RETRIES" in command["environment"] for command in served] == [False]


@pytest.mark.slow
def test_a_build_variable_that_leads_pip_elsewhere_is_noticed(tmp_path: Path) -> None:
    """Terraform refuses it; the gate notices it, too, where that check is gone."""
    product = bake(tmp_path, function_kind="http")
    set_for_the_build(product, PIP_FIND_LINKS="https://example.com/")
    done = rehearse(product.path, tmp_path)
    assert (done.status, done.report["failed_stage"]) == (1, "2 denied"), done.output
    assert "example.com" in done.sentence
