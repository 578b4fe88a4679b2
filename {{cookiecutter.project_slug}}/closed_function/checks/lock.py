"""Checks of the function's lock."""

import re
from collections.abc import Iterator

from closed_function.checks.result import OK, PROBLEM, UNKNOWN, Result
from closed_function.files import read_text
from closed_function.paths import REQUIREMENTS, REQUIREMENTS_IN, relative
from closed_function.requirements import (
    WHEELS_NOTE,
    abbreviate,
    is_locked,
    package_name,
    read_entries,
)
from closed_function.runtimes import LOCKED_PYTHONS, runtime_name

LOCKED = re.compile(
    r"[A-Za-z0-9][\w.-]*(?:\[[\w,. -]+\])? ?== ?[^\s;,*]+(?:\s?;[^-]\S*(?: \S+)*?)?"
    r"(?:\s+--hash=sha(?:256|384|512):[0-9a-f]{64,128})+"
)
ELSEWHERE = re.compile(
    r"-[rcfe]\b|--(?:requirement|constraint|find-links|editable|no-index)\b"
    r"|[./]|[^-].*://|\S+\s+@|\S+\.(?:whl|zip|tar\.gz)$"
)


def check_requirements(runtime: str) -> Iterator[Result]:
    """Check that the lock is of this index alone, complete, fit for the runtime, and fresh."""
    claim = "every package is locked"
    content, why = read_text(REQUIREMENTS)
    if why:
        # The index line's check says so.
        yield Result(claim, UNKNOWN, f"requirements.txt {why}", optional=True)
        return
    locked = read_entries(content)
    listed, unlisted = read_text(REQUIREMENTS_IN)
    wanted = read_entries(listed)
    yield check_origin({"requirements.txt": locked, "requirements.in": wanted})

    packages = [line for line in locked if not line.startswith("-")]
    loose = [line for line in packages if not ELSEWHERE.match(line) and not LOCKED.fullmatch(line)]
    if loose or not packages:
        seen = f"{abbreviate(loose[0])} has no version with ==, or no whole hash." if loose else ""
        seen = seen or "requirements.txt asks for no package."
        yield Result(claim, PROBLEM, seen, "cat function/requirements.txt", "lock-incomplete")
    else:
        yield Result(claim, OK, f"{len(packages)} packages, each with its version and its hashes")
    yield check_wheels(content, runtime)

    claim, framework = "functions-framework is locked", "functions-framework"
    names = {package_name(line) for line in packages}
    if framework in names:
        yield Result(claim, OK, "in requirements.txt")
    else:
        seen = f"{framework} is not in requirements.txt."
        yield Result(claim, PROBLEM, seen, symptom="framework-missing")

    claim = "the lock has what requirements.in asks for"
    lacking = [
        line for line in wanted if not ELSEWHERE.match(line) and not is_locked(line, packages)
    ]
    # A framework that is nowhere in the lock is reported above.
    lacking = [line for line in lacking if package_name(line) != framework or framework in names]
    if unlisted:
        seen = f"{relative(REQUIREMENTS_IN)} {unlisted}."
        yield Result(claim, PROBLEM, seen, symptom="lock-stale")
    elif lacking:
        seen = f"requirements.in asks for {abbreviate(lacking[0])}, but requirements.txt lacks it."
        yield Result(claim, PROBLEM, seen, symptom="lock-stale")
    else:
        yield Result(claim, OK, f"{len(wanted)} of {len(packages)} packages are asked for by name")


def check_origin(files: dict[str, list[str]]) -> Result:
    claim = "every package comes from that index"
    for name, lines in files.items():
        for line in lines:
            if ELSEWHERE.match(line):
                seen = f"{name} has {abbreviate(line)}, which does not come from the index."
                return Result(claim, PROBLEM, seen, symptom="package-elsewhere")
    return Result(claim, OK, "each is asked for by its name")


def check_wheels(lock: str, runtime: str) -> Result:
    """Check what `make lock` has noted, for hashes name no files."""
    claim = "every package has a wheel for the runtime"
    if runtime not in map(runtime_name, LOCKED_PYTHONS):
        seen = f"no lock is made for {runtime or 'an unknown runtime'}"
        return Result(claim, UNKNOWN, seen, optional=True)
    noted = re.search(rf"^{WHEELS_NOTE}(.+?)\s*$", lock, re.MULTILINE)
    if not noted:
        seen = "the lock does not note it; `make lock` does"
        return Result(claim, UNKNOWN, seen, "make lock", optional=True)
    if runtime in map(runtime_name, noted[1].split(", ")):
        return Result(claim, OK, f"for Python {noted[1]} on Linux x86_64")
    seen = f"the lock has wheels for Python {noted[1]}; the runtime is {runtime}."
    return Result(claim, PROBLEM, seen, symptom="no-wheel-for-runtime")
