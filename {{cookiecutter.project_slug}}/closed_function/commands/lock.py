"""Write the hash-locked requirements of the function, of its tests and of the tools.

function/requirements.in -> function/requirements.txt, whose first line is the index URL that the
platform hands over (with --env NAME, that environment's platform); tests/requirements.in ->
tests/requirements.txt, with the function's versions; tools/requirements.in ->
tools/requirements.txt. The locks fit every supported Python and any index that serves the same
files; they are made through the index that the user's pip is configured for. Nothing is replaced
before every lock is complete.
"""

import argparse
import contextlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from closed_function.command_line import add_environment
from closed_function.errors import CommandError, ExitStatus
from closed_function.files import alone, temporary_file, write_text
from closed_function.index import RequirementsError, read_handed_over_url
from closed_function.paths import (
    LOCK_FOLDERS,
    ROOT,
    SOURCE,
    environment_settings,
    hand_over_file,
    relative,
)
from closed_function.pip_settings import uv_environment
from closed_function.redaction import quote
from closed_function.requirements import (
    TRUSTED_HOST,
    WHEELS_NOTE,
    abbreviate,
    package_name,
    read_entries,
    read_wanted,
)
from closed_function.runtimes import LOCKED_PYTHONS, RUNTIME_PLATFORM
from closed_function.signals import defer_signals

WHEN_INTERRUPTED = "Interrupted; no lock was replaced."
LONGEST = 20_000  # characters of what uv says: its reason can come last

LOCK_LINE = re.compile(
    r"[A-Za-z0-9][\w.-]*(?:\[[\w,.-]+\])?==[^\s\\]+.*\\\n|    --hash=sha256:[0-9a-f]{64}(?: \\)?\n"
)
# uv's words for a package that can only be compiled.
WITHOUT_WHEELS = re.compile(
    r"(all versions of )?([A-Za-z0-9][\w.-]*)\S* (?:has|have) no (?:usable )?wheels"
)
# One version, named in a requirements.in.
EXACT = re.compile(
    r"^(?P<name>[A-Za-z0-9][\w.-]*(?:\[[^]]*\])?)(?P<equal>\s*==\s*)(?P<version>[\w.!+]+)(?![\w.!+*])",
    re.MULTILINE,
)


class LockError(CommandError):
    """Say why no lock could be made."""

    status = ExitStatus.WRONG


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--upgrade",
        choices=("1", "all"),
        help="use the newest versions that fit; all: also update the versions in requirements.in",
    )
    add_environment(parser)


def run(options: argparse.Namespace) -> int:
    with alone(SOURCE):
        changed = lock(options.env, upgrade=options.upgrade)
    print(f"Updated {', '.join(changed)}." if changed else "Locks are up to date.")
    return ExitStatus.DONE


def lock(environment: str | None, *, upgrade: str | None) -> list[str]:
    """Update the three locks of this repository; return the files that changed.

    LockError when one cannot be made, CommandError when there is no such environment.
    """
    first_line = index_line(environment)
    for place in LOCK_FOLDERS:
        refuse_unfit(ROOT / place / "requirements.in")
    texts: dict[Path, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        function = Path(folder, "function.txt")
        for place in LOCK_FOLDERS:
            origin, target = (ROOT / place / f"requirements.{kind}" for kind in ("in", "txt"))
            source: contextlib.AbstractContextManager[Path] = contextlib.nullcontext(origin)
            if upgrade == "all":
                texts[origin] = with_newest_pins(origin)
                source = copy_beside(origin, texts[origin])
            # The tests run with the very packages that are deployed.
            constraints = [function] if place == "tests" else []
            with source as file:
                text = compile_lock(file, current_lock(target), constraints, upgrade=bool(upgrade))
            if place == "function":
                function.write_text(text, encoding="utf-8")
                text = first_line + with_wheels(text)
            texts[target] = text
    with defer_signals():  # all or none
        changed = [file for file, text in texts.items() if replace(file, text)]
    return [relative(file).as_posix() for file in changed]


def refuse_unfit(requirements_in: Path) -> None:
    """Raise LockError, in one line, for what uv would read as something else or should not."""
    wanted = read_wanted(requirements_in)
    if wanted.unreadable:
        file, why = wanted.unreadable
        raise LockError(f"{relative(file)} {why}")
    for entry in read_entries(requirements_in.read_text(encoding="utf-8-sig")):
        if TRUSTED_HOST.match(entry):
            raise LockError(
                f"{relative(requirements_in)} has {abbreviate(entry)}, which switches off the "
                "check of the index's certificate; remove it, and name the authority of your "
                "network instead: pip config set global.cert FILE"
            )


def index_line(environment: str | None) -> str:
    """Return the first line of function/requirements.txt, from what the platform hands over."""
    file = hand_over_file(environment)
    if environment and not file.is_file():
        environment_settings("function", environment)
        raise LockError(
            f"{relative(file)} does not exist: {environment} has no platform of its own, so its "
            "index is the default's. Run: make lock"
        )
    try:
        return f"--index-url {read_handed_over_url(file)}\n"
    except RequirementsError as error:
        raise LockError(str(error)) from None


def compile_lock(
    requirements_in: Path,
    current: str = "",
    constraints: Iterable[Path] = (),
    *,
    upgrade: bool = False,
    wheels_only: bool = True,
) -> str:
    """Return the lock of `requirements_in`: every package, `==`, with hashes.

    With `wheels_only` a version without wheels is not used: a build in a closed network cannot
    compile. Versions in `current`, the lock so far, are kept where they fit, unless `upgrade`.
    Raises LockError with uv's own words.
    """
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "lock.txt")
        output.write_text(current, encoding="utf-8", newline="\n")
        command = ["--universal", "--python-version", LOCKED_PYTHONS[0], "--generate-hashes"]
        command += ["--no-emit-index-url", "--no-annotate", "--custom-compile-command", "make lock"]
        # Older pips take `coverage[toml]` for another package than `coverage`, without a version.
        command += ["--no-strip-extras"]
        command += [*(["--upgrade"] if upgrade else []), "--output-file", str(output)]
        command += ["--only-binary", ":all:"] if wheels_only else []
        for constraint in constraints:
            command += ["--constraint", str(constraint)]
        if problem := uv_compile(requirements_in, command):
            raise LockError(
                f"{requirements_in}: no lock\n{quote(problem, LONGEST)}{advise_wheels(problem)}"
            )
        return output.read_text(encoding="utf-8")


