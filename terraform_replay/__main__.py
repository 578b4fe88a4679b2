"""The command line: `python -m terraform_replay run FOLDER -- validate`, `… record`."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .clients import Client, ProvidersError, find_programs, users_environment
from .recording import record
from .schemas import FOLDER
from .server import replay


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="terraform_replay")
    parser.add_argument("--program", default="terraform", choices=["terraform", "tofu"])
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("run", help="run Terraform with the replayed providers")
    command.add_argument("folder", type=Path, help="where the configuration is")
    command.add_argument(
        "arguments", nargs="+", metavar="ARGUMENT", help="after `--`: Terraform's, such as validate"
    )
    command = commands.add_parser("record", help="record the schemas again from the real providers")
    command.add_argument(
        "--add", nargs="+", default=[], metavar="TYPE", help="record these types, too"
    )
    options = parser.parse_args(argv)
    if options.command == "run" and not options.folder.is_dir():
        parser.error(f"{options.folder} is no folder")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    options = arguments(argv)
    program = find_programs().get(options.program)
    if not program:
        print(f"{options.program} is not installed.", file=sys.stderr)
        return 1
    if options.command == "record":
        try:
            record(program, users_environment(), FOLDER, options.add)
        except ProvidersError as error:
            print(f"Nothing was recorded: {error}", file=sys.stderr)
            return 1
        return 0
    with tempfile.TemporaryDirectory() as home, replay() as running:
        client = Client(program, Path(home), running.environment, "replay")
        command = [program, *options.arguments]
        return subprocess.call(command, cwd=options.folder, env=client.variables())


if __name__ == "__main__":
    raise SystemExit(main())
