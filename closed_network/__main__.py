"""The command line: `python -m closed_network rehearse PATH [--report FILE.json]`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from .processes import interrupt_on_signals
from .rehearsal import RehearsalError, rehearse
from .repository import RepositoryError, read_repository


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="closed_network")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser(
        "rehearse",
        help="rehearse the build of a function repository",
        description="Rehearse the build of a function repository in a closed network. Exit status: "
        "0 passed; 1 a stage failed (with CI=true also: a claim was not proven); 2 the folder is "
        "no repository that can be rehearsed; 3 the rehearsal itself broke.",
    )
    command.add_argument("path", type=Path, help="the repository")
    command.add_argument("--report", type=Path, metavar="FILE.json", help="write the findings here")
    command.add_argument(
        "--requirements", type=Path, help="default: PATH/function/requirements.txt"
    )
    command.add_argument("--python", metavar="3.13", help="runtime (default: requires-python)")
    command.add_argument("--target", help="entry point (default: the decorated function)")
    command.add_argument(
        "--no-namespace",
        action="store_true",
        help="do not enclose the clients in a network namespace",
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    interrupt_on_signals()
    options = arguments(argv)
    requirements = options.requirements and options.requirements.resolve()
    try:
        root = options.path.resolve()
        repository = read_repository(root, requirements, options.python, options.target)
        if options.report:
            options.report.touch()
    except (RepositoryError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    try:
        report = rehearse(repository, without_namespace=options.no_namespace)
    except RehearsalError as error:
        print(error, file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        print("Interrupted; nothing is left behind.", file=sys.stderr)
        return 130
    report.print()
    if options.report:
        text = json.dumps(report.as_dict(), indent=2, ensure_ascii=False)
        options.report.write_text(text + "\n", encoding="utf-8")
    if report.unproven and os.environ.get("CI") == "true":
        print("With CI=true every claim must be proven.", file=sys.stderr)
        return 1
    return 0 if report.passed else 1


if __name__ == "__main__":
    raise SystemExit(main())
