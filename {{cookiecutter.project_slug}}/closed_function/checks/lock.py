"""Check the function's lock."""

import re
from collections.abc import Iterator

from closed_function.checks.result import Check, Result
from closed_function.files import read_text
from closed_function.paths import REQUIREMENTS, REQUIREMENTS_IN, relative
from closed_function.requirements import (
    TRUSTED_HOST,
    WHEELS_NOTE,
    Wanted,
    abbreviate,
    applies,
    is_locked,
    leads_elsewhere,
    package_name,
    read_entries,
    read_wanted,
)
from closed_function.runtimes import LOCKED_PYTHONS, runtime_name

FRAMEWORK = "functions-framework"
# What uv writes above a lock that `make lock` makes.
HEADER = "#    make lock"
LOCKED = re.compile(
    r"[A-Za-z0-9][\w.-]*(?:\[[\w,. -]+\])? ?== ?[^\s;,*]+(?:\s?;[^-]\S*(?: \S+)*?)?"
    r"(?:\s+--hash=sha(?:256:[0-9a-f]{64}|384:[0-9a-f]{96}|512:[0-9a-f]{128}))+"
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
    wanted = read_wanted(REQUIREMENTS_IN)
    elsewhere = [("requirements.txt", entry) for entry in entries if leads_elsewhere(entry)]
    yield check_origin([*elsewhere, *wanted.elsewhere])
    yield check_certificate()

    packages = [line for line in entries if not line.startswith("-")]
    loose = [line for line in packages if not leads_elsewhere(line) and not LOCKED.fullmatch(line)]
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

    yield check_fresh(wanted, packages)


def check_fresh(wanted: Wanted, packages: list[str]) -> Result:
    """Check that the lock has what requirements.in and the files that it includes ask for."""
    fresh = Check("the lock has what requirements.in asks for")
    names = {package_name(line) for line in packages}
    if wanted.unreadable:
        file, why = wanted.unreadable
        symptom = "requirements-encoding" if "UTF-8" in why else "lock-stale"
        return fresh.problem(symptom, f"{relative(file)} {why}.")
    missing = [
        line
        for line in wanted.requirements
        if applies(line)
        and not is_locked(line, packages)
        # A framework that is nowhere in the lock is reported above.
        and (package_name(line) != FRAMEWORK or FRAMEWORK in names)
    ]
    missing += [
        line
        for line in wanted.constraints
        if package_name(line) in names and applies(line) and not is_locked(line, packages)
    ]
    if missing:
        seen = f"requirements.in asks for {abbreviate(missing[0])}, but requirements.txt lacks it."
        return fresh.problem("lock-stale", seen)
    asked = f"{len(wanted.requirements)} of {len(packages)}"
    return fresh.ok(f"{asked} packages are asked for by name")


def check_certificate() -> Result:
    """Check that no file of requirements lets pip accept any certificate."""
    check = Check("pip checks the index's certificate", "grep -rn trusted-host function")
    for file in (REQUIREMENTS, REQUIREMENTS_IN):
        trusted = [each for each in read_entries(read_text(file)[0]) if TRUSTED_HOST.match(each)]
        if trusted:
            seen = f"{file.name} has {abbreviate(trusted[0])}, which switches off that check."
            return check.problem("certificate-unchecked", seen)
    return check.ok("no --trusted-host")


def check_origin(elsewhere: list[tuple[str, str]]) -> Result:
    check = Check("every package comes from that index")
    for name, entry in elsewhere:
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
