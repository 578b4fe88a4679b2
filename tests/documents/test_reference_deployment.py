"""The reference deployment: docs/reference-deployment.md tells how to reproduce it and what it is.

Its requirements file stays proven word for word, though no product is built from its releases now.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

from closed_network.stand_in import API_HOST
from terraform_replay.clients import Client
from terraform_replay.server import replay
from tests.support.baking import Baked, bake, bare_environment
from tests.support.rehearsals import INDEX_HOST, Rehearsed, rehearse
from tests.support.stack_settings import declaration, stack_file
from tests.support.stacks import STACKS, planned
from tests.support.template import KINDS, QUESTIONS, TEMPLATE, files_of_git

PAGE = (TEMPLATE / "docs" / "reference-deployment.md").read_text(encoding="utf-8")
REQUIREMENTS = """\
--index-url https://asia-northeast1-python.pkg.dev/my-project-id/ar-buildpython/simple/
functions-framework==3.9.2
pysnmp==7.1.21
google-cloud-error-reporting==1.12.0
"""
DEFAULT = re.compile(r"optional\(.+?, \W*(.+?)\W*\)")  # of a variable's attribute
LOCKED = re.compile(r"^([A-Za-z0-9][\w.-]*)(?:\[\S+\])?==([\w.!+]+)", re.MULTILINE)
# Releases without the holes that are known of those before.
WITHOUT_HOLES = {
    # CVE-2026-48710, CVE-2026-48818, CVE-2026-54282, CVE-2026-54283
    "starlette": Version("1.3.1"),
    "functions-framework": Version("3.10.2"),  # the first that takes such a starlette
    "pysnmp": Version("7.1.30"),  # an empty digest was taken for a right one
    "pyasn1": Version("0.6.4"),  # CVE-2026-59884, CVE-2026-59885, CVE-2026-59886
}


# What products are built from


def holes(lock: str) -> list[str]:
    """The packages of a lock that are older than those without known holes."""
    return [
        f"{name} {version}"
        for name, version in LOCKED.findall(lock)
        if name in WITHOUT_HOLES and Version(version) < WITHOUT_HOLES[name]
    ]


def test_no_lock_has_a_release_with_a_known_hole() -> None:
    assert holes("starlette==0.52.1 \\\n") == ["starlette 0.52.1"]
    assert holes("functions-framework[x]==3.10.1 ; a\n") == ["functions-framework 3.10.1"]
    names = [name for name in files_of_git() if re.search(r"requirements[\w-]*\.(lock|txt)$", name)]
    locks = {name: (TEMPLATE / name).read_text(encoding="utf-8") for name in names}
    locks = {name: lock for name, lock in locks.items() if "--hash=sha256:" in lock}
    for kind in KINDS:
        packages = dict(LOCKED.findall(locks[f"templates/{kind}/function/requirements.lock"]))
        assert packages.keys() >= {"starlette", "functions-framework"}
        assert kind != "alert-to-snmp" or packages.keys() >= WITHOUT_HOLES.keys()
    assert {name: found for name, lock in locks.items() if (found := holes(lock))} == {}


# The requirements file of the reference deployment


def bake_with(requirements: str, folder: Path) -> Baked:
    """Bake a function and put this file in place of its lock."""
    product = bake(
        folder,
        project_slug="crf-sendtoevent",
        function_kind="alert-to-snmp",
        python_version="3.12",
    )
    (product.path / "function/requirements.txt").write_text(requirements, encoding="utf-8")
    return product


def rehearse_as_baked(product: Baked, folder: Path) -> Rehearsed:
    return rehearse(product.path, folder)


def rehearse_the_function_alone(product: Baked, folder: Path) -> Rehearsed:
    """Rehearse it as a repository that did not come from this template."""
    other = folder / "other"
    shutil.copytree(product.path / "function", other / "src")
    shutil.copytree(product.path / "events", other / "events")
    options = ["--requirements", str(other / "src/requirements.txt"), "--python", "3.12"]
    return rehearse(other, folder, *options)


@pytest.mark.slow
@pytest.mark.usefixtures("gcloud", "snmptrapd")
@pytest.mark.parametrize("rehearse_it", [rehearse_as_baked, rehearse_the_function_alone])
def test_the_four_lines_of_the_reference_deployment_build_and_answer(
    rehearse_it: Callable[[Baked, Path], Rehearsed], tmp_path: Path
) -> None:
    done = rehearse_it(bake_with(REQUIREMENTS, tmp_path), tmp_path)
    assert done.status == 0, done.output + done.errors
    others = {claim: result for claim, result in done.results().items() if result != "ok"}
    # Where Python 3.12 is missing, that is told, too.
    others.pop("the runtime's own Python builds and serves", None)
    unknown = {"the files are those of the lock"}
    if rehearse_it is rehearse_the_function_alone:  # without Terraform nothing says these
        unknown |= {
            "what is built is what is uploaded",
            "the build gets the variables of the settings",
        }
    assert others == dict.fromkeys(unknown, "NOT PROVEN")

    evidence = [check["evidence"] for check in done.report["checks"]]
    assert any(
        re.fullmatch(r"ERROR: Could not find .*\nERROR: No matching .*", each) for each in evidence
    )
    assert "1 answered 403 by the stand-in" in evidence
    files = {file["package"]: file["version"] for file in done.report["files"]}
    without = f"requirements.txt has no hash for {len(files)} of {len(files)} packages"
    assert any(each.startswith(without) for each in evidence)
    assert sum(each.startswith("snmptrapd received 12 varbinds equal") for each in evidence) == 3
    assert done.report["requests"].keys() == {INDEX_HOST, API_HOST}
    assert done.report["refused"] == {}

    assert files.items() >= dict(LOCKED.findall(REQUIREMENTS)).items()
    old = holes("".join(f"{name}=={version}\n" for name, version in files.items()))
    assert [each.split()[0] for each in old] == ["functions-framework", "pysnmp", "starlette"]


@pytest.mark.slow
def test_four_lines_of_which_one_cannot_be_had_fail(tmp_path: Path) -> None:
    requirements = REQUIREMENTS.replace("pysnmp==", "this-package-is-nowhere-to-be-found==")
    done = rehearse_as_baked(bake_with(requirements, tmp_path), tmp_path)
    assert (done.status, done.report["failed_stage"]) == (1, "4 build"), done.output
    assert "the index has no package this-package-is-nowhere-to-be-found" in done.sentence


def test_the_page_has_the_four_lines_and_todays_pins() -> None:
    assert words(r"^```text\n(.*?)^```$") == [REQUIREMENTS]
    todays = (TEMPLATE / "templates/alert-to-snmp/function/requirements.in").read_text("utf-8")
    for name, version in LOCKED.findall(todays):
        assert f"{name} {version}" in PAGE.partition("## What is different by default")[2]


# The settings and the values


@dataclass(frozen=True)
class Row:
    """A value, where it is set, and the attribute that has it in the plan."""

    value: str
    origin: str
    setting: str
    attribute: str


@dataclass(frozen=True)
class Planned:
    """By stack: the settings as they are baked and as the page has them, and the plan of these."""

    baked: dict[str, dict[str, Any]]
    settings: dict[str, dict[str, Any]]
    plans: dict[str, dict[str, Any]]

    @property
    def handed(self) -> dict[str, Any]:
        value: dict[str, Any] = self.plans["platform"]["planned_values"]["outputs"]["platform"][
            "value"
        ]
        return value


def words(pattern: str) -> list[str]:
    """What `pattern` finds in the page."""
    return re.findall(pattern, PAGE, re.MULTILINE | re.DOTALL)


def rows(stack: str) -> list[Row]:
    (section,) = words(rf"^### {stack.title()}\n(.*?)(?=^##)")
    found = re.findall(r"^\| `(.+)` \| ([\w-]+)(?: `(\S+)`)? \| `(.+)` \|$", section, re.MULTILINE)
    assert len(found) == section.count("\n| ") - 2  # the heading and the line below it
    return [Row(value.replace("`", ""), *rest) for value, *rest in found]


def bake_as_told(folder: Path) -> Baked:
    """Bake with the page's own command, from this template."""
    (line,) = words(r"^uvx (cookiecutter [^\n]+)")
    command = line.replace("gh:ORG/TEMPLATE", str(TEMPLATE)).split()
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=bare_environment(folder),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Baked(folder / "crf-sendtoevent")


