"""Plan or apply a Terraform stack of this repository, platform or function.

After the platform is applied, its output is handed over to the function's stack as a tfvars file.
`accounts` applies the accounts and agents of the function alone and prints what the platform's
owner adds to `functions`, because a perimeter can let in only what exists. With --env NAME a stack
keeps its state in a workspace of that name and merges its settings with its
environments/NAME.tfvars.json. Terraform or OpenTofu does the work and asks before it changes
anything. A misspelt setting, the placeholder project, the names of another environment, and an
environment variable of the function that cannot work are refused before.
"""

import argparse
import contextlib
import json
from collections.abc import Iterator

from closed_function.checks.environment import check_environment
from closed_function.checks.result import PROBLEM
from closed_function.command_line import add_environment, add_yes, approval_options
from closed_function.errors import CommandError, ExitStatus
from closed_function.files import read_text, text_at, write_text
from closed_function.paths import REQUIREMENTS, SETTINGS, STACKS, hand_over_file, relative
from closed_function.repository import Repository
from closed_function.stack import Stack, TerraformError
from closed_function.symptoms.logs import find_build

TEST_ALERT = json.dumps(
    {"incident": {"incident_id": "test", "state": "open", "policy_name": "Test", "summary": "Test"}}
)
# With data sources: an output is kept only when all that it depends on is a target.
ACCOUNTS = (
    "google_service_account.this",
    "data.google_project.this",
    "google_project_service_identity.agents",
    "data.google_storage_project_service_account.agent",
)
CHANNEL = "google_monitoring_notification_channel.alert"  # the first creates Monitoring's agent
WHEN_INTERRUPTED = "Interrupted; nothing was changed in Google Cloud."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    if not parser.prog.endswith(" accounts"):
        parser.add_argument("stack", choices=STACKS)
    add_environment(parser)
    add_yes(parser)


def run(options: argparse.Namespace) -> int:
    commands = {"plan": plan, "apply": apply, "accounts": accounts}
    commands[options.command](options)
    return ExitStatus.DONE


def plan(options: argparse.Namespace) -> None:
    stack = Stack(options.stack, options.env)
    variables = stack.prepare(changes=False)
    refuse_unworkable(stack)
    stack.call("plan", *variables)


def apply(options: argparse.Namespace) -> None:
    stack = Stack(options.stack, options.env)
    variables = stack.prepare()
    refuse_unworkable(stack)
    try:
        stack.change("apply", *variables, *approval_options(options))
    except TerraformError as error:
        if not error.errors.strip():  # it was not approved
            raise
        build = find_build(error.errors)
        hint = f"why: make explain BUILD={build}" if build else "what is missing: make doctor"
        raise CommandError(f"{error} To see {hint}", error.status) from None
    if stack.name == "platform":
        with changes_made("make platform"):
            hand_over(stack.output("platform"), options.env)
            print(f"The switch: {stack.output('upstreams')}")
            print("Next: fill in the function's settings, then `make doctor` and `make deploy`.")
    else:
        with changes_made("make deploy"):
            print_alert_commands(stack.output("function"))


def refuse_unworkable(stack: Stack) -> None:
    """Refuse what the function would refuse when it starts, and receivers it cannot reach."""
    if stack.name != "function":
        return
    found = check_environment(Repository(stack.environment))
    if problems := [f"{each.symptom}: {each.seen}" for each in found if each.verdict == PROBLEM]:
        problems.append("Nothing was changed. To see how to correct it: make doctor")
        raise CommandError("\n".join(problems))


def print_alert_commands(function: object) -> None:
    """Print what is left to do after the deployment of a function that alerts call."""
    channel, topic = text_at(function, "notification_channel"), text_at(function, "topic")
    if not channel:
        return
    project = text_at(function, "project_id")
    print(
        f"""\
Only alert policies that use the notification channel {channel} call this function.
Add it to each of them (this lists them: gcloud alpha monitoring policies list --project={project}):
  gcloud alpha monitoring policies update POLICY --project={project} \\
    --add-notification-channels={channel}
Send a test alert:
  gcloud pubsub topics publish {topic} --project={project} --message='{TEST_ALERT}'"""
    )


def accounts(options: argparse.Namespace) -> None:
    stack = Stack("function", options.env)
    targets = [f"-target={address}" for address in ACCOUNTS]
    variables = stack.prepare()
    if text_at(stack.settings(), "trigger.topic"):
        targets.append(f"-target={CHANNEL}")
    stack.change("apply", "-compact-warnings", *targets, *variables, *approval_options(options))
    with changes_made("make accounts"):
        functions = stack.output("platform_must_list")
    if functions is None:
        print("This function needs nothing in the platform's `functions`. Run `make deploy` next.")
    else:
        print(f"The platform's owner merges this into their terraform/platform/{SETTINGS}")
        print("and runs `make platform`; then run `make deploy`.")
        print(json.dumps({"functions": functions}, indent=2))


@contextlib.contextmanager
def changes_made(command: str) -> Iterator[None]:
    """Report of an interrupt in the block that the changes were already made."""
    try:
        yield
    except KeyboardInterrupt:
        raise CommandError(
            f"Interrupted after the changes were made: run `{command}` again.",
            ExitStatus.INTERRUPTED,
        ) from None


def hand_over(platform: object, environment: str | None) -> None:
    """Write the platform's output to where the function's stack reads it."""
    file = hand_over_file(environment)
    file.parent.mkdir(exist_ok=True)
    write_text(file, json.dumps({"platform": platform}, indent=2, ensure_ascii=False) + "\n")
    print(f"Handed over: {relative(file)}")
    index = text_at(platform, "python_index_url")
    if read_text(REQUIREMENTS)[0].partition("\n")[0] != f"--index-url {index}":
        print(
            f"The platform's index is {index}, and requirements.txt names another: run `make lock`."
        )
