"""Write the hash-locked requirements of the function, of its tests and of the tools.

function/requirements.in -> function/requirements.txt, whose first line is the index URL that the
platform hands over (with --env NAME, that environment's platform); tests/requirements.in ->
tests/requirements.txt, with the function's versions; tools/requirements.in ->
tools/requirements.txt. The locks are good for every supported Python and for any index that serves
the same files; they are made through the index that the user's pip is configured for. Nothing is
replaced before every lock is complete.
"""

import argparse
import contextlib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from closed_function.command_line import add_environment
from closed_function.errors import CommandError, ExitStatus
from closed_function.files import replace_text
from closed_function.index import RequirementsError, parse_index
from closed_function.paths import LOCK_FOLDERS, ROOT, environment_settings, hand_over_file
from closed_function.pip_settings import uv_environment
from closed_function.processes import defer_interrupt
from closed_function.requirements import WHEELS_NOTE, package_name
from closed_function.runtimes import LOCKED_PYTHONS, RUNTIME_PLATFORM

WHEN_INTERRUPTED = "Interrupted; no lock was replaced."

LOCK_LINE = re.compile(
    r"[A-Za-z0-9][\w.-]*(?:\[[\w,.-]+\])?==[^\s\\]+.*\\\n|    --hash=sha256:[0-9a-f]{64}(?: \\)?\n"
)
# One version, named in a requirements.in.
EXACT = re.compile(
    r"^(?P<name>[A-Za-z0-9][\w.-]*(?:\[[^]]*\])?)(?P<equal>\s*==\s*)(?P<version>[\w.!+]+)(?![\w.!+*])",
    re.MULTILINE,
)


class LockError(CommandError):
    """No lock could be made; the text says why."""

    status = ExitStatus.WRONG


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--upgrade",
        choices=("1", "all"),
        help="take the newest versions that fit; all: also raise the versions in requirements.in",
    )
    add_environment(parser)


def run(options: argparse.Namespace) -> int:
    renewed = lock(options.env, upgrade=bool(options.upgrade), raise_pins=options.upgrade == "all")
    print(f"Renewed {', '.join(renewed)}." if renewed else "Every lock is as it was.")
    return ExitStatus.DONE


def lock(environment: str | None, *, upgrade: bool, raise_pins: bool = False) -> list[str]:
    """Renew the three locks of this repository; return the files that are other than before.

    LockError when one cannot be made, CommandError when there is no such environment.
    """
    first = index_line(environment)
    made: dict[Path, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        function = Path(folder, "function.txt")
        for place in LOCK_FOLDERS:
            origin, target = (ROOT / place / f"requirements.{kind}" for kind in ("in", "txt"))
            # The tests run with the very packages that are deployed.
            constraints = [function] if place == "tests" else []
            text = with_raised_pins(origin) if raise_pins else origin.read_text(encoding="utf-8")
            with (
                written_copy(origin, text)
                if raise_pins
                else contextlib.nullcontext(origin) as source
            ):
                locked = compile_lock(source, current_lock(target), constraints, upgrade=upgrade)
            if place == "function":
                function.write_text(locked, encoding="utf-8")
                locked = first + with_wheels(locked)
            made |= {origin: text, target: locked} if raise_pins else {target: locked}
    with defer_interrupt():  # all or none
        changed = [file for file, text in made.items() if replace(file, text)]
    return [file.relative_to(ROOT).as_posix() for file in changed]


def index_line(environment: str | None) -> str:
    """Return the first line of function/requirements.txt, from what the platform hands over."""
    platform = hand_over_file(environment)
    name = platform.relative_to(ROOT)
    if environment and not platform.is_file():
        environment_settings("function", environment)
        raise LockError(
            f"{name} does not exist: {environment} has no platform of its own, so its index is the "
            "default's. Run: make lock"
        )
    try:
        url = json.loads(platform.read_text(encoding="utf-8"))["platform"]["python_index_url"]
        parse_index(url, str(name))
    except RequirementsError as error:
        raise LockError(str(error)) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = (
            "cannot be read" if isinstance(error, OSError) else "no platform.python_index_url in it"
        )
        raise LockError(
            f"{name}: {why}; it begins with "
            '{"platform": {"python_index_url": "https://REGION-python.pkg.dev/PROJECT/REPOSITORY/simple/"'
        ) from None
    return f"--index-url {url}\n"


def compile_lock(
    requirements_in: Path,
    current: str = "",
    constraints: Iterable[Path] = (),
    *,
    upgrade: bool = False,
    wheels_only: bool = True,
) -> str:
    """Return the lock of `requirements_in`: every package, `==`, with hashes.

    With `wheels_only` a version without wheels is not taken: a build in a closed network has
    nothing to compile with. Versions in `current`, the lock that is to be replaced, are kept where
    they still fit, unless `upgrade`. Raises LockError with uv's own words.
    """
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "lock.txt")
        output.write_text(current, encoding="utf-8", newline="\n")
        command = [sys.executable, "-m", "uv", "pip", "compile", str(requirements_in)]
        command += ["--quiet", "--universal", "--python-version", LOCKED_PYTHONS[0]]
        command += ["--generate-hashes", "--no-emit-index-url"]
        command += ["--no-annotate", "--custom-compile-command", "make lock"]
        # Older pips take `coverage[toml]` for another package than `coverage`, without a version.
        command += ["--no-strip-extras"]
        command += ["--output-file", str(output), *(["--upgrade"] if upgrade else [])]
        command += ["--only-binary", ":all:"] if wheels_only else []
        for constraint in constraints:
            command += ["--constraint", str(constraint)]
        if problem := uv(command):
            raise LockError(f"{requirements_in}: no lock\n{problem}")
        return output.read_text(encoding="utf-8")


