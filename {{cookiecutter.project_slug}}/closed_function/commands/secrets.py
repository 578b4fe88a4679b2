"""Create the secrets and versions that the function's settings name and that are missing.

Each value is asked for and not shown; where the standard input is no terminal, each of its lines
is NAME=VALUE, with the name of a secret. gcloud reads a value from its standard input: it is never
printed, written to a file or part of a command.
"""

import argparse
import getpass
import shlex
import sys
from collections.abc import Iterable

from closed_function.command_line import add_environment, report_progress
from closed_function.errors import CommandError, ExitStatus
from closed_function.gcloud.program import run_gcloud
from closed_function.processes import Outcome
from closed_function.redaction import quote
from closed_function.repository import PLACEHOLDER, Repository

GCLOUD_TIMEOUT = 120
WHEN_INTERRUPTED = "Interrupted; `make secrets` creates what is still missing."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_environment(parser)


def run(options: argparse.Namespace) -> int:
    repository = Repository(options.env)
    project = repository.function_project
    if repository.settings_unread:
        raise CommandError(repository.settings_unread)
    if project == PLACEHOLDER:
        raise CommandError(f"project_id is still the placeholder {PLACEHOLDER}.")
    if not repository.secrets:
        print("function.secret_environment names no secret, so there is nothing to create.")
        return ExitStatus.DONE
    report_progress(f"Asking gcloud for the secrets of {project}.")
    missing = [each for each in repository.secrets if not version_exists(project, *each)]
    values = read_values(dict.fromkeys(secret for secret, _ in missing), project)
    status = ExitStatus.DONE
    for secret, version in missing:
        create(project, repository.location, secret)
        add = ("versions", "add", secret, "--data-file=-", "--format=value(name)")
        added = succeed(project, *add, given=values[secret]).output.strip().rpartition("/")[2]
        print(f"Created: version {added} of the secret {secret} in {project}")
        if version not in ("latest", added):
            print(f"The settings name version {version}: set {added} there.")
            status = ExitStatus.WRONG
    if not missing:
        print(f"Every secret that the settings name is in {project}.")
    return status


def version_exists(project: str, secret: str, version: str) -> bool:
    where = ("versions", "describe", version, f"--secret={secret}", "--format=value(state)")
    return "NOT_FOUND" not in succeed(project, *where, unless="NOT_FOUND").errors


def create(project: str, location: str, secret: str) -> None:
    """Create a secret without a version, unless it is there."""
    replication = ("--replication-policy=user-managed", f"--locations={location}")
    succeed(project, "create", secret, *replication, unless="already exists")


def read_values(secrets: Iterable[str], project: str) -> dict[str, str]:
    """Return a value for each of `secrets`. CommandError unless each has one."""
    given: dict[str, str] = {}
    if sys.stdin and not sys.stdin.isatty():
        lines = (line.rstrip("\r\n").partition("=") for line in sys.stdin)
        given = {name: value for name, _, value in lines}
    values = {}
    for secret in secrets:
        try:
            ask = sys.stdin and sys.stdin.isatty()
            value = getpass.getpass(f"{secret}: ") if ask else given.get(secret, "")
        except EOFError:
            value = ""
        if not value or value != value.strip():
            raise CommandError(
                f"The secret {secret} of {project} is missing, and its value is "
                f"{'empty' if not value.strip() else 'surrounded by white space'}. Nothing was "
                f"created. Type it, or give a line {secret}=VALUE on standard input."
            )
        values[secret] = value
    return values


def succeed(project: str, *arguments: str, unless: str = "", given: str | None = None) -> Outcome:
    """Run `gcloud secrets`. CommandError if it fails, unless for the reason `unless`."""
    command = ["secrets", *arguments, f"--project={project}"]
    outcome = run_gcloud(command, GCLOUD_TIMEOUT, given)
    if outcome.status == 0 or (unless and unless in outcome.errors):
        return outcome
    words = quote(outcome.errors) or "(it printed nothing)"
    if outcome.status is None:
        words = f"(no answer within {GCLOUD_TIMEOUT} s; gcloud was ended)"
    raise CommandError(f"$ {shlex.join(['gcloud', *command])}\n{words}", ExitStatus.WRONG)
