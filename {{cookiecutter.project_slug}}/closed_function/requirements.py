"""Read the entries of requirements files."""

import re

from closed_function.redaction import one_line

WHEELS_NOTE = "# Wheels for Linux x86_64: Python "
INDEX_OPTION = re.compile(r"--(?:extra-)?index-url\b|--pypi-url\b|-i\b")


def read_entries(content: str) -> list[str]:
    """Return the entries of a requirements file, a line each, without comments and index lines."""
    lines = re.sub(r"\\\r?\n", " ", content).splitlines()
    lines = [re.sub(r"(?:^|\s)#.*", "", line).strip() for line in lines]
    return [line for line in lines if line and not INDEX_OPTION.match(line)]


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
