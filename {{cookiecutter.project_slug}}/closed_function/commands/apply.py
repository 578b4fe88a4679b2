"""Plan or apply a Terraform stack of this repository, platform or function.

After the platform is applied, its output is handed over to the function's stack as a tfvars file.
With --env NAME a stack keeps its state in a workspace of that name, and its settings are merged
with those in its environments/NAME.tfvars.json. Terraform or OpenTofu does the work and asks before
it changes anything; what it would take without a word is refused here: a misspelt setting, the
placeholder project, the names of another environment.
"""

import argparse
import json

from closed_function.command_line import add_environment, add_yes
from closed_function.errors import CommandError, ExitStatus
from closed_function.files import replace_text
from closed_function.paths import REQUIREMENTS, ROOT, STACKS, hand_over_file
from closed_function.stack import Stack, approval_options, changes_made

WHEN_INTERRUPTED = "Interrupted; nothing was changed in Google Cloud."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("stack", choices=STACKS)
    add_environment(parser)
    add_yes(parser)


def run(options: argparse.Namespace) -> int:
    {"plan": plan, "apply": apply}[options.command](options)
    return ExitStatus.DONE


def plan(options: argparse.Namespace) -> None:
    stack = Stack(options.stack, options.env)
    stack.call("plan", *stack.prepare(changes=False))


def apply(options: argparse.Namespace) -> None:
    stack = Stack(options.stack, options.env)
    variables = stack.prepare()
    try:
        stack.change("apply", *variables, *approval_options(options))
    except CommandError as error:
        if stack.name == "platform":
            raise
        advice = "When a build failed: make explain BUILD=ID, the id being in its link above."
        raise CommandError(f"{error} {advice}", error.status) from None
    if stack.name == "platform":
        with changes_made("make platform"):
            hand_over(stack.output("platform"), options.env)
            print(f"Upstream access: {stack.output('upstreams')}")


def hand_over(platform: object, environment: str | None) -> None:
    """Write the platform's output where the function's stack reads it, in one step."""
    file = hand_over_file(environment)
    file.parent.mkdir(exist_ok=True)
    text = json.dumps({"platform": platform}, indent=2, ensure_ascii=False) + "\n"
    replace_text(file, text)
    print(f"Handed over: {file.relative_to(ROOT)}")
    index = platform.get("python_index_url") if isinstance(platform, dict) else None
    text = REQUIREMENTS.read_text(encoding="utf-8") if REQUIREMENTS.is_file() else ""
    first_line = text.split("\n", 1)[0]
    if first_line != f"--index-url {index}":
        print(
            f"The platform's index is {index}, and requirements.txt names another: run `make lock`."
        )
