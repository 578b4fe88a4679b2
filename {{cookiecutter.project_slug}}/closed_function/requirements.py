"""Read the entries of requirements files."""

import re

from closed_function.redaction import one_line

WHEELS_NOTE = "# Wheels for Linux x86_64: Python "
# pip accepts the beginning of an option's name for the whole, and a value right behind -i.
INDEX_OPTION = re.compile(r"-i|--i|--ex|--py")
# Options that cannot lead pip elsewhere, only as they are written out.
HARMLESS_OPTION = re.compile(r"--(?:only-binary|pre|prefer-binary|require-hashes)(?![\w-])")
COMMENT = re.compile(r"(?:^|\s+)#.*$")


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
