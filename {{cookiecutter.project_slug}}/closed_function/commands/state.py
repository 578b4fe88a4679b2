"""Keep each stack's state in a bucket from now on, and move the state that is here to it."""

import argparse
import contextlib
import re

from closed_function.command_line import add_yes
from closed_function.errors import CommandError, ExitStatus
from closed_function.files import alone, write_bytes, write_text
from closed_function.repository import PLACEHOLDER
from closed_function.stack import Stack, own_stacks

WHEN_INTERRUPTED = "Interrupted; nothing was changed in Google Cloud."
BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")
BACKEND = """\
terraform {
  backend "gcs" {
    bucket = "BUCKET"
    prefix = "PREFIX"
  }
}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bucket")
    parser.add_argument("prefix", help="folder in the bucket, such as the repository's name")
    add_yes(parser)


def run(options: argparse.Namespace) -> int:
    if not BUCKET.fullmatch(options.bucket):
        raise CommandError(
            f"BUCKET is {options.bucket!r}, but it must be a bucket's name, such as my-tfstate."
        )
    stacks = [Stack(name, None) for name in own_stacks()]
    with contextlib.ExitStack() as others_wait:
        for stack in stacks:
            others_wait.enter_context(alone(stack.folder))
        for stack in stacks:
            interrupted = move(stack, options)
            if interrupted and stack is not stacks[-1]:
                raise CommandError(
                    f"Interrupted after terraform/{stack.name} was moved: run `make state` again.",
                    ExitStatus.INTERRUPTED,
                )
    print("Commit terraform/*/backend.tf.")
    return ExitStatus.DONE


def move(stack: Stack, options: argparse.Namespace) -> bool:
    """Move the state of `stack`, or leave everything as it was; return whether Ctrl-C came."""
    backend = stack.folder / "backend.tf"
    # Terraform's own note of where the state is.
    backend_note = stack.folder / ".terraform" / "terraform.tfstate"
    before = {file: file.read_bytes() for file in (backend, backend_note) if file.is_file()}
    # With the project, so that repositories of one name do not share a state.
    project = stack.settings().get("project_id", PLACEHOLDER)
    text = BACKEND.replace("BUCKET", options.bucket)
    try:
        write_text(backend, text.replace("PREFIX", f"{project}/{options.prefix}/{stack.name}"))
        done, interrupted = stack.run("init", "-force-copy" if options.yes else "-migrate-state")
        stack.require_success(done, interrupted=interrupted)
    except BaseException:
        # The state is still where it was, and so must be what says where.
        for file in (backend, backend_note):
            if file in before:
                write_bytes(file, before[file])
            else:
                file.unlink(missing_ok=True)
        raise
    return interrupted
