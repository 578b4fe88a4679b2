"""Write the hash-locked requirements of the function, of its tests and of the tools.

function/requirements.in -> function/requirements.txt, whose first line is the index URL that the
platform hands over (with --env NAME, that environment's platform); tests/requirements.in ->
tests/requirements.txt, with the function's versions; tools/requirements.in ->
tools/requirements.txt. The locks are good for every supported Python and for any index that serves
the same files; they are made through the index that the user's pip is configured for. Nothing is
replaced before every lock is complete.

Exit status: 0 done; 1 no lock could be made, for the reason uv gives; 130 interrupted, and nothing
was replaced.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from closed_function.command_line import INTERRUPTED, Parser, held_interrupt
from closed_function.stacks import (
    StackError,
    environment_name,
    environment_settings,
    hand_over_file,
)
from closed_function.upstreams import RequirementsError, parse_index

ROOT = Path(__file__).resolve().parent.parent
PLACES = ("function", "tests", "tools")
RUNTIMES = ("3.11", "3.12", "3.13", "3.14")
RUNTIME_PLATFORM = "x86_64-manylinux_2_35"  # the glibc of the runtimes' base image
LOCK_LINE = re.compile(
    r"[A-Za-z0-9][\w.-]*(?:\[[\w,.-]+\])?==[^\s\\]+.*\\\n|    --hash=sha256:[0-9a-f]{64}(?: \\)?\n"
)
# One version, named in a requirements.in.
EXACT = re.compile(
    r"^(?P<name>[A-Za-z0-9][\w.-]*(?:\[[^]]*\])?)(?P<equal>\s*==\s*)(?P<version>[\w.!+]+)(?![\w.!+*])",
    re.MULTILINE,
)
WHEELS = "# Wheels for Linux x86_64: Python "


class LockError(Exception):
    """No lock could be made; the text says why."""


def pip_setting(name: str) -> str | None:
    """What the user's pip is told about `name` (such as index-url), or None."""
    from_environment = os.environ.get("PIP_" + name.upper().replace("-", "_"))
    if from_environment:
        return from_environment
    command = [sys.executable, "-m", "pip", "config", "get", f"global.{name}"]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    return asked.stdout.strip() or None


def uv_environment() -> dict[str, str]:
    """The environment in which uv uses pip's index and certificate (never its arguments, which
    others can read: an index URL may carry credentials)."""
    # For a runtime that is not here uv would look for a Python to download, where nothing answers.
    environment = {"UV_PYTHON_DOWNLOADS": "never", **os.environ}
    for variable, setting in (("UV_DEFAULT_INDEX", "index-url"), ("SSL_CERT_FILE", "cert")):
        value = pip_setting(setting)
        if value:
            environment.setdefault(variable, value)
    return environment


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
        command += ["--quiet", "--universal", "--python-version", RUNTIMES[0]]
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
        problems = {each: uv([*command, "--python-version", each]) for each in RUNTIMES}
    built = [version for version, problem in problems.items() if not problem]
    if not built:
        raise LockError(f"no lock: not every package has a wheel\n{problems[RUNTIMES[0]]}")
    return f"{WHEELS}{', '.join(built)}\n{locked}"


def index_line(environment: str | None) -> str:
    """The first line of function/requirements.txt, from what the platform hands over."""
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


def current_lock(path: Path) -> str:
    """What is right in the lock at `path`; the rest of it, whatever it is, is made anew."""
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
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(text, encoding="utf-8", newline="\n")
    temporary.replace(path)
    return True


def with_raised_pins(requirements_in: Path) -> str:
    """The text of `requirements_in` with each exact version replaced by the newest that fits.

    A package that is locked in several versions keeps its own. Raises LockError.
    """
    text = requirements_in.read_text(encoding="utf-8")
    found: dict[str, set[str]] = {}
    with beside(requirements_in, EXACT.sub(r"\g<name>>=\g<version>", text)) as loose:
        for pin in EXACT.finditer(compile_lock(loose)):
            found.setdefault(package_name(pin["name"]), set()).add(pin["version"])

    def raised(pin: re.Match[str]) -> str:
        versions = found.get(package_name(pin["name"]), set())
        version = next(iter(versions)) if len(versions) == 1 else pin["version"]
        return f"{pin['name']}{pin['equal']}{version}"

    return EXACT.sub(raised, text)


def package_name(requirement: str) -> str:
    """The name that a requirement begins with, in the form in which names are compared."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^A-Za-z0-9._-]", requirement)[0]).lower()


@contextlib.contextmanager
def beside(requirements_in: Path, text: str) -> Iterator[Path]:
    """A file with `text` in the same folder, where the names of other files in it hold."""
    copy = requirements_in.with_name(f".{requirements_in.name}.new")
    copy.write_text(text, encoding="utf-8", newline="\n")
    try:
        yield copy
    finally:
        copy.unlink()


def lock(environment: str | None, *, upgrade: bool, raise_pins: bool = False) -> list[str]:
    """Renew the three locks of this repository; return the files that are other than before.

    LockError when one cannot be made, StackError when there is no such environment.
    """
    first = index_line(environment)
    made: dict[Path, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        function = Path(folder, "function.txt")
        for place in PLACES:
            origin, target = (ROOT / place / f"requirements.{kind}" for kind in ("in", "txt"))
            # The tests run with the very packages that are deployed.
            constraints = [function] if place == "tests" else []
            text = with_raised_pins(origin) if raise_pins else origin.read_text(encoding="utf-8")
            with beside(origin, text) if raise_pins else contextlib.nullcontext(origin) as source:
                locked = compile_lock(source, current_lock(target), constraints, upgrade=upgrade)
            if place == "function":
                function.write_text(locked, encoding="utf-8")
                locked = first + with_wheels(locked)
            made |= {origin: text, target: locked} if raise_pins else {target: locked}
    with held_interrupt():  # all or none
        changed = [file for file, text in made.items() if replace(file, text)]
    return [file.relative_to(ROOT).as_posix() for file in changed]


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser(description="Renew the hash-locked requirements.")
    parser.add_argument(
        "--upgrade",
        choices=("1", "all"),
        help="take the newest versions that fit; all: also raise the versions in requirements.in",
    )
    parser.add_argument("--env", type=environment_name, help="name that environment's index")
    options = parser.parse_args(argv)
    try:
        renewed = lock(
            options.env, upgrade=bool(options.upgrade), raise_pins=options.upgrade == "all"
        )
    except (LockError, StackError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; no lock was replaced.", file=sys.stderr)
        return INTERRUPTED
    print(f"Renewed {', '.join(renewed)}." if renewed else "Every lock is as it was.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
