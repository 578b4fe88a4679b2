"""Bring the stacks' files into Terraform's format."""

import argparse
import os
import subprocess
import sys

from closed_function.errors import CommandError, ExitStatus
from closed_function.paths import TERRAFORM
from closed_function.stack import find_program

NOT_FORMATTED = 3  # of `terraform fmt -check`


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--check", action="store_true", help="change nothing, say which are not in the format"
    )


def run(options: argparse.Namespace) -> int:
    format_files(check=options.check)
    return ExitStatus.DONE


def format_files(*, check: bool) -> None:
    """Bring the stacks' files into Terraform's own format; with `check` only say which are not.

    Without Terraform there is nothing to tell, which is a failure in CI alone.
    """
    try:
        program = find_program()
    except CommandError as error:
        if os.environ.get("CI") == "true":
            raise
        print(f"{error} The format of terraform/ was not looked at.", file=sys.stderr)
        return
    options = ["-check", "-diff"] if check else []
    done = subprocess.run([program, "fmt", "-recursive", *options, str(TERRAFORM)], check=False)
    if done.returncode == NOT_FORMATTED:
        raise CommandError(
            "Not in Terraform's format; `make format` corrects it.", ExitStatus.WRONG
        )
    if done.returncode != 0:
        raise CommandError("terraform fmt cannot read these files.", ExitStatus.WRONG)
