"""Bring the stacks' files into Terraform's format, or check them without their state.

`validate` checks the format and runs Terraform's own checks and the stacks' tests.
"""

import argparse
import os
import subprocess
import sys

from closed_function.errors import CommandError, ExitStatus
from closed_function.paths import TERRAFORM
from closed_function.stack import Stack, find_program, own_stacks

WHEN_INTERRUPTED = "Interrupted; nothing was changed in Google Cloud."
NOT_FORMATTED = 3  # the exit status of `terraform fmt -check`


def add_arguments(parser: argparse.ArgumentParser) -> None:
    if parser.prog.endswith(" format"):
        parser.add_argument(
            "--check", action="store_true", help="change nothing, show what is not in the format"
        )


def run(options: argparse.Namespace) -> int:
    if options.command == "format":
        format_files(check=options.check)
        return ExitStatus.DONE
    format_files(check=True)
    for name in own_stacks():
        stack = Stack(name, None)
        stack.init("-backend=false", "-input=false")
        stack.call("validate")
        stack.call("test")
    return ExitStatus.DONE


def format_files(*, check: bool) -> None:
    """Run `terraform fmt`. Without Terraform this fails in CI alone."""
    try:
        program = find_program()
    except CommandError as error:
        if os.environ.get("CI") == "true":
            raise
        print(f"{error} The format of terraform/ was not checked.", file=sys.stderr)
        return
    options = ["-check", "-diff"] if check else []
    done = subprocess.run([program, "fmt", "-recursive", *options, str(TERRAFORM)], check=False)
    if done.returncode == NOT_FORMATTED:
        raise CommandError(
            "Not in Terraform's format; `make format` corrects it.", ExitStatus.WRONG
        )
    if done.returncode != 0:
        raise CommandError("terraform fmt cannot read these files.", ExitStatus.WRONG)