@pytest.fixture(scope="module")
def reference(terraforms: dict[str, Client], tmp_path_factory: pytest.TempPathFactory) -> Planned:
    """What the page's command and its two files make of both stacks."""
    product = bake_as_told(tmp_path_factory.mktemp("reference"))
    made = Planned({}, {}, {})
    with replay() as running:
        home = tmp_path_factory.mktemp("home")
        client = Client(terraforms["terraform"].program, home, running.environment, "replay")
        for stack, block in zip(STACKS, words(r"^```json\n(.*?)^```$"), strict=True):
            file = product.path / "terraform" / stack / "settings.auto.tfvars.json"
            made.baked[stack] = json.loads(file.read_text(encoding="utf-8"))
            made.settings[stack] = json.loads(block)
            file.write_text(block, encoding="utf-8")
            made.plans[stack] = planned(client, file.parent)
            hand_over = product.path / "terraform/function/platform.auto.tfvars.json"
            hand_over.write_text(json.dumps({"platform": made.handed}), encoding="utf-8")
    return made


def flat(values: object, path: str = "") -> dict[str, object]:
    """What settings say, by path such as `pool.name`."""
    if not isinstance(values, dict):
        return {path: values}
    paths = (flat(each, f"{path}.{name}".lstrip(".")) for name, each in values.items())
    return {name: each for part in paths for name, each in part.items()}


