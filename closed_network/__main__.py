"""The command line: `closed-network rehearse PATH` and `closed-network run PATH -- COMMAND ...`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from closed_function.errors import CommandError, ExitStatus

from .evidence import page
from .interpreters import THIS, find_interpreter
from .laptop import counts, run_on_a_laptop
from .processes import interrupt_on_signals
from .rehearsal import rehearse
from .repository import RepositoryError, default_requirements, index_of_build, read_repository


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """The options in `argv`; what follows the first -- is the command, whatever is in it."""
    end = argv.index("--") if "--" in argv else len(argv)
    parser = argparse.ArgumentParser(prog="closed-network")
    parser.add_argument("--version", action="version", version=f"%(prog)s {version()}")
    commands = parser.add_subparsers(dest="subcommand", required=True)
    rehearsal = commands.add_parser(
        "rehearse",
        help="rehearse the build of a function repository",
        description="Rehearse the build of a function repository in a closed network. Exit status: "
        "0 passed; 1 a stage failed (with CI=true also: a claim was not proven); 2 the folder "
        "cannot be rehearsed; 3 the rehearsal itself failed.",
    )
    rehearsal.add_argument("path", type=Path, help="the repository")
    rehearsal.add_argument(
        "--report", type=Path, metavar="FILE.json", help="write the findings here"
    )
    rehearsal.add_argument(
        "--html",
        type=Path,
        metavar="FILE.html",
        help="write the findings here as a page for a reviewer",
    )
    rehearsal.add_argument("--python", metavar="3.13", help="runtime (default: requires-python)")
    rehearsal.add_argument("--target", help="entry point (default: the decorated function)")
    rehearsal.add_argument(
        "--deploy",
        action="store_true",
        help="deploy it to a stand-in of Google Cloud, too, with Terraform and its providers",
    )
    rehearsal.add_argument("--env", metavar="NAME", help="the environment whose settings are used")
    rehearsal.set_defaults(does=rehearse_the_build)

    laptop = commands.add_parser(
        "run",
        help="run a command like on a laptop in the closed network",
        usage="%(prog)s [options] PATH -- COMMAND ...",
        description="Run a command in the repository, where only Artifact Registry answers and pip "
        "and uv use its index. Exit status: the command's; 1 also if it succeeded but requested "
        "another host; 2 bad usage; 3 the rehearsal itself failed.",
    )
    laptop.add_argument("path", type=Path, help="the repository, in which the command runs")
    laptop.add_argument("--python", metavar="3.13", help="its python3 (default: this Python)")
    laptop.add_argument(
        "--allow-refused", action="store_true", help="accept requests to other hosts"
    )
    laptop.set_defaults(does=run_a_command)

    for command in (rehearsal, laptop):
        command.add_argument(
            "--requirements", type=Path, help="default: PATH/function/requirements.txt"
        )
        command.add_argument(
            "--no-namespace",
            action="store_true",
            help="do not enclose the clients in a network namespace",
        )
    options = parser.parse_args(argv[:end])
    options.command = argv[end + 1 :]
    if options.does is run_a_command and not options.command:
        laptop.error("the command is missing; put it after --, such as: run PATH -- make test")
    if options.does is rehearse_the_build and options.command:
        rehearsal.error(f"rehearse runs no command; leave out: -- {' '.join(options.command)}")
    return options


def version() -> str:
    """Return this program's version, with the commit where the installer noted it (PEP 610)."""
    try:
        installed = distribution("closed-network")
    except PackageNotFoundError:
        return f"(from the clone {Path(__file__).resolve().parent.parent})"
    origin = json.loads(installed.read_text("direct_url.json") or "{}")
    commit = origin.get("vcs_info", {}).get("commit_id")
    return f"{installed.version} (commit {commit})" if commit else installed.version


def rehearse_the_build(options: argparse.Namespace) -> int:
    requirements = options.requirements and options.requirements.resolve()
    root = options.path.resolve()
    repository = read_repository(root, requirements, options.python, options.target)
    for path in filter(None, (options.report, options.html)):
        check_that_it_can_be_written(path)
    report = rehearse(
        repository,
        deploy=options.deploy,
        environment=options.env,
        without_namespace=options.no_namespace,
    )
    report.print()
    if options.report:
        text = json.dumps(report.as_dict(), indent=2, ensure_ascii=False)
        write(options.report, text + "\n")
    if options.html:
        write(options.html, page(report))
    if report.unproven and os.environ.get("CI") == "true":
        print("With CI=true every claim must be proven.", file=sys.stderr)
        return ExitStatus.WRONG
    return ExitStatus.DONE if report.passed else ExitStatus.WRONG


def write(path: Path, text: str) -> None:
    """Write `text`; what is no character, as in the name of a file that is not UTF-8, as number."""
    path.write_text(text, encoding="utf-8", errors="backslashreplace")


def check_that_it_can_be_written(path: Path) -> None:
    there = os.path.lexists(path)
    try:
        path.touch()
        if not there:
            path.unlink()
    except OSError as error:
        raise RepositoryError(str(error)) from None


def run_a_command(options: argparse.Namespace) -> int:
    root = options.path.resolve()
    index = index_of_build(options.requirements or default_requirements(root))
    if not root.is_dir():
        raise RepositoryError(f"{root}: it is not a folder")
    interpreter = find_interpreter(options.python) if options.python else THIS
    if not interpreter:
        raise RepositoryError(f"--python {options.python}: it is not installed on this machine")
    outcome = run_on_a_laptop(
        options.command, root, index, interpreter, without_namespace=options.no_namespace
    )
    print(f"closed network: answered {counts(outcome.answered)}", file=sys.stderr)
    print(f"closed network: refused {counts(outcome.refused)}", file=sys.stderr)
    if outcome.refused and not options.allow_refused:
        return outcome.status or ExitStatus.WRONG
    return outcome.status


def main(argv: Sequence[str] | None = None) -> int:
    interrupt_on_signals()
    options = arguments(sys.argv[1:] if argv is None else argv)
    try:
        return int(options.does(options))
    except CommandError as error:
        print(error, file=sys.stderr)
        return error.status
    except OSError as error:
        print(error, file=sys.stderr)
        return ExitStatus.UNAVAILABLE
    except KeyboardInterrupt:
        print("Interrupted; nothing is left behind.", file=sys.stderr)
        return ExitStatus.INTERRUPTED


if __name__ == "__main__":
    raise SystemExit(main())
