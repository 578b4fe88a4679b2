"""Check the function's code, and what is uploaded with it."""

import ast
import re
import symtable
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

from closed_function.checks.imports import check_imports
from closed_function.checks.result import Check, Result
from closed_function.files import as_mapping, read_text
from closed_function.paths import FUNCTION_STACK, MAIN, SOURCE, relative
from closed_function.repository import Repository

FORCED_PIP = re.compile(r'^\s*GOOGLE_PYTHON_PACKAGE_MANAGER\s*=\s*"pip"', re.MULTILINE)
# The build variables that terraform/function/variables.tf allows: none of them can lead pip to
# another index, certificate or proxy, or select another program.
BUILD_VARIABLE = re.compile(
    r"^((GOOGLE|BP)_[A-Z0-9_]+|PIP_(DEFAULT_TIMEOUT|DISABLE_PIP_VERSION_CHECK|NO_COLOR|NO_INPUT"
    r"|PROGRESS_BAR|QUIET|RESUME_RETRIES|RETRIES|ROOT_USER_ACTION|TIMEOUT|VERBOSE))$"
)
SELECTING_VARIABLES = ("GOOGLE_PYTHON_PACKAGE_MANAGER", "GOOGLE_VENDOR_PIP_DEPENDENCIES")
STAR_IMPORT = re.compile(rb"^\s*from\s+\S+\s+import\s+\*", re.MULTILINE)
# What terraform/function/source.tf leaves out of the upload.
LEFT_OUT = re.compile(r"(^|/)(\.|__pycache__/|tests?/|test_[^/]*$|conftest\.py$)|\.py[cod]$")
# A source beyond this holds something that was put there by mistake.
LARGE_SOURCE = 100_000_000


def check_package_manager(repository: Repository) -> Result:
    check = Check("the build uses pip and no other index")
    variables = as_mapping(repository.function.get("build_environment"))
    redirecting = [name for name in variables if not is_allowed_in_a_build(name)]
    if redirecting:
        seen = (
            f"function.build_environment sets {redirecting[0]}, which can lead the build elsewhere."
        )
    elif not any(FORCED_PIP.search(read_text(file)[0]) for file in FUNCTION_STACK.glob("*.tf")):
        seen = 'terraform/function/*.tf do not set GOOGLE_PYTHON_PACKAGE_MANAGER to "pip".'
    else:
        return check.ok("GOOGLE_PYTHON_PACKAGE_MANAGER is pip")
    return check.problem("package-manager", seen)


def is_allowed_in_a_build(variable: str) -> bool:
    return bool(BUILD_VARIABLE.fullmatch(variable)) and variable not in SELECTING_VARIABLES


def check_source(repository: Repository) -> Iterator[Result]:
    """Check the function's code: it exists, compiles, has its entry point and what it imports."""
    if not MAIN.is_file():
        check = Check("the function's main.py exists")
        yield check.problem("main-missing", "there is no function/main.py.")
        return
    uploaded = [file for file in sorted(SOURCE.rglob("*")) if is_uploaded(file)]
    sources = [file for file in uploaded if file.suffix == ".py"]
    minor = re.fullmatch(r"python3(\d+)", repository.runtime)
    version = (3, int(minor[1])) if minor else sys.version_info[:2]
    compiles = Check("the function's source compiles")
    errors = (syntax_error(file, version) for file in sources)
    if error := next(filter(None, errors), ""):
        if sys.version_info[:2] < version:
            error += f" (by Python 3.{sys.version_info.minor}; the runtime is newer)"
        yield compiles.problem("syntax-error", error)
    else:
        yield compiles.ok(f"{len(sources)} files")
        if not repository.settings_unread and repository.entry_point:
            yield check_entry_point(repository.entry_point)
        yield from check_imports(sources, version)

    size = sum(file.stat().st_size for file in uploaded)
    small = Check("the source has a function's size", "du -sh function/*")
    if size > LARGE_SOURCE:
        yield small.problem("source-too-large", f"function/ holds {size / 1e6:.0f} MB.")
    else:
        yield small.ok(f"{size / 1e3:.0f} kB")


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
    check = Check("main.py has the entry point")
    source = MAIN.read_bytes()
    if STAR_IMPORT.search(source):
        return check.unknown("main.py imports * from another module", optional=True)
    table = symtable.symtable(source.decode("utf-8-sig", "replace"), str(MAIN), "exec")
    symbols = {symbol.get_name(): symbol for symbol in table.get_symbols()}
    symbol = symbols.get(entry_point)
    if symbol and (symbol.is_assigned() or symbol.is_imported()):
        return check.ok(entry_point)
    defined = [name for name, each in symbols.items() if each.is_namespace()]
    seen = f"function/main.py defines {', '.join(defined) or 'nothing'}, but not {entry_point}."
    return check.problem("entry-point-missing", seen)
