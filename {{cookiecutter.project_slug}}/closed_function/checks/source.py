"""Checks of the function's code, and of what is uploaded with it."""

import ast
import re
import symtable
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

from closed_function.checks.result import OK, PROBLEM, UNKNOWN, Result
from closed_function.files import as_mapping, read_text
from closed_function.paths import FUNCTION_STACK, MAIN, SOURCE, relative
from closed_function.repository import Facts, Repository

FORCED_PIP = re.compile(r'^\s*GOOGLE_PYTHON_PACKAGE_MANAGER\s*=\s*"pip"', re.MULTILINE)
# Build variables that would lead pip elsewhere, or take another program.
MISLEADING = ("GOOGLE_PYTHON_PACKAGE_MANAGER", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL")
STAR_IMPORT = re.compile(rb"^\s*from\s+\S+\s+import\s+\*", re.MULTILINE)
# What terraform/function/source.tf leaves out of the upload.
LEFT_OUT = re.compile(r"(?:^|/)(?:\.|__pycache__/|tests?/|test_[^/]*$|conftest\.py$)|\.py[cod]$")
# More than this is not a function's source but something put there by mistake.
LARGE_SOURCE = 100_000_000


def check_package_manager(repository: Repository) -> Result:
    claim = "the build takes pip, and no other index"
    set_by_user = as_mapping(repository.function.get("build_environment"))
    misleading = [name for name in MISLEADING if name in set_by_user]
    if misleading:
        seen = f"function.build_environment sets {misleading[0]}."
    elif not any(FORCED_PIP.search(read_text(file)[0]) for file in FUNCTION_STACK.glob("*.tf")):
        seen = 'terraform/function/*.tf do not set GOOGLE_PYTHON_PACKAGE_MANAGER to "pip".'
    else:
        return Result(claim, OK, "GOOGLE_PYTHON_PACKAGE_MANAGER is pip")
    return Result(claim, PROBLEM, seen, symptom="package-manager")


def check_source(repository: Repository, facts: Facts) -> Iterator[Result]:
    """Check that the function's code is there, compiles, has its entry point, and is not large."""
    claim, compiles = "the function's main.py is here", "the function's source compiles"
    if not MAIN.is_file():
        yield Result(claim, PROBLEM, "there is no function/main.py.", symptom="main-missing")
        return
    minor = re.fullmatch(r"python3(\d+)", facts.runtime)
    version = (3, int(minor[1])) if minor else sys.version_info[:2]
    uploaded = [file for file in sorted(SOURCE.rglob("*")) if is_uploaded(file)]
    sources = [file for file in uploaded if file.suffix == ".py"]
    broken = next((error for file in sources if (error := syntax_error(file, version))), "")
    if broken:
        here = f"3.{sys.version_info.minor}"
        older = sys.version_info[:2] < version
        seen = f"{broken} (as Python {here} reads it, the runtime being newer)" if older else broken
        yield Result(compiles, PROBLEM, seen, symptom="syntax-error")
    else:
        yield Result(compiles, OK, f"{len(sources)} files")
        if not repository.settings_unread and facts.entry_point:
            yield check_entry_point(facts.entry_point)

    size = sum(file.stat().st_size for file in uploaded)
    claim = "the source has a function's size"
    if size > LARGE_SOURCE:
        seen = f"function/ holds {size / 1e6:.0f} MB."
        yield Result(claim, PROBLEM, seen, "du -sh function/*", "source-too-large")
    else:
        yield Result(claim, OK, f"{size / 1e3:.0f} kB")


def is_uploaded(file: Path) -> bool:
    return file.is_file() and not LEFT_OUT.search(file.relative_to(SOURCE).as_posix())


def syntax_error(file: Path, version: tuple[int, int]) -> str:
    """Return what the runtime's Python would refuse in `file`, or nothing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(ast.parse(file.read_bytes(), feature_version=version), str(file), "exec")
    except SyntaxError as error:
        return f"{relative(file)}, line {error.lineno}: {error.msg}"
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        return f"{relative(file)}: {error or type(error).__name__}"
    return ""


def check_entry_point(entry_point: str) -> Result:
    claim = "main.py has the entry point"
    source = MAIN.read_bytes()
    if STAR_IMPORT.search(source):
        return Result(claim, UNKNOWN, "main.py imports * from another module", optional=True)
    table = symtable.symtable(source.decode("utf-8-sig", "replace"), str(MAIN), "exec")
    names = {each.get_name(): each for each in table.get_symbols()}
    defined = [name for name, each in names.items() if each.is_namespace()]
    known = names.get(entry_point)
    if known and (known.is_assigned() or known.is_imported()):
        return Result(claim, OK, entry_point)
    seen = f"function/main.py defines {', '.join(defined) or 'nothing'}, and no {entry_point}."
    return Result(claim, PROBLEM, seen, symptom="entry-point-missing")
