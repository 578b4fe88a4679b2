"""Rehearse the build and the deployment of this repository in a closed network.

uv fetches `closed-network` from the template, at the version that .cruft.json names, and its
packages from the index that the user's pip is configured for. Nothing in the cloud is called:
Terraform applies both stacks to a stand-in, if it and its providers are on this machine.

Exit status: that of `closed-network rehearse` (0 passed; 1 a stage failed; 2 this repository cannot
be rehearsed; 3 the rehearsal broke); 2 also when no template is known; 3 also when the program
cannot be fetched; 130 interrupted.
"""

import argparse
import re
import sys
from pathlib import Path

from closed_function.command_line import add_environment, not_empty, report_progress
from closed_function.errors import CommandError, ExitStatus, UnavailableError
from closed_function.files import as_text, read_object
from closed_function.paths import CRUFT_STATE, ROOT
from closed_function.pip_settings import uv_environment
from closed_function.processes import run_to_end
from closed_function.redaction import one_line, quote

# The abbreviations of cookiecutter, which it takes for addresses.
ABBREVIATIONS = {
    "gh": "https://github.com/{}.git",
    "gl": "https://gitlab.com/{}.git",
    "bb": "https://bitbucket.org/{}",
}
# Git reads this as ssh://, as in git@example.com:team/template.git.
SSH_SHORTHAND = re.compile(r"(?P<host>(?:[\w.-]+@)?[\w.-]+):/*(?P<path>[^/\\].*)")
# uv's message when Git failed and not an index.
GIT_FAILED = "Git operation failed"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--template",
        type=not_empty,
        help="the template's address, or the path of a clone or wheel (default: as .cruft.json)",
    )
    parser.add_argument("--report", type=not_empty, help="write the findings here, as JSON")
    parser.add_argument("--html", type=not_empty, help="write them here, as a page for a reviewer")
    add_environment(parser)


def run(options: argparse.Namespace) -> int:
    state, why = read_object(CRUFT_STATE)
    address = options.template or as_text(state.get("template"))
    if not address:
        name = CRUFT_STATE.name
        reason = f"{name} {why or 'names none'}" if CRUFT_STATE.exists() else f"there is no {name}"
        raise CommandError(
            f"The template that has the rehearsal is not known: {reason}. Name its address or a "
            "clone of it: make rehearse TEMPLATE=/path/to/clone"
        )
    report_progress(f"Fetching the rehearsal from {one_line(address)} with uv.")
    program = [sys.executable, "-m", "uv", "tool", "run", "--python", sys.executable]
    program += ["--from", source(address, as_text(state.get("commit"))), "closed-network"]
    environment, capture = uv_environment(), ["stdout", "stderr"]
    fetched, interrupted = run_to_end([*program, "--version"], ROOT, environment, capture=capture)
    if interrupted:
        raise KeyboardInterrupt
    if fetched.returncode != 0:
        raise fetch_error(fetched.stderr, one_line(address))
    given = {"--report": options.report, "--html": options.html, "--env": options.env}
    arguments = [word for name, value in given.items() if value for word in (name, value)]
    command = [*program, "rehearse", ".", "--deploy", *arguments]
    done, interrupted = run_to_end(command, ROOT, environment)
    return ExitStatus.INTERRUPTED if interrupted else done.returncode


def source(address: str, commit: str) -> str:
    """Return `address` in uv's form: with `commit` when it is a Git repository."""
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


def fetch_error(errors: str, address: str) -> UnavailableError:
    """Return what the `errors` of uv mean."""
    advice = "Its packages come from the index that your pip is configured for: pip config list"
    if GIT_FAILED in errors:
        advice = (
            "If Git cannot reach the template, name a clone of it that has this version: "
            "make rehearse TEMPLATE=/path/to/clone"
        )
    words = quote(errors) or "uv printed nothing."
    return UnavailableError(f"{words}\nThe rehearsal cannot be fetched from {address}. {advice}")