def each_of(values: list[Any]) -> list[Any]:
    return [one for value in values for one in (value if isinstance(value, list) else [value])]


def step(values: list[Any], name: str) -> list[Any]:
    """What all of these blocks, of each of which there may be many, have by this name."""
    blocks = (block for block in each_of(values) if isinstance(block, dict))
    return [block[name] for block in blocks if name in block]


def attribute(plan: dict[str, Any], path: str) -> str:
    """A planned value as text; of one that is not known yet, what the configuration says."""
    address, names = re.findall(r"^((?:data\.)?\w+\.\w+(?:\[.+?\])?)\.(.+)", path)[0]
    changes = {each["address"]: each["change"]["after"] for each in plan["resource_changes"]}
    values = reduce(step, names.split("."), [changes.get(address)])
    if not values:
        configured = plan["configuration"]["root_module"]["resources"]
        blocks = {each["address"]: each.get("expressions") for each in configured}
        (said,) = reduce(step, names.split("."), [blocks[address]])
        values = [said["constant_value"] if "constant_value" in said else said["references"][0]]
    return ", ".join(one if isinstance(one, str) else json.dumps(one) for one in each_of(values))


@pytest.mark.parametrize("stack", STACKS)
def test_each_value_of_the_page_is_planned(stack: str, reference: Planned) -> None:
    plan, listed = reference.plans[stack], rows(stack)
    assert len(listed) > 20
    assert {row.attribute: attribute(plan, row.attribute) for row in listed} == {
        row.attribute: row.value for row in listed
    }
    with pytest.raises(ValueError, match="not enough values"):
        attribute(plan, listed[0].attribute + "_not")


@pytest.mark.parametrize("stack", STACKS)
def test_each_value_is_set_where_the_page_says(stack: str, reference: Planned) -> None:
    baked, given = flat(reference.baked[stack]), flat(reference.settings[stack])
    wrong = []
    for row in rows(stack):
        match row.origin:
            case "answer":
                right = row.setting in QUESTIONS and row.value in baked.values()
                right |= row.value == QUESTIONS.get(row.setting)
            case "key":
                value = str(given.get(row.setting))
                right = row.setting not in baked and (value in row.value or row.value in value)
            case "default":
                default = re.match(DEFAULT, declaration(stack, row.setting))
                right = row.setting not in given and bool(
                    default and re.search(rf"\b{re.escape(default[1])}\b", row.value)
                )
            case "hand-over":
                right = reference.handed[row.setting] in row.value
            case "stack":
                right = not row.setting
            case _:
                right = False
        wrong += [] if right else [row]
    assert wrong == []


@pytest.mark.parametrize("stack", STACKS)
def test_the_pages_settings_keep_what_was_answered(stack: str, reference: Planned) -> None:
    baked, given = flat(reference.baked[stack]), flat(reference.settings[stack])
    answered = {name: value for name, value in baked.items() if value not in (None, "", {})}
    assert answered
    assert {**given, **answered} == given


@pytest.mark.parametrize("stack", STACKS)
def test_the_stacks_own_tests_assert_what_the_page_lists(stack: str) -> None:
    own = stack_file(stack, "tests/reference.tftest.hcl").split("  assert {")
    missing = []
    for row in rows(stack):
        address, *_, last = re.findall(r"^(?:data\.)?\w+\.\w+|[^.]+$", row.attribute)
        if not any(address in each and re.search(rf"\b{last}\b", each) for each in own):
            missing.append(last)
    # No plan knows it.
    assert missing == (["generation"] if stack == "function" else [])
