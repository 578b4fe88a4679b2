"""The house of the tests: what several modules use lies in tests/support or is a fixture."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.template import TEMPLATE

TESTS = TEMPLATE / "tests"


def faults(path: Path, source: str) -> Iterator[str]:
    """What breaks the rule in the module `path` of the tests."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module or ''}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        parts = {part for name in names for part in name.split(".")}
        if any(part == "conftest" or part.startswith("test_") for part in parts):
            yield f"line {node.lineno} imports a module of tests"
    if path.name == "conftest.py":
        for each in tree.body:
            if isinstance(each, ast.ClassDef):
                yield f"line {each.lineno} defines a class"
            if isinstance(each, ast.FunctionDef) and not each.name.startswith("pytest_"):
                marks = map(ast.unparse, each.decorator_list)
                if not any(mark.startswith("pytest.fixture") for mark in marks):
                    yield f"line {each.lineno} defines what is no fixture"


def test_no_module_of_tests_imports_another_and_conftest_holds_fixtures() -> None:
    paths = sorted(TESTS.rglob("*.py"))
    assert TESTS / "conftest.py" in paths
    assert len(paths) > 30
    found = {
        f"{path.relative_to(TESTS)}: {fault}"
        for path in paths
        for fault in faults(path, path.read_text(encoding="utf-8"))
    }
    assert found == set()


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("test_a.py", "from tests.answers.test_b import thing"),
        ("test_a.py", "from tests.answers import test_b"),
        ("test_a.py", "def f():\n    from .test_b import thing"),
        ("test_a.py", "import tests.answers.test_b"),
        ("support/a.py", "from tests.conftest import thing"),
        ("conftest.py", "def helper(): ..."),
        ("conftest.py", "@cache\ndef helper(): ..."),
        ("conftest.py", "class Helper: ..."),
    ],
)
def test_each_fault_would_be_found(name: str, source: str) -> None:
    assert len(list(faults(TESTS / name, source))) == 1


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("test_a.py", "from tests.support.baking import Baked\ndef helper(): ..."),
        ("conftest.py", "@pytest.fixture(scope='session')\ndef f(): ..."),
        ("conftest.py", "def pytest_report_header(): ..."),
    ],
)
def test_what_keeps_the_rule_passes(name: str, source: str) -> None:
    assert list(faults(TESTS / name, source)) == []
