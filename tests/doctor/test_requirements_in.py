"""requirements.in in all its forms: what it includes, markers, encodings, certificates."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.baking import Baked, bake
from tests.support.doctor import doctor

IN = "function/requirements.in"


@pytest.fixture
def product(tmp_path: Path) -> Baked:
    return bake(tmp_path, gcp_project_id="a-project", python_version="3.11", function_kind="http")


def add(text: str, file: str = IN) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        path = root / file
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        path.write_text(before + text, encoding="utf-8", newline="\n")

    return change


def recode(encoding: str, extra: str = "") -> Callable[[Path], None]:
    def change(root: Path) -> None:
        path = root / IN
        path.write_bytes((path.read_text(encoding="utf-8") + extra).encode(encoding))

    return change


def both(*changes: Callable[[Path], None]) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        for each in changes:
            each(root)

    return change


CHANGES: dict[str, tuple[Callable[[Path], None], list[str]]] = {
    "as it is": (add(""), []),
    "a marker that is true for no runtime": (
        add('importlib-metadata; python_version < "3.8"\n'),
        [],
    ),
    "a marker of another system": (
        add('pywin32; sys_platform == "win32" and python_version >= "3.9"\n'),
        [],
    ),
    "a marker that is true": (add('absent-one; python_version >= "3.11"\n'), ["lock-stale"]),
    "a marker that nobody knows": (add('absent-one; moon == "full"\n'), ["lock-stale"]),
    "an included file": (
        both(add("-r base.in\n"), add("functions-framework\n", "function/base.in")),
        [],
    ),
    "an included file that asks for more": (
        both(add("--requirement=base.in\n"), add("absent-one\n", "function/base.in")),
        ["lock-stale"],
    ),
    "files that include each other": (
        both(add("-r base.in\n"), add("-r requirements.in\n", "function/base.in")),
        [],
    ),
    "constraints": (
        both(add("-c limits.txt\n"), add("absent-one==1.0\n", "function/limits.txt")),
        [],
    ),
    "a constraint that the lock breaks": (
        both(add("-c limits.txt\n"), add("functions-framework==1.0\n", "function/limits.txt")),
        ["lock-stale"],
    ),
    "an included file that is missing": (add("-r nowhere.in\n"), ["lock-stale"]),
    "an included file above the folder": (
        add("-r ../tests/requirements.in\n"),
        ["package-elsewhere"],
    ),
    "an included file of one machine": (add("-r /home/me/base.in\n"), ["package-elsewhere"]),
    "a trusted host": (
        add("--trusted-host asia-northeast1-python.pkg.dev\n"),
        ["certificate-unchecked"],
    ),
    "Windows line ends": (recode("utf-8", "\r\n"), []),
    "a mark of UTF-8": (recode("utf-8-sig"), []),
    "UTF-16": (recode("utf-16"), ["requirements-encoding"]),
    "UTF-16 without a mark": (recode("utf-16-le"), ["requirements-encoding"]),
    "CP932": (recode("cp932", "# 依存関係\n"), ["requirements-encoding"]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_each_form_of_requirements_in_is_read_as_pip_reads_it(name: str, product: Baked) -> None:
    change, wanted = CHANGES[name]
    change(product.path)
    said = doctor(product, "doctor", "--local", "--json")
    assert said.problems() == wanted, said.output


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("UTF-16", "function/requirements.in is not UTF-8 text: it seems to be UTF-16; save it"),
        ("CP932", "function/requirements.in is not UTF-8 text: it seems to be CP932; save it"),
        ("a trusted host", "switches off the check of the index's certificate"),
        ("an included file that is missing", "function/nowhere.in is missing"),
    ],
)
def test_make_lock_refuses_in_one_line_what_it_cannot_read(
    name: str, words: str, product: Baked
) -> None:
    CHANGES[name][0](product.path)
    lock = product.read("function/requirements.txt")
    done = product.run(sys.executable, "-B", "-m", "closed_function", "lock")
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert words in line
    assert product.read("function/requirements.txt") == lock