def uv_compile(requirements: Path, options: Sequence[str]) -> str:
    """Run `uv pip compile`; return why it failed, or nothing."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", str(requirements), *options]
    done = subprocess.run(
        command, env=uv_environment(), capture_output=True, text=True, check=False
    )
    return done.stderr.strip() or "it printed nothing" if done.returncode != 0 else ""


def advise_wheels(problem: str) -> str:
    """Return what to do where uv's words say that a package has no wheel, or nothing."""
    lacking = WITHOUT_WHEELS.search(" ".join(problem.split()))
    if not lacking:
        return ""
    every_version, package = lacking.groups()
    replace = f"replace {package}, or the package that needs it, and run `make lock` again."
    needs = f"\nA build cannot compile, so {package} needs a wheel for Linux x86_64"
    if every_version:
        return f"{needs}, and no version has one: {replace}"
    return (
        f"{needs}. Remove its version from requirements.in and run `make lock` again, which uses "
        f"the newest version with wheels. If there is none, {replace}"
    )


def with_wheels(locked: str) -> str:
    """Return `locked` below a line that names the runtimes for which every package has a wheel.

    uv's universal lock may hold a version with wheels for other systems only. LockError when no
    runtime is left.
    """
    with tempfile.TemporaryDirectory() as folder:
        lock_file = Path(folder, "lock.txt")
        lock_file.write_text(locked, encoding="utf-8")
        options = ["--no-deps", "--only-binary", ":all:", "--python-platform", RUNTIME_PLATFORM]
        options += ["--output-file", str(Path(folder, "resolved.txt")), "--python-version"]
        problems = {each: uv_compile(lock_file, [*options, each]) for each in LOCKED_PYTHONS}
    built = [version for version, problem in problems.items() if not problem]
    if not built:
        problem = problems[LOCKED_PYTHONS[0]]
        words = f"{quote(problem, LONGEST)}{advise_wheels(problem)}"
        raise LockError(f"no lock: not every package has a wheel\n{words}")
    return f"{WHEELS_NOTE}{', '.join(built)}\n{locked}"


def current_lock(path: Path) -> str:
    """Return the well-formed lines of the lock at `path`; uv makes the others again."""
    if not path.is_file():
        return ""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    return "".join(line for line in lines if LOCK_LINE.fullmatch(line))


def replace(path: Path, text: str) -> bool:
    """Write `text` to `path` and return whether it changed.

    A file that has the text already is not touched: `make` would install it again.
    """
    if path.is_file() and path.read_bytes() == text.encode():
        return False
    write_text(path, text)
    return True


def copy_beside(path: Path, text: str) -> contextlib.AbstractContextManager[Path]:
    """Return a file with `text` in the folder of `path`, where relative paths in it stay valid."""
    return temporary_file(path, text.encode())


def with_newest_pins(requirements_in: Path) -> str:
    """Return the text of `requirements_in` with the newest version that fits in each exact pin.

    A package that is locked in several versions keeps its own. Raises LockError.
    """
    text = requirements_in.read_text(encoding="utf-8")
    found: dict[str, set[str]] = {}
    with copy_beside(requirements_in, EXACT.sub(r"\g<name>>=\g<version>", text)) as loose:
        for pin in EXACT.finditer(compile_lock(loose)):
            found.setdefault(package_name(pin["name"]), set()).add(pin["version"])

    def newest(pin: re.Match[str]) -> str:
        versions = found.get(package_name(pin["name"]), set())
        version = next(iter(versions)) if len(versions) == 1 else pin["version"]
        return f"{pin['name']}{pin['equal']}{version}"

    return EXACT.sub(newest, text)
