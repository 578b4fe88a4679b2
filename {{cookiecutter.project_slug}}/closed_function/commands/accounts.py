"""Make the accounts and agents of the function alone: a platform can let in only what exists.

What the platform's owner must list is printed.
"""

import argparse
import json

from closed_function.command_line import add_environment, add_yes
from closed_function.errors import ExitStatus
from closed_function.files import text_at
from closed_function.paths import SETTINGS
from closed_function.stack import Stack, approval_options, changes_made

WHEN_INTERRUPTED = "Interrupted; nothing was changed in Google Cloud."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_environment(parser)
    add_yes(parser)


def run(options: argparse.Namespace) -> int:
    """Make them, and print what the platform must list."""
    stack = Stack("function", options.env)
    # The data source, too: an output is kept only when all that it depends on is a target.
    targets = ["-target=google_service_account.this", "-target=data.google_project.this"]
    targets.append("-target=google_project_service_identity.agents")
    targets.append("-target=data.google_storage_project_service_account.agent")
    variables = stack.prepare()
    if text_at(stack.settings(), "trigger.topic"):
        # Cloud Monitoring's agent comes into being with the first channel.
        targets.append("-target=google_monitoring_notification_channel.alert")
    stack.change("apply", "-compact-warnings", *targets, *variables, *approval_options(options))
    with changes_made("make accounts"):
        listed = stack.output("platform_must_list")
    if listed is None:
        print("The platform has nothing to list for this function. Go on with `make deploy`.")
    else:
        print("The platform's owner merges this into their terraform/platform/" + SETTINGS)
        print("and runs `make platform`; then go on with `make deploy`.")
        print(json.dumps({"functions": listed}, indent=2))
    return ExitStatus.DONE
