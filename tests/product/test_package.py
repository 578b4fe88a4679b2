"""The product's own tool and the rehearsal: how they are built, and that nothing is in both.

And that a user's modules of any name leave the tool alone.
"""

from __future__ import annotations

import ast
import re
import sys
import textwrap
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path

import pytest

from tests.support.baking import Baked, bake
from tests.support.environments import Environments, assert_all_passed, assert_done, make
from tests.support.repositories import commit, git
from tests.support.template import PRODUCT, TEMPLATE

NAME, REHEARSAL = "closed_function", "closed_network"
LONGEST = 350
# From the ground up: each imports from its own floor and those below it alone.
FLOORS = [
    *(NAME, f"{NAME}.gcloud", f"{NAME}.symptoms", f"{NAME}.checks", f"{NAME}.commands"),
    *(f"{NAME}.__main__", REHEARSAL, f"{REHEARSAL}.stages", f"{REHEARSAL}.__main__"),
]
FILES = {
    ".".join(path.relative_to(parent).with_suffix("").parts): path
    for parent, name in ((PRODUCT, NAME), (TEMPLATE, REHEARSAL))
    for path in (parent / name).rglob("*.py")
}
SOURCES = {
    module.removesuffix(".__init__"): path.read_text(encoding="utf-8")
    for module, path in FILES.items()
}


def floor(module: str) -> int:
    """Return the floor of a module: that of the innermost name of it that is one."""
    while module not in FLOORS:
        module = module.rpartition(".")[0]
    return FLOORS.index(module)


def imports(module: str, source: str) -> Iterator[str]:
    """Yield the dotted name of all that is imported, wherever, and in both of its readings."""
    package = module if f"{module}.__init__" in FILES else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = resolve_name("." * node.level + (node.module or ""), package)
            yield origin
            yield from (f"{origin}.{each.name}" for each in node.names)


def modules_imported(module: str, source: str) -> set[str]:
    """Return the modules of the two packages that `source` imports."""
    return {name for name in imports(module, source) if name in SOURCES and "." in name}


def upward(sources: dict[str, str]) -> list[str]:
    """Return the imports that run upwards, or in a circle on one floor."""
    graph = {module: modules_imported(module, source) for module, source in sources.items()}
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


def test_no_module_is_longer_than_can_be_read_at_once() -> None:
    lengths = {module: source.count("\n") for module, source in SOURCES.items()}
    assert len(lengths) > len(FLOORS)
    assert {module: number for module, number in lengths.items() if number > LONGEST} == {}


def test_no_import_runs_upwards() -> None:
    assert {floor(module) for module in SOURCES} == set(range(len(FLOORS)))
    assert upward(SOURCES) == []


@pytest.mark.parametrize(
    ("module", "line", "wrong"),
    [
        (f"{NAME}.index", "import closed_function.gcloud.session", "upwards"),
        (f"{NAME}.gcloud.program", "from closed_function import checks", "upwards"),
        (
            f"{NAME}.symptoms.logs",
            "def f():\n    from closed_function.checks import result",
            "upwards",
        ),
        (f"{NAME}.checks.settings", "from closed_function.commands.lock import lock", "upwards"),
        (f"{NAME}.commands.lock", "from closed_function.__main__ import main", "upwards"),
        (f"{NAME}.__main__", "from closed_network.journal import requests_by_host", "upwards"),
        (f"{NAME}.errors", "from closed_function.processes import Outcome", "in a circle"),
        (f"{NAME}.commands.lock", "from closed_function.errors import CommandError", ""),
        (f"{REHEARSAL}.network", "from .stages import build", "upwards"),
        (f"{REHEARSAL}.stages.build", "from ..__main__ import main", "upwards"),
        (f"{REHEARSAL}.journal", "from .report import Report", "in a circle"),
        (f"{REHEARSAL}.journal", "from closed_function.commands.lock import lock", ""),
    ],
)
def test_an_import_that_runs_upwards_would_be_noticed(module: str, line: str, wrong: str) -> None:
    # What the module below imports, so that the other way round is a circle.
    below = {f"{NAME}.processes": "import closed_function.errors"} if wrong == "in a circle" else {}
    assert bool(upward({**SOURCES, **below, module: line})) == bool(wrong)


RUN = 6


def lines_of_code(source: str) -> list[str]:
    """Return the lines of `source` without blank lines, comments and indentation."""
    lines = [line.strip() for line in source.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def runs(source: str) -> set[tuple[str, ...]]:
    """Return each run of six lines of code."""
    code = lines_of_code(source)
    return {tuple(code[start : start + RUN]) for start in range(len(code) - RUN + 1)}


def in_both(sources: dict[str, str]) -> set[tuple[str, ...]]:
    """Return the runs of lines that stand in both packages."""
    of_tool: set[tuple[str, ...]] = set()
    of_rehearsal: set[tuple[str, ...]] = set()
    for module, source in sources.items():
        (of_rehearsal if module.startswith(REHEARSAL) else of_tool).update(runs(source))
    return of_tool & of_rehearsal


def test_nothing_is_written_in_the_tool_and_again_in_the_rehearsal() -> None:
    assert in_both(SOURCES) == set()


@pytest.mark.parametrize("lines", [RUN - 1, RUN])
def test_what_is_written_again_would_be_noticed(lines: int) -> None:
    copied = "\n\n".join(lines_of_code(SOURCES[f"{NAME}.pip_settings"])[-lines:])
    again = "def copy():\n    # Again.\n" + textwrap.indent(copied, "    ")
    name = f"{REHEARSAL}.journal"
    assert len(in_both({**SOURCES, name: again})) == lines - RUN + 1


def test_the_tool_needs_nothing_but_the_standard_library() -> None:
    taken = {
        name.split(".")[0]
        for module, source in SOURCES.items()
        if floor(module) < FLOORS.index(REHEARSAL)
        for name in imports(module, source)
    }
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
