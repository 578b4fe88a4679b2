"""The product's own tool: how it is built, and that a user's modules of any name leave it alone."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.support.baking import Baked, bake
from tests.support.environments import Environments, assert_all_passed, assert_done, make
from tests.support.repositories import commit, git
from tests.support.template import PRODUCT

NAME = "closed_function"
PACKAGE = PRODUCT / NAME
LONGEST = 350
# From the ground up: each imports from its own floor and those below it alone.
FLOORS = ["", "gcloud", "symptoms", "checks", "commands", "__main__"]
MODULES = {
    ".".join(path.relative_to(PRODUCT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}


def floor(module: str) -> int:
    """Return the floor of a module: that of its folder, or of its own name when that is one."""
    first = module.removeprefix(NAME).strip(".").split(".")[0]
    return FLOORS.index(first) if first in FLOORS else 0


def imports(source: str) -> Iterator[str]:
    """Yield the dotted name of all that is imported, wherever, and in both of its readings."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            assert node.module
            yield node.module
            yield from (f"{node.module}.{each.name}" for each in node.names)


def modules_imported(source: str) -> set[str]:
    """Return the modules of the package that `source` imports."""
    return {name for name in imports(source) if name in MODULES and name != NAME}


def upward(sources: dict[str, str]) -> list[str]:
    """Return the imports that run upwards, or in a circle on one floor."""
    graph = {module: modules_imported(source) for module, source in sources.items()}
    wrong = [
        f"{module} imports {each}"
        for module, imported in graph.items()
        for each in imported
        if floor(each) > floor(module)
    ]
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        wrong.append(" imports ".join(reversed(error.args[1])))
    return wrong


SOURCES = {module: path.read_text(encoding="utf-8") for module, path in MODULES.items()}


def test_no_module_of_the_tool_is_longer_than_can_be_read_at_once() -> None:
    lengths = {module: source.count("\n") for module, source in SOURCES.items()}
    assert len(lengths) > len(FLOORS)
    assert {module: number for module, number in lengths.items() if number > LONGEST} == {}


def test_no_import_of_the_tool_runs_upwards() -> None:
    assert {floor(module) for module in SOURCES} == set(range(len(FLOORS)))
    assert upward(SOURCES) == []


@pytest.mark.parametrize(
    ("module", "line", "wrong"),
    [
        ("index", "import closed_function.gcloud.session", "upwards"),
        ("gcloud.program", "from closed_function import checks", "upwards"),
        ("symptoms.logs", "def f():\n    from closed_function.checks import result", "upwards"),
        ("checks.settings", "from closed_function.commands.lock import lock", "upwards"),
        ("commands.lock", "from closed_function.__main__ import main", "upwards"),
        ("errors", "from closed_function.processes import Outcome", "in a circle"),
        ("commands.lock", "from closed_function.errors import CommandError", ""),
    ],
)
def test_an_import_that_runs_upwards_would_be_noticed(module: str, line: str, wrong: str) -> None:
    name = f"{NAME}.{module}"
    # What the module below imports, so that the other way round is a circle.
    below = {f"{NAME}.processes": "import closed_function.errors"} if wrong == "in a circle" else {}
    assert bool(upward({**SOURCES, **below, name: line})) == bool(wrong)


def test_the_tool_needs_nothing_but_the_standard_library() -> None:
    taken = {name.split(".")[0] for source in SOURCES.values() for name in imports(source)}
    assert {NAME, "json", "ssl"} <= taken
    assert taken - sys.stdlib_module_names == {NAME}
    assert "cruft" not in sys.stdlib_module_names


def test_every_command_has_its_help_and_no_other_is_known(tmp_path: Path) -> None:
    product = bake(tmp_path, function_kind="http")
    listed = product.run(sys.executable, "-B", "-m", NAME, "--help").stdout
    names = re.findall(r"^    ([a-z-]+)\b", listed, re.MULTILINE)
    assert {"doctor", "allow", "with-index"} <= set(names)
    for name in names:
        described = product.run(sys.executable, "-B", "-m", NAME, name, "--help")
        assert described.stdout.startswith(f"usage: python3 -m {NAME} {name} ")
        assert described.returncode == 0
    unknown = product.run(sys.executable, "-B", "-m", NAME, "heal")
    assert (unknown.returncode, unknown.stdout) == (2, "")


# What a user may well call a module of theirs: names of the tool's modules and commands.
USERS_NAMES = ("audit", "doctor", "findings", "lock", "send", "status", "tools")
USERS_TEST = f'''"""The user's own."""

{"".join(f"import {name}{chr(10)}" for name in USERS_NAMES)}

def test_the_modules_are_the_users_own() -> None:
    modules = [{", ".join(USERS_NAMES)}]
    assert [module.owner() for module in modules] == ["the user"] * {len(USERS_NAMES)}
'''
USERS_MODULE = '"""The user\'s own."""\n\n\ndef owner() -> str:\n    return "the user"\n'


@pytest.mark.slow
def test_a_users_modules_may_have_any_name(environments: Environments, tmp_path: Path) -> None:
    product = environments.give(bake(tmp_path, function_kind="http"))
    for name in USERS_NAMES:
        (product.path / f"function/{name}.py").write_text(USERS_MODULE, encoding="utf-8")
    (product.path / "tests/test_own.py").write_text(USERS_TEST, encoding="utf-8")
    git(product.path, "init", "--quiet", "--initial-branch=main")
    # The environments are links here, which .gitignore's folders do not match.
    (product.path / ".git/info/exclude").write_text(".venv\n.venv-tools\n", encoding="utf-8")
    commit(product.path)

    tested = make(product, "test")
    assert_all_passed(tested)
    assert "tests/test_own.py" in tested.stdout
    assert_done(make(product, "lint"))
    checked = problems(product)
    assert checked == ["placeholder-project"]

    # The control: what is wrong with such a module is noticed.
    (product.path / "function/lock.py").write_text(
        USERS_MODULE.replace('"the user"', "1"), encoding="utf-8"
    )
    assert make(product, "test").returncode != 0
    assert "function/lock.py" in make(product, "lint").stdout


def problems(product: Baked) -> list[str]:
    """Return the ids of what `make doctor` finds."""
    done = make(product, "doctor")
    assert done.returncode == 2, done.stderr  # make's own for a recipe that fails
    return re.findall(r"^PROBLEM +([a-z-]+):", done.stdout, re.MULTILINE)
