"""What the rehearsal needs to know of a function repository, read from its files."""

from __future__ import annotations

import ast
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from closed_function.errors import CommandError
from closed_function.files import read_text
from closed_function.index import SIGN_IN_LOCATIONS, Index, read_index

# Its other decorators, such as errorhandler, mark no entry point.
ENTRY_POINT = re.compile(r"functions_framework(?:\.aio)?\.(?:http|cloud_event|typed)\b")
FRAMEWORK = "functions-framework"
NAMES_FRAMEWORK = re.compile(rf"^{FRAMEWORK}\b", re.MULTILINE)


class RepositoryError(CommandError):
    """The folder is not a repository that can be rehearsed; the text says what is missing."""


@dataclass(frozen=True)
class Repository:
    """A function repository.

    `source` is the folder that the build uploads, `requirements` its lock, `index` what the lock
    names, `runtime` the Python version such as "3.13", `target` the entry point, `events` the files
    to deliver.
    """

    root: Path
    source: Path
    requirements: Path
    index: Index
    runtime: str
    target: str
    events: tuple[Path, ...]

    @property
    def switch_tool(self) -> Path | None:
        """The repository's own tool for the switch, when it has one."""
        tool = self.root / "closed_function" / "__main__.py"
        return tool if tool.is_file() else None

    @property
    def names_the_framework(self) -> bool:
        """Whether the build finds it, by the same expression (buildpacks, pkg/python)."""
        return bool(NAMES_FRAMEWORK.search(contents(self.requirements)))

    @property
    def sends_traps(self) -> bool:
        """Whether the function asks where to send SNMP notifications, as alert-to-snmp does."""
        modules = (path.read_text("utf-8", "replace") for path in self.source.rglob("*.py"))
        return any("SNMP_RECEIVERS" in module for module in modules)


def read_repository(
    root: Path, requirements: Path | None, runtime: str | None, target: str | None
) -> Repository:
    """Read the repository at `root`; each of the others, when given, is not looked for.

    Raises CommandError when something is missing or cannot be told.
    """
    requirements = requirements or default_requirements(root)
    index = index_of_build(requirements)
    source = requirements.parent
    contents(source / "main.py")
    return Repository(
        root=root,
        source=source,
        requirements=requirements,
        index=index,
        runtime=runtime or declared_runtime(root / "pyproject.toml"),
        target=target or entry_point(source / "main.py"),
        events=tuple(sorted((root / "events").glob("*.json"))),
    )


def default_requirements(root: Path) -> Path:
    return root / "function" / "requirements.txt"


def index_of_build(requirements: Path) -> Index:
    """Return the index that `requirements` names. CommandError when a build could not use it."""
    index = read_index(requirements)
    if index.location not in SIGN_IN_LOCATIONS:
        raise RepositoryError(
            f"{requirements}: {index.location} is not a location for which the build writes "
            "pip's credentials, so pip would get 401; use a region of Artifact Registry"
        )
    return index


def contents(path: Path) -> str:
    text, why = read_text(path)
    if why:
        raise RepositoryError(f"{path} {why}")
    return text


def declared_runtime(pyproject: Path) -> str:
    """The Python version that `requires-python` of `pyproject` pins, such as "3.13"."""
    try:
        declared = tomllib.loads(contents(pyproject))["project"]["requires-python"]
        found = re.search(r"\d+\.\d+", declared)
    except (RepositoryError, tomllib.TOMLDecodeError, KeyError, TypeError):
        found = None
    if not found:
        raise RepositoryError(
            f"{pyproject}: project.requires-python does not name the runtime; pass --python 3.13"
        )
    return found[0]


def entry_point(main: Path) -> str:
    """The one function of `main` that a decorator of functions_framework marks."""
    try:
        module = ast.parse(contents(main))
    except SyntaxError as error:
        raise RepositoryError(f"{main}: line {error.lineno}: {error.msg}") from None
    marked = [
        node.name
        for node in module.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and any(ENTRY_POINT.match(ast.unparse(mark)) for mark in node.decorator_list)
    ]
    if len(marked) != 1:
        raise RepositoryError(
            f"{main}: {len(marked)} functions have a decorator of functions_framework, not one; "
            "pass --target NAME"
        )
    return marked[0]
