"""What a test says: the strings that it, and what it uses of the tests' own, hand over."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Source:
    """A module of the tests: what it defines, and from where its other names come."""

    defined: dict[str, list[ast.stmt]]
    imported: dict[str, str]


def names_of(node: ast.stmt) -> list[str]:
    """The names that a statement of a module defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else []
    if isinstance(node, ast.AnnAssign | ast.AugAssign):
        targets = [node.target]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def read_sources(tests: Path) -> dict[str, Source]:
    """Read every module below `tests`, by its name as it is imported."""
    sources = {}
    for path in tests.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        defined: dict[str, list[ast.stmt]] = {}
        for node in tree.body:
            for name in names_of(node):
                defined.setdefault(name, []).append(node)
        imported = {
            alias.asname or alias.name: str(node.module)
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        sources[".".join(path.relative_to(tests.parent).with_suffix("").parts)] = Source(
            defined, imported
        )
    return sources


def reached(
    module: str, name: str, sources: dict[str, Source], seen: set[tuple[str, str]]
) -> Iterator[ast.stmt]:
    """What defines `name` in `module`, and all that it uses, fixtures among it."""
    if name not in sources[module].defined:
        module = sources[module].imported.get(name, "tests.conftest")
    if (module, name) in seen or name not in getattr(sources.get(module), "defined", ()):
        return
    seen.add((module, name))
    for node in sources[module].defined[name]:
        yield node
        for used in ast.walk(node):
            if isinstance(used, ast.Name):
                yield from reached(module, used.id, sources, seen)
            elif isinstance(used, ast.arg):
                yield from reached(module, used.arg, sources, seen)


def said_by(test: str, sources: dict[str, Source]) -> set[str]:
    """The words of all strings that `test` hands over; what it only compares with is none.

    Empty when there is no such test.
    """
    said: set[str] = set()
    for module, source in sources.items():
        for node in reached(module, test, sources, set()) if test in source.defined else ():
            inside = list(ast.walk(node))
            silent = {id(each.value) for each in inside if isinstance(each, ast.Expr)}
            for each in inside:
                if isinstance(each, ast.Compare):
                    silent |= {id(side) for side in (each.left, *each.comparators)}
            said |= {
                word
                for each in inside
                if isinstance(each, ast.Constant)
                and isinstance(each.value, str)
                and id(each) not in silent
                for word in each.value.split()
            }
    return said
