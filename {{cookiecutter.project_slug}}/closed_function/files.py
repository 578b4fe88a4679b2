"""Read files that may be missing or broken, and write files in one step."""

import codecs
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from closed_function.redaction import one_line
from closed_function.signals import block_signals


def read_text(path: Path) -> tuple[str, str]:
    """Return the text of `path`, and why it cannot be read; one of the two is empty."""
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
        return ("", other_encoding(content)) if "\0" in text else (text, "")
    except FileNotFoundError:
        return "", "is missing"
    except UnicodeDecodeError:
        return "", other_encoding(content)
    except OSError as error:
        return "", f"cannot be read ({error.strerror})"


def other_encoding(content: bytes) -> str:
    """Say in which encoding `content` seems to be, which is not UTF-8, and how to change that."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in content[:100]:
        name = "UTF-16"
    else:
        try:
            content.decode("cp932")
            name = "CP932"
        except UnicodeDecodeError:
            name = ""
    seems = f": it seems to be {name}" if name else ""
    return (
        f"is not UTF-8 text{seems}; save it as UTF-8{f' (iconv -f {name} -t UTF-8)' * bool(name)}"
    )


def read_object(path: Path) -> tuple[dict[str, object], str]:
    """Return the JSON object in `path`, and why it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text, object_pairs_hook=unique, parse_constant=refuse_constant)
    except json.JSONDecodeError as error:
        return {}, f"is not JSON: line {error.lineno}: {error.msg}"
    except AmbiguousError as error:
        return {}, str(error)
    except (OSError, ValueError, RecursionError):
        return {}, read_text(path)[1] or "is not JSON"
    return (content, "") if isinstance(content, dict) else ({}, "is not a JSON object")


class AmbiguousError(Exception):
    """A JSON text that each program reads in its own way."""


def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise AmbiguousError(f"names {one_line(twice)} twice")
    return content


def refuse_constant(constant: str) -> object:
    raise AmbiguousError(f"has {constant}, which is not JSON")


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` as `write_bytes` does."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path` in one step: a failure leaves the file as it was.

    A link is replaced, not followed.
    """
    with block_signals(), temporary_file(path, content) as temporary:
        temporary.chmod(0o644 if path.is_symlink() or not path.exists() else path.stat().st_mode)
        temporary.replace(path)


@contextlib.contextmanager
def temporary_file(beside: Path, content: bytes) -> Iterator[Path]:
    """Write `content` to a file in the folder of `beside`, under a name that nobody can foresee."""
    with contextlib.ExitStack() as stack:
        with block_signals():
            number, name = tempfile.mkstemp(dir=beside.parent, prefix=f".{beside.name}.")
            stack.callback(Path(name).unlink, missing_ok=True)
        with open(number, "wb") as file:  # noqa: PTH123 - a descriptor
            file.write(content)
        yield Path(name)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Let only one command at a time do the block in `folder`; the others wait."""
    if sys.platform == "win32":  # has no fcntl
        yield
        return
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"Waiting for another command in {folder.name}/.", file=sys.stderr, flush=True)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def as_mapping(value: object) -> dict[str, object]:
    """Return `value` if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_text(value: object) -> str:
    """Return `value` if it is a text, else an empty one."""
    return value if isinstance(value, str) else ""


def as_string(value: object) -> str:
    """Return the string into which Terraform converts a JSON value; null is an empty one."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{Decimal(repr(value)).normalize():f}"
    return "" if value is None else str(value)


def text_at(content: object, path: str) -> str:
    """Return the text at a dotted `path` in a JSON object, or an empty one."""
    for name in path.split("."):
        content = as_mapping(content).get(name)
    return as_text(content)
