"""Check the function's lock."""

import re
from collections.abc import Iterator

from closed_function.checks.result import Check, Result
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

FRAMEWORK = "functions-framework"
# What uv writes above a lock that `make lock` makes.
HEADER = "#    make lock"
LOCKED = re.compile(
    r"[A-Za-z0-9][\w.-]*(?:\[[\w,. -]+\])? ?== ?[^\s;,*]+(?:\s?;[^-]\S*(?: \S+)*?)?"
    r"(?:\s+--hash=sha(?:256:[0-9a-f]{64}|384:[0-9a-f]{96}|512:[0-9a-f]{128}))+"
)
# Stricter than pip, which may not be here to tell: any other option, address, path or variable.
ELSEWHERE = re.compile(
    r"-|[.~]|[^;]*[@/\\]|.*\$\{|\S+\.(?:whl|zip|tgz|tbz|txz|tlz|tar(?:\.\w+)?)(?:[\s\[;]|$)"
)


def check_requirements(runtime: str) -> Iterator[Result]:
    """Check that the lock is of this index alone, complete, fit for the runtime, and fresh."""
    complete = Check("every package is locked", "cat function/requirements.txt")
    content, why = read_text(REQUIREMENTS)
    if why:
        # The index line's check reports it.
        yield complete.unknown(f"requirements.txt {why}", optional=True)
        return
    entries = read_entries(content)
    requirements_in, unreadable = read_text(REQUIREMENTS_IN)
    wanted = read_entries(requirements_in)
    yield check_origin({"requirements.txt": entries, "requirements.in": wanted})

    packages = [line for line in entries if not line.startswith("-")]
    loose = [line for line in packages if not ELSEWHERE.match(line) and not LOCKED.fullmatch(line)]
    if loose:
        seen = f"{abbreviate(loose[0])} has no version with ==, or no complete hash."
        yield complete.problem("lock-incomplete", seen)
    elif not packages:
        yield complete.problem("lock-incomplete", "requirements.txt lists no package.")
    else:
        yield complete.ok(f"{len(packages)} packages, each with its version and its hashes")
    yield check_wheels(content, runtime)

    names = {package_name(line) for line in packages}
    has_framework = Check(f"{FRAMEWORK} is locked")
    if FRAMEWORK in names:
        yield has_framework.ok("in requirements.txt")
    else:
        yield has_framework.problem("framework-missing", f"{FRAMEWORK} is not in requirements.txt.")

    fresh = Check("the lock has what requirements.in asks for")
    missing = [
        line
        for line in wanted
        if not ELSEWHERE.match(line)
        and not is_locked(line, packages)
        # A framework that is nowhere in the lock is reported above.
        and (package_name(line) != FRAMEWORK or FRAMEWORK in names)
    ]
    if unreadable:
        yield fresh.problem("lock-stale", f"{relative(REQUIREMENTS_IN)} {unreadable}.")
    elif missing:
        seen = f"requirements.in asks for {abbreviate(missing[0])}, but requirements.txt lacks it."
        yield fresh.problem("lock-stale", seen)
    else:
        yield fresh.ok(f"{len(wanted)} of {len(packages)} packages are asked for by name")


def check_origin(entries_by_file: dict[str, list[str]]) -> Result:
    check = Check("every package comes from that index")
    for name, entries in entries_by_file.items():
        for entry in filter(ELSEWHERE.match, entries):
            what = "may lead pip elsewhere" if entry[0] == "-" else "does not come from the index"
            seen = f"{name} has {abbreviate(entry)}, which {what}."
            return check.problem("package-elsewhere", seen)
    return check.ok("each is asked for by its name")


def check_wheels(lock: str, runtime: str) -> Result:
    """Check the runtimes that `make lock` has noted: hashes do not name files."""
    check = Check("every package has a wheel for the runtime")
    if runtime not in map(runtime_name, LOCKED_PYTHONS):
        reason = f"no lock is made for {runtime or 'an unknown runtime'}"
        return check.unknown(reason, optional=True)
    note = re.search(rf"^{WHEELS_NOTE}(.+?)\s*$", lock, re.MULTILINE)
    has_header = re.search(rf"^{HEADER}$", lock, re.MULTILINE)
    if bool(note) != bool(has_header):
        lacks = HEADER if note else f"{WHEELS_NOTE}..."
        seen = f"requirements.txt lacks the line {lacks!r}, which `make lock` writes."
        return check.problem("lock-edited", seen)
    if not note:
        return check.unknown("the lock does not note it; run `make lock`", optional=True)
    if runtime in map(runtime_name, note[1].split(", ")):
        return check.ok(f"for Python {note[1]} on Linux x86_64")
    seen = f"the lock has wheels for Python {note[1]}; the runtime is {runtime}."
    return check.problem("no-wheel-for-runtime", seen)
