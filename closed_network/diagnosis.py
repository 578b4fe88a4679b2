"""What pip's words, its requests and its requirements say about why a build fails.

pip prints the same two lines for an index that refuses, that lacks the package and that cannot be
reached; only the requests tell these apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from urllib.parse import unquote

from packaging.utils import parse_wheel_filename

from closed_function.requirements import package_name

from .journal import Request, requests_by_host
from .report import ServedFile

COULD_NOT_FIND = re.compile(
    r"^ERROR: Could not find a version that satisfies the requirement .+$", re.MULTILINE
)
NO_MATCHING = re.compile(r"^ERROR: No matching distribution found for (.+)$", re.MULTILINE)
HASH_MISMATCH = re.compile(r"DO NOT MATCH THE HASHES.*?\n\s+(\S+) from ", re.DOTALL)


def documented_lines(output: str) -> list[str]:
    """pip's two lines for an index without the package, in order; empty when one is missing."""
    first, second = COULD_NOT_FIND.search(output), NO_MATCHING.search(output)
    return [first[0], second[0]] if first and second else []


def served_wheels(requests: Iterable[Request]) -> set[str]:
    """The file names of the wheels that were fetched."""
    fetched = (request.path for request in requests if request.status == 200)
    return {path.rpartition("/")[2] for path in fetched if path.endswith(".whl")}


def served_files(requests: Iterable[Request], locked: Mapping[str, set[str]]) -> list[ServedFile]:
    """The wheels that were fetched, by name, each compared with the hashes in `locked`."""
    fetched = (r for r in requests if r.status == 200 and r.path.endswith(".whl"))
    files = set()
    for request in fetched:
        file = request.path.rpartition("/")[2]
        package, version = map(str, parse_wheel_filename(unquote(file))[:2])
        hashes = locked.get(package)
        in_lock = request.sha256 in hashes if hashes else None
        files.add(ServedFile(package, version, file, request.sha256, request.size, in_lock))
    return sorted(files, key=attrgetter("package", "file", "sha256"))


def source_distributions(requests: Iterable[Request]) -> list[str]:
    """The files that were asked for and are no wheels, which a build cannot compile."""
    files = {request.path.rpartition("/")[2] for request in requests}
    return sorted(name for name in files if name and not name.endswith((".whl", ".metadata")))


def packages_from_elsewhere(installed: Iterable[Path], wheels: Iterable[str]) -> list[str]:
    """The packages of the folders `installed` (*.dist-info) that none of `wheels` holds."""
    served = {package_name(wheel.split("-")[0]) for wheel in wheels}
    return sorted({package_name(folder.name.split("-")[0]) for folder in installed} - served)


def why_pip_failed(output: str, requests: Sequence[Request], version: str) -> str:
    """Return a sentence: why pip, of Python `version`, failed with the switch at ALLOW."""
    if mismatch := HASH_MISMATCH.search(output):
        return (
            f"the file that the index serves for {mismatch[1]} has another hash than the lock; "
            "run `make lock`, and find out why if the hash was right before"
        )
    if any(request.status >= 500 for request in requests):
        return "the index that this machine's pip is configured for could not be reached"
    missing = [r.path.rstrip("/").rpartition("/")[2] for r in requests if r.status == 404]
    if missing:
        return f"the index has no package {', '.join(missing)}; check its name and the lock"
    if no_matching := NO_MATCHING.search(output):
        package = no_matching[1]
        return (
            f"the index has {package_name(package)}, but no file of {package} for Python {version}"
        )
    errors = [line for line in output.splitlines() if line.startswith("ERROR")]
    return f"pip failed: {errors[-1] if errors else 'it printed no error'}"


def asked_elsewhere(requests: Iterable[Request]) -> str:
    """The hosts that were refused, with how often each was asked for; empty when none was."""
    refused = requests_by_host(request for request in requests if request.refused)
    return ", ".join(f"{host} ({count} times)" for host, count in refused.items())
