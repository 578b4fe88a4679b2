"""Check the stacks without their state: their format, Terraform's own checks, and their tests."""

import argparse

from closed_function.commands.format import format_files
from closed_function.errors import ExitStatus
from closed_function.stack import Stack, alone, own_stacks

WHEN_INTERRUPTED = "Interrupted; nothing was changed in Google Cloud."


def add_arguments(_: argparse.ArgumentParser) -> None:
    """Add none."""


def run(_: argparse.Namespace) -> int:
    format_files(check=True)
    for name in own_stacks():
        stack = Stack(name, None)
        with alone(stack.folder):
            stack.call("init", "-backend=false", "-input=false")
        stack.call("validate")
        stack.call("test")
    return ExitStatus.DONE
