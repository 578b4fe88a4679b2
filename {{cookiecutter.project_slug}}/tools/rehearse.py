"""Rehearse the build of this repository in a closed network, with the template's own program.

uv fetches `closed-network` from the template, at the version that .cruft.json names, and its
packages from the index that the user's pip is configured for. Nothing in the cloud is called.

Exit status: that of `closed-network rehearse` (0 passed; 1 a stage failed; 2 this repository cannot
be rehearsed; 3 the rehearsal broke); 2 also when no template is known; 3 also when the program
cannot be fetched; 130 interrupted.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from command_line import INTERRUPTED, Parser, not_empty, run_to_end
from lock import uv_environment
from repository_checks import CRUFT_STATE, read_object, text
from stacks import ROOT
from upstreams import presentable

USAGE, FAILED = 2, 3
# As cookiecutter has them.
ABBREVIATIONS = {
    "gh": "https://github.com/{}.git",
    "gl": "https://gitlab.com/{}.git",
    "bb": "https://bitbucket.org/{}",
}
# What Git takes for ssh://, as in git@example.com:team/template.git.
SSH_SHORTHAND = re.compile(r"(?P<host>(?:[\w.-]+@)?[\w.-]+):/*(?P<path>[^/\\].*)")
# How uv says that it is not an index which failed.
GIT_FAILED = "Git operation failed"


class RehearseError(Exception):
    """The rehearsal cannot begin; the text says why and what to do."""

    def __init__(self, text: str, status: int = USAGE) -> None:
        super().__init__(text)
        self.status = status


def origin(given: str | None) -> tuple[str, str]:
    """Return the template's address and commit, `given` before the address in .cruft.json.

    The commit is empty when none is known. RehearseError when there is no address.
    """
    state, why = read_object(CRUFT_STATE)
    address = given or text(state.get("template"))
    if not address:
        name = CRUFT_STATE.name
        seen = f"{name} {why or 'names none'}" if CRUFT_STATE.exists() else f"there is no {name}"
        raise RehearseError(
            f"The template that has the rehearsal is not known: {seen}. Name its address or a "
            "clone of it: make rehearse TEMPLATE=/path/to/clone"
        )
    return address, text(state.get("commit"))


def source(address: str, commit: str) -> str:
    """Return `address` as uv takes it: with `commit` when it is a Git repository."""
    path = Path(address).expanduser().absolute()
    if path.is_file() or ((path / "pyproject.toml").is_file() and not (path / ".git").exists()):
        return str(path)  # a wheel, or the template's files without their history
    prefix, _, rest = address.partition(":")
    shorthand = SSH_SHORTHAND.fullmatch(address)
    if path.exists():
        url = path.as_uri()
    elif prefix in ABBREVIATIONS:
        url = ABBREVIATIONS[prefix].format(rest)
    elif "://" in address:
        url = address.removeprefix("git+")
    elif shorthand:
        url = f"ssh://{shorthand['host']}/{shorthand['path']}"
    else:
        url = path.as_uri()
    return f"git+{url}@{commit}" if commit else f"git+{url}"


def fetch(command: Sequence[str], address: str, environment: Mapping[str, str]) -> None:
    """Let uv fetch and install the program. RehearseError with uv's own words when it cannot."""
    capture = ["stdout", "stderr"]
    done, interrupted = run_to_end([*command, "--version"], ROOT, environment, capture=capture)
    if interrupted:
        raise KeyboardInterrupt
    if done.returncode == 0:
        return
    advice = "Its packages come from the index that your pip is configured for: pip config list"
    if GIT_FAILED in done.stderr:
        advice = (
            "Where Git cannot reach the template, name a clone of it that has this version: "
            "make rehearse TEMPLATE=/path/to/clone"
        )
    words = presentable(done.stderr) or "uv printed nothing."
    raise RehearseError(
        f"{words}\nThe rehearsal cannot be fetched from {address}. {advice}", FAILED
    )


def rehearse(template: str | None, options: Sequence[str]) -> int:
    """Rehearse this repository and return the rehearsal's status. RehearseError."""
    address, commit = origin(template)
    address_shown = presentable(address)
    print(f"Fetching the rehearsal from {address_shown} with uv.", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "uv", "tool", "run", "--python", sys.executable]
    command += ["--from", source(address, commit), "closed-network"]
    environment = uv_environment()
    fetch(command, address_shown, environment)
    done, interrupted = run_to_end([*command, "rehearse", ".", *options], ROOT, environment)
    return INTERRUPTED if interrupted else done.returncode


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser(description="Rehearse the build of this repository in a closed network.")
    parser.add_argument(
        "--template",
        type=not_empty,
        help="the template's address, or the path of a clone or wheel (default: as .cruft.json)",
    )
    parser.add_argument("--report", type=not_empty, help="write what is found here, as JSON")
    parser.add_argument("--html", type=not_empty, help="write it here, as a page for a reviewer")
    options = parser.parse_args(argv)
    files = {"--report": options.report, "--html": options.html}
    arguments = [word for name, file in files.items() if file for word in (name, file)]
    try:
        return rehearse(options.template, arguments)
    except RehearseError as error:
        print(error, file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        print("Interrupted; nothing was changed.", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    raise SystemExit(main())