def uv(command: Sequence[str]) -> str:
    """Run a command of uv's; return why it failed, or nothing."""
    done = subprocess.run(
        command, env=uv_environment(), capture_output=True, text=True, check=False
    )
    return done.stderr.strip() or "it printed nothing" if done.returncode != 0 else ""


def with_wheels(locked: str) -> str:
    """Return `locked` below a line that says for which runtimes each of its packages has a wheel.

    A version that is universal for uv may have wheels for another system alone. LockError, with
    uv's own words, when there is no runtime at all.
    """
    with tempfile.TemporaryDirectory() as folder:
        lock_file = Path(folder, "lock.txt")
        lock_file.write_text(locked, encoding="utf-8")
        command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-deps"]
        command += ["--only-binary", ":all:", "--python-platform", RUNTIME_PLATFORM]
        command += ["--output-file", str(Path(folder, "resolved.txt")), str(lock_file)]
        problems = {each: uv([*command, "--python-version", each]) for each in LOCKED_PYTHONS}
    built = [version for version, problem in problems.items() if not problem]
    if not built:
        raise LockError(f"no lock: not every package has a wheel\n{problems[LOCKED_PYTHONS[0]]}")
    return f"{WHEELS_NOTE}{', '.join(built)}\n{locked}"


def current_lock(path: Path) -> str:
    """Return what is right in the lock at `path`; the rest of it, whatever it is, is made anew."""
    if not path.is_file():
        return ""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    return "".join(line for line in lines if LOCK_LINE.fullmatch(line))


def replace(path: Path, text: str) -> bool:
    """Write `text` to `path` in one step, so that a failure leaves what was there.

    Returns whether it was another. What is there already is not touched: `make` would install it
    again.
    """
    if path.is_file() and path.read_bytes() == text.encode():
        return False
    replace_text(path, text)
    return True


def with_raised_pins(requirements_in: Path) -> str:
    """Return the text of `requirements_in` with each exact version raised to the newest that fits.

    A package that is locked in several versions keeps its own. Raises LockError.
    """
    text = requirements_in.read_text(encoding="utf-8")
    found: dict[str, set[str]] = {}
    with written_copy(requirements_in, EXACT.sub(r"\g<name>>=\g<version>", text)) as loose:
        for pin in EXACT.finditer(compile_lock(loose)):
            found.setdefault(package_name(pin["name"]), set()).add(pin["version"])

    def newest(pin: re.Match[str]) -> str:
        versions = found.get(package_name(pin["name"]), set())
        version = next(iter(versions)) if len(versions) == 1 else pin["version"]
        return f"{pin['name']}{pin['equal']}{version}"

    return EXACT.sub(newest, text)


@contextlib.contextmanager
def written_copy(requirements_in: Path, text: str) -> Iterator[Path]:
    """Return a file with `text` in the same folder, where the names of other files in it hold."""
    copy = requirements_in.with_name(f".{requirements_in.name}.new")
    copy.write_text(text, encoding="utf-8", newline="\n")
    try:
        yield copy
    finally:
        copy.unlink()
