"""Read the entries of requirements files, and of the files that they include."""

import ast
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from closed_function.files import read_text
from closed_function.redaction import one_line
from closed_function.runtimes import LOCKED_PYTHONS

WHEELS_NOTE = "# Wheels for Linux x86_64: Python "
# pip accepts the beginning of an option's name for the whole, and a value right behind -i.
INDEX_OPTION = re.compile(r"-i|--i|--ex|--py")
# Options that cannot lead pip elsewhere, only as they are written out.
HARMLESS_OPTION = re.compile(r"--(?:only-binary|pre|prefer-binary|require-hashes)(?![\w-])")
COMMENT = re.compile(r"(?:^|\s+)#.*$")
INCLUDED = re.compile(
    r"(?:(-r)|(-c)|--(?:(requirement)|(constraint)))(?:\s*=\s*|\s+|(?<=-[rc]))(\S+)"
)
# pip then accepts any certificate of that host.
TRUSTED_HOST = re.compile(r"--tr")
# Stricter than pip, which may not be here to tell: any other option, address, path or variable.
ELSEWHERE = re.compile(
    r"-|[.~]|[^;]*[@/\\]|.*\$\{|\S+\.(?:whl|zip|tgz|tbz|txz|tlz|tar(?:\.\w+)?)(?:[\s\[;]|$)"
)
# What a marker asks about a runtime, besides its Python.
RUNTIME = {
    "sys_platform": "linux",
    "platform_system": "Linux",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "implementation_name": "cpython",
    "extra": "",
    "platform_python_implementation": "CPython",
}
COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda one, other: one in other,
    ast.NotIn: lambda one, other: one not in other,
}


class Wanted(NamedTuple):
    """What requirements.in and the files that it includes ask for.

    `elsewhere` holds what the repository does not have, each after the name of its file;
    `unreadable` a file and why it cannot be read.
    """

    requirements: list[str]
    constraints: list[str]
    elsewhere: list[tuple[str, str]]
    unreadable: tuple[Path, str] | None


def read_lines(content: str) -> list[str]:
    """Return the lines of a requirements file as pip joins them, without comments.

    A backslash at the end of a comment joins nothing.
    """
    joined, before = [], ""
    for line in content.splitlines():
        comment = COMMENT.match(line)
        if line.endswith("\\") and not comment:
            before += line.strip("\\")
            continue
        joined.append(before + (" " if comment else "") + line)
        before = ""
    stripped = (COMMENT.sub("", line).strip() for line in [*joined, before])
    return [line for line in stripped if line]


def read_entries(content: str) -> list[str]:
    """Return the entries of a requirements file, without index lines and harmless options."""
    lines = read_lines(content)
    return [each for each in lines if not (INDEX_OPTION.match(each) or HARMLESS_OPTION.match(each))]


def leads_elsewhere(entry: str) -> bool:
    """Return whether an entry may lead pip past the index; --trusted-host is checked alone."""
    return bool(ELSEWHERE.match(entry)) and not TRUSTED_HOST.match(entry)


def read_wanted(path: Path) -> Wanted:
    """Read `path` and, in its folder, what it includes with -r and -c."""
    wanted = Wanted([], [], [], None)
    seen: set[Path] = set()
    for file, is_constraint, entry in read_included(path, seen):
        if isinstance(entry, OSError):
            return wanted._replace(unreadable=(file, str(entry)))
        if leads_elsewhere(entry):
            wanted.elsewhere.append((file.relative_to(path.parent).as_posix(), entry))
        elif not entry.startswith("-"):
            (wanted.constraints if is_constraint else wanted.requirements).append(entry)
    return wanted


def read_included(
    path: Path, seen: set[Path], *, is_constraint: bool = False
) -> Iterator[tuple[Path, bool, str | OSError]]:
    """Yield the file, whether it constrains, and the entry; an OSError says why it is unread."""
    seen.add(path)
    text, why = read_text(path)
    if why:
        yield path, is_constraint, OSError(why)
        return
    for entry in read_entries(text):
        included = INCLUDED.match(entry)
        file = (path.parent / included[5]).resolve() if included else path
        if not included or not file.is_relative_to(path.parent.resolve()):
            yield path, is_constraint, entry
        elif file not in seen:
            constrains = is_constraint or bool(included[2] or included[4])
            yield from read_included(file, seen, is_constraint=constrains)


def applies(requirement: str) -> bool:
    """Return whether the marker of a requirement is true for a runtime, as far as it is known."""
    marker = requirement.partition(";")[2].strip()
    if not marker:
        return True
    try:
        tree = ast.parse(marker, mode="eval").body
        return any(is_true(tree, {**RUNTIME, "python_version": each}) for each in LOCKED_PYTHONS)
    except (SyntaxError, ValueError, KeyError):
        return True


def is_true(node: ast.expr, runtime: Mapping[str, str]) -> bool:
    """Evaluate a marker. KeyError or ValueError for what no marker has."""
    if isinstance(node, ast.BoolOp):
        values = [is_true(each, runtime) for each in node.values]
        return all(values) if isinstance(node.op, ast.And) else any(values)
    if not isinstance(node, ast.Compare) or len(node.ops) != 1:
        raise ValueError(ast.dump(node))
    sides = (node.left, node.comparators[0])
    is_version = any(isinstance(each, ast.Name) and "version" in each.id for each in sides)
    one, other = (marker_value(each, runtime) for each in sides)
    compare = COMPARISONS[type(node.ops[0])]
    if is_version and not isinstance(node.ops[0], ast.In | ast.NotIn):
        return bool(compare(version_key(one), version_key(other)))
    return bool(compare(one, other))


def marker_value(node: ast.expr, runtime: Mapping[str, str]) -> str:
    if isinstance(node, ast.Name):
        return runtime[node.id.replace("python_full_version", "python_version")]
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    raise ValueError(ast.dump(node))


def version_key(version: str) -> list[int]:
    """Return the first two numbers of a version, in which runtimes differ."""
    return [int(number) for number in re.findall(r"\d+", version)[:2]]


def is_locked(wanted: str, locked: list[str]) -> bool:
    """Return whether the lock has what is `wanted`, and the very version when that says one."""
    same = [entry for entry in locked if package_name(entry) == package_name(wanted)]
    pin = re.search(r"==([^\s;,*]+)\s*(?:;.*)?$", wanted)
    return any(not pin or re.search(rf"=={re.escape(pin[1])}(?=[\s;]|$)", each) for each in same)


def package_name(requirement: str) -> str:
    """Return the name that a requirement begins with, in the form in which names are compared."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^A-Za-z0-9._-]", requirement)[0]).lower()


def abbreviate(line: str) -> str:
    """Return as much of a line as a message holds, without hashes and a URL's credentials."""
    # What follows a question mark in a URL may be a key.
    line = one_line(re.sub(r"\s+--hash=.*", "", re.sub(r"(?<=\w)\?\S*", "?…", line)))
    return line if len(line) <= 160 else line[:157] + "..."
