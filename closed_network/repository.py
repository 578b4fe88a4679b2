"""What the rehearsal needs to know of a function repository, read from its files."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

INDEX_URL = re.compile(
    r"https://(?P<location>[a-z0-9-]+)-python\.pkg\.dev"
    r"/(?P<project>[a-z0-9][a-z0-9.:-]*)/(?P<repository>[a-z0-9-]+)/simple/?"
)
INDEX_OPTION = re.compile(r"^\s*(?:--index-url|-i)[\s=]+(\S+)", re.MULTILINE)
# Its other decorators, such as errorhandler, mark no entry point.
ENTRY_POINT = re.compile(r"functions_framework(?:\.aio)?\.(?:http|cloud_event|typed)\b")
FRAMEWORK = re.compile(r"^functions-framework\b", re.MULTILINE)


# The template's questions, which a wheel has beside this module.
PLACES = [folder / "cookiecutter.json" for folder in Path(__file__).resolve().parents[:2]]
QUESTIONS = json.loads(next(filter(Path.is_file, PLACES)).read_text(encoding="utf-8"))
# Where the build writes credentials for pip: the regions that can be answered, and the
# multi-regions, in which a repository but no function can be.
SIGN_IN_LOCATIONS = frozenset(QUESTIONS["_regions"] + QUESTIONS["_multi_regions"])


class RepositoryError(Exception):
    """The folder is not a repository that can be rehearsed; the text says what is missing."""


@dataclass(frozen=True)
class Index:
    """A Python repository of Artifact Registry."""

    location: str
    project: str
    name: str

    @property
    def host(self) -> str:
        return f"{self.location}-python.pkg.dev"

    @property
    def url(self) -> str:
        return f"https://{self.host}/{self.project}/{self.name}/simple/"


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
        return FRAMEWORK.search(self.requirements.read_text(encoding="utf-8")) is not None

    @property
    def sends_traps(self) -> bool:
        """Whether the function asks where to send SNMP notifications, as alert-to-snmp does."""
        modules = (path.read_text("utf-8", "replace") for path in self.source.rglob("*.py"))
        return any("SNMP_RECEIVERS" in module for module in modules)


def read_repository(
    root: Path, requirements: Path | None, runtime: str | None, target: str | None
) -> Repository:
    """Read the repository at `root`; each of the others, when given, is not looked for.

    Raises RepositoryError when something is missing or cannot be told.
    """
    requirements = requirements or default_requirements(root)
    index = read_index(requirements)
    source = requirements.parent
    read_text(source / "main.py")
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


def read_index(requirements: Path) -> Index:
    """The index that `requirements` names. RepositoryError when a build could not use it."""
    option = INDEX_OPTION.search(read_text(requirements))
    if not option:
        raise RepositoryError(
            f"{requirements}: no --index-url line, so the build would use the public index, which "
            "a closed network does not reach; set the first line to --index-url "
            "https://REGION-python.pkg.dev/PROJECT/REPOSITORY/simple/"
        )
    index = INDEX_URL.fullmatch(option[1])
    if not index:
        raise RepositoryError(
            f"{requirements}: the index is not a Python repository of Artifact Registry "
            "(https://REGION-python.pkg.dev/PROJECT/REPOSITORY/simple/)"
        )
    if index["location"] not in SIGN_IN_LOCATIONS:
        raise RepositoryError(
            f"{requirements}: {index['location']} is not a location for which the build writes "
            "pip's credentials, so pip would get 401; use a region of Artifact Registry"
        )
    return Index(index["location"], index["project"], index["repository"])


def read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RepositoryError(f"{path}: cannot be read ({error})") from None


def declared_runtime(pyproject: Path) -> str:
    """The Python version that `requires-python` of `pyproject` pins, such as "3.13"."""
    try:
        declared = tomllib.loads(read_text(pyproject))["project"]["requires-python"]
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
        module = ast.parse(read_text(main))
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
